# SPDX-License-Identifier: Apache-2.0
"""Call: a parsed and authorized request, the argument of every action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from api.request import urls
from service.domain.caller import Caller
from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import ResourceType, Shape
from service.domain.errors import Invalid, Violation
from service.domain.query import filters, list_query
from service.domain.query.filter_syntax import InvalidParameter

Parameters = list[tuple[str, str]]

#: SECURITY: no client needs more; parsing many more would occupy a worker.
MAX_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as an action receives it."""

    version: Version
    caller: Caller
    parameters: Parameters
    body: Any
    media_type: str
    environ: dict[str, Any]
    declared: ResourceType | None = None

    @property
    def shape(self) -> Shape:
        """The route's type at the requested version."""
        assert self.declared is not None
        shape = self.declared.at(self.version)
        assert shape is not None, 'the router rejects unknown versions'
        return shape

    @property
    def mount(self) -> str:
        """The URL of ``/v1``, without a slash at the end."""
        return urls.mount(self.environ)

    def flag(self, name: str) -> bool:
        """Return the value of a boolean parameter; false if absent."""
        flags = self.values({name: filters.parse_boolean})
        return bool(flags.get(name, False))

    def values(self, readers: Mapping[str, Callable[[str], Any]]
               ) -> dict[str, Any]:
        """Return the values of those parameters that the request has.

        ``readers`` parse the text of each parameter. Raises Invalid for each
        parameter that cannot be parsed or is given more than once.
        """
        parsed: dict[str, Any] = {}
        bad: list[Violation] = []
        for name, text in self.parameters:
            if name not in readers:
                continue
            try:
                if name in parsed:
                    raise InvalidParameter('is given more than once')
                parsed[name] = readers[name](text)
            except InvalidParameter as exc:
                bad.append(list_query.violation(name, exc))
        if bad:
            raise Invalid(bad)
        return parsed


def parameters(environ: dict[str, Any]) -> Parameters:
    """Return the query's parameters in order.

    Raises Invalid if the query is not UTF-8 or has too many parameters.
    """
    text = environ.get('QUERY_STRING', '')
    if not text:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, errors='strict',
                         max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        reason = 'is not UTF-8 after percent-decoding'
    except ValueError:
        reason = f'has more than {MAX_PARAMETERS} parameters'
    raise Invalid([Violation(f'The query {reason}.')])


def check_known(parameters: Parameters, known: frozenset[str]) -> None:
    """Raise Invalid for each parameter that is not ``known`` (CODE-12)."""
    valid = (f'valid parameters are {", ".join(sorted(known))}' if known
             else 'this request takes no parameters')
    bad = [list_query.violation(list_query.printable_name(name),
                                f'is not known here; {valid}')
           for name in dict.fromkeys(name for name, _ in parameters)
           if name not in known]
    if bad:
        raise Invalid(bad)
