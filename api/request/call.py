# SPDX-License-Identifier: Apache-2.0
"""What an action is given: one request, every part of it already read."""

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

#: More could only be an attempt to keep a worker busy.
MAX_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way into an action."""

    version: Version
    caller: Caller
    parameters: Parameters
    body: Any
    media_type: str
    environ: dict[str, Any]
    declared: ResourceType | None = None

    @property
    def shape(self) -> Shape:
        """How the called type looks at the version asked for."""
        assert self.declared is not None
        shape = self.declared.at(self.version)
        assert shape is not None, 'the router lets only known versions in'
        return shape

    @property
    def mount(self) -> str:
        return urls.mount(self.environ)

    def flag(self, name: str) -> bool:
        """A boolean parameter; absent is false."""
        return bool(self.values({name: filters.parse_boolean})
                    .get(name, False))

    def values(self, readers: Mapping[str, Callable[[str], Any]]
               ) -> dict[str, Any]:
        """What the parameters of these names say; those given, once each."""
        found: dict[str, Any] = {}
        bad: list[Violation] = []
        for name, text in self.parameters:
            if name not in readers:
                continue
            try:
                if name in found:
                    raise InvalidParameter('is given more than once')
                found[name] = readers[name](text)
            except InvalidParameter as exc:
                bad.append(list_query.violation(name, exc))
        if bad:
            raise Invalid(bad)
        return found


def parameters(environ: dict[str, Any]) -> Parameters:
    """The query's parameters in order; Invalid where it cannot be read."""
    text = environ.get('QUERY_STRING', '')
    if not text:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, errors='strict',
                         max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        reason = 'is not UTF-8 behind its percent signs'
    except ValueError:
        reason = f'has more than {MAX_PARAMETERS} parameters'
    raise Invalid([Violation(f'The query {reason}.')])


def check_known(given: Parameters, names: frozenset[str]) -> None:
    """Refuse parameters that are not among ``names`` (CODE-12)."""
    would_do = (f'one may give {", ".join(sorted(names))}' if names
                else 'this request takes none')
    bad = [list_query.violation(list_query.printable_name(name),
                                f'is not known here; {would_do}')
           for name in dict.fromkeys(name for name, _ in given)
           if name not in names]
    if bad:
        raise Invalid(bad)
