# SPDX-License-Identifier: Apache-2.0
"""Build a draft of one type file: its valid keywords and the frozen type.

``syntax`` has left out malformed keywords, so building never fails. The
checks then judge the type, and skip what the malformed keywords leave open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import (
    Choice,
    ExclusivePeriod,
    Property,
    ResourceType,
)
from service.domain.documents import values
from service.domain.typefiles import value_checks, vocabulary
from service.domain.typefiles.mistakes import Place


@dataclass(frozen=True, slots=True)
class Draft:
    """A type under check.

    ``raw`` holds the keywords that passed ``syntax``. ``properties_known`` is
    False if the keyword ``properties`` itself is malformed; then no property
    name counts as unknown.
    """

    file: str
    raw: Mapping[str, Any]
    declared: ResourceType
    properties_known: bool = True

    def unknown(self, name: str) -> bool:
        return self.properties_known and name not in self.raw['properties']

    def property(self, name: str) -> Property | None:
        """The property; None if it is unknown or could not be built."""
        return self.declared.properties.get(name)


def make(file: str, raw: Mapping[str, Any], stem: str,
         properties_known: bool = True) -> Draft:
    """Build the draft of a file.

    ``stem`` replaces a missing name, so that references to the type resolve.
    """
    return Draft(file, raw, _type(file, raw, stem), properties_known)


def _type(file: str, raw: Mapping[str, Any], stem: str) -> ResourceType:
    since = _version(raw, 'since', FIRST_VERSION)
    required = frozenset(raw.get('required', ()))
    name = raw.get('name', stem)
    return ResourceType(
        name=name,
        plural=raw.get('plural', name),
        description=_description(raw),
        scope=raw.get('scope', 'project'),
        since=since,
        until=_version(raw, 'until', None),
        controller=raw.get('controller'),
        dropped=raw.get('dropped', False),
        properties=MappingProxyType({
            prop: _property(prop, keywords, since, prop in required)
            for prop, keywords in raw['properties'].items()
            if keywords is not None}),
        unique=_keys(raw, 'unique'),
        indexes=_keys(raw, 'indexes'),
        exclusive=tuple(_exclusive(rule) for _, rule in periods(raw)),
        quota=raw.get('quota'),
        policy=MappingProxyType(dict(raw.get('policy', {}))),
        file=file)


def _keys(raw: Mapping[str, Any],
          keyword: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names) for names in raw.get(keyword, ()))


def periods(raw: Mapping[str, Any]
            ) -> list[tuple[Place, Mapping[str, Any]]]:
    """Return the rules of ``exclusive`` with their places.

    The keyword holds one rule or a list of rules.
    """
    rules = raw.get('exclusive', ())
    if isinstance(rules, Mapping):
        return [(('exclusive',), rules)]
    return [(('exclusive', index), rule) for index, rule in enumerate(rules)]


def _exclusive(raw: Mapping[str, Any]) -> ExclusivePeriod:
    start, end = raw['period']
    return ExclusivePeriod(
        (start, end), tuple(raw.get('over', ())),
        tuple((name, tuple(allowed))
              for name, allowed in sorted(raw.get('when', {}).items())))


def _description(raw: Mapping[str, Any]) -> str:
    return str(raw.get('description', '')).strip()


def _version(raw: Mapping[str, Any], keyword: str, default: Any) -> Any:
    return Version.parse(raw[keyword]) if keyword in raw else default


#: JSON Schema keywords that are the same in every version. ``description``
#: is a field of its own.
_STABLE_KEYWORDS = frozenset(vocabulary.SCHEMA_KEYWORDS) - {
    'enum', 'const', 'description'}

_REFERENCE: Mapping[str, Any] = {'type': 'string', 'format': 'uuid',
                                 'maxLength': 36}


def _property(name: str, raw: Mapping[str, Any], since: Version,
              required: bool) -> Property:
    if raw.get('dropped'):
        return Property(name, '', description=_description(raw), dropped=True)
    schema = _schema(raw)
    own_since = _version(raw, 'since', since)
    prop = Property(
        name=name,
        kind=schema['type'],
        schema=MappingProxyType(schema),
        format=schema.get('format'),
        enum=_choices(raw, since if 'renamed_from' in raw else own_since),
        max_length=schema.get('maxLength'),
        description=_description(raw),
        required=required,
        immutable=raw.get('immutable', False),
        references=raw.get('references'),
        on_delete=raw.get('on_delete', 'restrict'),
        since=own_since,
        until=_version(raw, 'until', None),
        renamed_from=raw.get('renamed_from'),
        read_roles=tuple(raw.get('read_roles', ())),
        write_roles=tuple(raw.get('write_roles', ())))
    return _with_values(prop, raw)


def _schema(raw: Mapping[str, Any]) -> dict[str, Any]:
    if 'references' in raw:
        return dict(_REFERENCE)
    schema = {keyword: value for keyword, value in raw.items()
              if keyword in _STABLE_KEYWORDS}
    if schema['type'] == 'string' and schema.get('format') != 'date-time':
        schema.setdefault('maxLength', vocabulary.DEFAULT_MAX_LENGTH)
    return schema


def _choices(raw: Mapping[str, Any], since: Version) -> tuple[Choice, ...]:
    """The enum with its values in stored form; a const is an enum of one."""
    listed = raw.get('enum', [raw['const']] if 'const' in raw else [])
    return tuple(
        Choice(_integer(raw, item['const']), _version(item, 'since', since),
               _version(item, 'until', None))
        if isinstance(item, dict) else Choice(_integer(raw, item), since)
        for item in listed)


def _integer(raw: Mapping[str, Any], value: Any) -> Any:
    """Convert 1.0 to 1 for the type integer, as in a request body."""
    if raw.get('type') == 'integer' and isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value


def _with_values(prop: Property, raw: Mapping[str, Any]) -> Property:
    """The property with its default and backfill in stored form."""
    stored = {keyword: _stored(prop, _integer(raw, raw[keyword]))
              for keyword in ('default', 'backfill') if keyword in raw}
    return replace(prop, **stored)


def _stored(prop: Property, value: Any) -> Any:
    """The stored form of a value; an invalid value stays for the checks."""
    invalid = next(value_checks.violations((), prop.schema, (value,)), None)
    return value if invalid else values.normalize(prop, value)
