# SPDX-License-Identifier: Apache-2.0
"""One type file as a draft: its words, and the frozen value they make.

``forms`` has dropped what was malformed, so a draft can always be made; the
rules then judge the value, and are told where it is not the whole truth.
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
    """``raw`` holds the words that passed their forms.

    ``properties_known`` is False where the word itself was malformed: then
    no name can be called unknown.
    """

    file: str
    raw: Mapping[str, Any]
    declared: ResourceType
    properties_known: bool = True

    def unknown(self, name: str) -> bool:
        return self.properties_known and name not in self.raw['properties']

    def property(self, name: str) -> Property | None:
        """The property, unless its own words were too wrong to make it."""
        return self.declared.properties.get(name)


def make(file: str, raw: Mapping[str, Any], stem: str,
         properties_known: bool = True) -> Draft:
    """``stem`` stands in for a missing name, so that others may refer."""
    return Draft(file, raw, _type(file, raw, stem), properties_known)


def _type(file: str, raw: Mapping[str, Any], stem: str) -> ResourceType:
    since = _version(raw, 'since', FIRST_VERSION)
    required = frozenset(raw.get('required', ()))
    name = raw.get('name', stem)
    return ResourceType(
        name=name,
        plural=raw.get('plural', name),
        description=_folded(raw),
        scope=raw.get('scope', 'project'),
        since=since,
        until=_version(raw, 'until', None),
        controller=raw.get('controller'),
        dropped=raw.get('dropped', False),
        properties=MappingProxyType({
            each: _property(each, given, since, each in required)
            for each, given in raw['properties'].items()
            if given is not None}),
        unique=_keys(raw, 'unique'),
        indexes=_keys(raw, 'indexes'),
        exclusive=tuple(_exclusive(one) for _, one in periods(raw)),
        quota=raw.get('quota'),
        policy=MappingProxyType(dict(raw.get('policy', {}))),
        file=file)


def _keys(raw: Mapping[str, Any], word: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names) for names in raw.get(word, ()))


def periods(raw: Mapping[str, Any]
            ) -> list[tuple[Place, Mapping[str, Any]]]:
    """The rules of ``exclusive``, each with its place: one or a list."""
    given = raw.get('exclusive', ())
    if isinstance(given, Mapping):
        return [(('exclusive',), given)]
    return [(('exclusive', index), one) for index, one in enumerate(given)]


def _exclusive(raw: Mapping[str, Any]) -> ExclusivePeriod:
    start, end = raw['period']
    return ExclusivePeriod(
        (start, end), tuple(raw.get('over', ())),
        tuple((name, tuple(given))
              for name, given in sorted(raw.get('when', {}).items())))


def _folded(raw: Mapping[str, Any]) -> str:
    return str(raw.get('description', '')).strip()


def _version(raw: Mapping[str, Any], word: str, otherwise: Any) -> Any:
    return Version.parse(raw[word]) if word in raw else otherwise


#: The words of JSON Schema that say the same at every version; the
#: description has a field of its own.
_KEPT = frozenset(vocabulary.SCHEMA_KEYWORDS) - {'enum', 'const',
                                                 'description'}

_REFERENCE: Mapping[str, Any] = {'type': 'string', 'format': 'uuid',
                                 'maxLength': 36}


def _property(name: str, raw: Mapping[str, Any], since: Version,
              required: bool) -> Property:
    if raw.get('dropped'):
        return Property(name, '', description=_folded(raw), dropped=True)
    schema = _schema(raw)
    born = _version(raw, 'since', since)
    made = Property(
        name=name,
        kind=schema['type'],
        schema=MappingProxyType(schema),
        format=schema.get('format'),
        enum=_choices(raw, since if 'renamed_from' in raw else born),
        max_length=schema.get('maxLength'),
        description=_folded(raw),
        required=required,
        immutable=raw.get('immutable', False),
        references=raw.get('references'),
        on_delete=raw.get('on_delete', 'restrict'),
        since=born,
        until=_version(raw, 'until', None),
        renamed_from=raw.get('renamed_from'),
        read_roles=tuple(raw.get('read_roles', ())),
        write_roles=tuple(raw.get('write_roles', ())))
    return _with_values(made, raw)


def _schema(raw: Mapping[str, Any]) -> dict[str, Any]:
    if 'references' in raw:
        return dict(_REFERENCE)
    kept = {word: value for word, value in raw.items() if word in _KEPT}
    if kept['type'] == 'string' and kept.get('format') != 'date-time':
        kept.setdefault('maxLength', vocabulary.DEFAULT_MAX_LENGTH)
    return kept


def _choices(raw: Mapping[str, Any], born: Version) -> tuple[Choice, ...]:
    """The enum, each value in its stored form; a const is an enum of one."""
    given = raw.get('enum', [raw['const']] if 'const' in raw else [])
    return tuple(
        Choice(_whole(raw, one['const']), _version(one, 'since', born),
               _version(one, 'until', None))
        if isinstance(one, dict) else Choice(_whole(raw, one), born)
        for one in given)


def _whole(raw: Mapping[str, Any], value: Any) -> Any:
    """1.0 among integers is 1, as it is in a body."""
    if raw.get('type') == 'integer' and isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value


def _with_values(made: Property, raw: Mapping[str, Any]) -> Property:
    """The property with its default and backfill in their stored form."""
    given = {word: _stored(made, _whole(raw, raw[word]))
             for word in ('default', 'backfill') if word in raw}
    return replace(made, **given)


def _stored(made: Property, value: Any) -> Any:
    """A value that the rules will refuse stays as it is."""
    refused = next(value_checks.unmet((), made.schema, (value,)), None)
    return value if refused else values.normalize(made, value)
