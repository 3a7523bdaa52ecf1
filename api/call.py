# SPDX-License-Identifier: Apache-2.0
"""What an action is given: one request, every part of it already read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from api import addresses
from service.domain.caller import Caller
from service.domain.errors import Invalid, Violation, short
from service.domain.types import ResourceType, Shape, Version

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
        return addresses.mount(self.environ)

    def flag(self, name: str) -> bool:
        """A boolean parameter; absent is false."""
        said = [value for key, value in self.parameters if key == name]
        if not said:
            return False
        if len(said) > 1 or said[0] not in ('true', 'false'):
            raise Invalid([Violation(
                f'The parameter {name} is true or false, once.',
                parameter=name)])
        return said[0] == 'true'


def parameters(environ: dict[str, Any]) -> Parameters:
    """The query's parameters in order; Invalid where it cannot be read."""
    query = environ.get('QUERY_STRING', '')
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, errors='strict',
                         max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        reason = 'is not UTF-8 behind its percent signs'
    except ValueError:
        reason = f'has more than {MAX_PARAMETERS} parameters'
    raise Invalid([Violation(f'The query {reason}.')])


def known(given: Parameters, names: frozenset[str]) -> None:
    """Refuse parameters that are not among ``names`` (CODE-12)."""
    would_do = ', '.join(sorted(names)) or 'none'
    bad = [Violation(f'There is no parameter {ascii(name[:80])} here; known: '
                     f'{would_do}.', parameter=short(name))
           for name in dict.fromkeys(name for name, _ in given)
           if name not in names]
    if bad:
        raise Invalid(bad)
