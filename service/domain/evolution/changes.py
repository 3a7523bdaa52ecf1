# SPDX-License-Identifier: Apache-2.0
"""The differences between two catalogues, keyword by keyword.

``storage.schema`` plans the changes of tables from them, and finds the stored
records that the new types do not allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from service.domain.catalogue.exclusive_periods import ExclusivePeriod
from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import (
    MISSING,
    Catalogue,
    Choice,
    Property,
    ResourceType,
)
from service.domain.documents import timestamps, values
from service.domain.evolution import narrowing
from service.domain.typefiles import vocabulary
from service.domain.typefiles.mistakes import shown


class Change(NamedTuple):
    """One keyword that changed, and its place in the type files.

    ``affects_table``: the change can alter the table; ``storage.schema``
    decides. ``check`` is set if the keyword allows fewer values than before:
    the JSON Schema that stored values of ``column`` must now satisfy.
    """

    type: str
    place: str
    message: str
    affects_table: bool = False
    column: str = ''
    check: Mapping[str, Any] | None = None


def compare(before: Catalogue | None,
            after: Catalogue) -> tuple[Change, ...]:
    """Return every change, type by type, in the order of the type files.

    Tombstones count only while they drop something, so that an operator may
    keep or remove them later. ``before`` is None if no types were ever
    applied.
    """
    old = {} if before is None else {
        declared.name: declared for declared in before.live}
    new = {declared.name: declared for declared in after.live}
    return (*(Change(name, name, 'is dropped', True)
              for name in old if name not in new),
            *(change for name, declared in new.items()
              for change in _type(old.get(name), declared)))


def _type(old: ResourceType | None, new: ResourceType) -> Iterator[Change]:
    if old is None:
        yield Change(new.name, new.name, 'is new', True)
        return
    yield from _type_keywords(old, new)
    yield from _properties(old, new)


def _type_keywords(old: ResourceType, new: ResourceType) -> Iterator[Change]:
    for keyword, affects_table in _TYPE_KEYWORDS.items():
        message = _difference(keyword, getattr(old, keyword),
                              getattr(new, keyword))
        if message:
            yield Change(new.name, f'{new.name}.{keyword}', message,
                         affects_table)


def _properties(old: ResourceType, new: ResourceType) -> Iterator[Change]:
    existing = {prop.name: prop for prop in old.live}
    continued = set()
    for prop in new.live:
        place = f'{new.name}.{prop.name}'
        previous = predecessor(existing, new, prop)
        if previous is None:
            yield Change(new.name, place, 'is new', True)
            continue
        continued.add(previous.name)
        if previous.name != prop.name:
            yield Change(new.name, place, f'is renamed from {previous.name}',
                         True)
        yield from _property(new, previous, prop)
    for name in existing:
        if name not in continued:
            yield Change(new.name, f'{new.name}.{name}', 'is dropped', True)


def predecessor(existing: Mapping[str, Property], declared: ResourceType,
                prop: Property) -> Property | None:
    """Return the existing property whose values ``prop`` takes over.

    A return to files from before a rename undoes the rename; it does not add
    one property and drop another.
    """
    if prop.name in existing:
        return existing[prop.name]
    if prop.renamed_from is not None and prop.renamed_from in existing:
        return existing[prop.renamed_from]
    live = {other.name for other in declared.live}
    return next((old for old in existing.values()
                 if old.renamed_from == prop.name and old.name not in live),
                None)


def _property(declared: ResourceType, old: Property,
              new: Property) -> Iterator[Change]:
    place = f'{declared.name}.{new.name}'
    for keyword, affects_table in _PROPERTY_KEYWORDS.items():
        message = _difference(keyword, getattr(old, keyword),
                              getattr(new, keyword))
        if message:
            yield Change(declared.name, place, message, affects_table)
    for message, check in _enum(old, new):
        yield Change(declared.name, place, message, False, new.name, check)
    for keyword in dict.fromkeys((*old.schema, *new.schema)):
        message = _difference(keyword, old.schema.get(keyword, MISSING),
                              new.schema.get(keyword, MISSING))
        if message:
            yield Change(declared.name, place, message,
                         _affects_column(keyword, old, new), new.name,
                         _check(keyword, old.schema, new.schema))


def _affects_column(keyword: str, old: Property, new: Property) -> bool:
    """Whether a JSON Schema keyword determines the type of the column."""
    if keyword == 'format':
        return ('date-time' in (old.format, new.format)
                or old.references != new.references)
    return keyword in ('type', 'maxLength')


def _enum(old: Property, new: Property
          ) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """The change of an enum, and its check.

    Records may go on holding a value that has an ``until``.
    """
    message = _difference('enum', old.enum, new.enum)
    if not message:
        return
    before, after = ([choice.const for choice in prop.enum]
                     for prop in (old, new))
    removed = {values.canonical(value) for value in before} - {
        values.canonical(value) for value in after}
    narrower = bool(after) and (not before or bool(removed))
    yield message, {'enum': after} if narrower else None


def _check(keyword: str, old: Mapping[str, Any],
           new: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON Schema for stored values, if the keyword allows fewer now.

    Keywords about members depend on each other, so the whole schema is the
    check for them.
    """
    if keyword in _MEMBER_KEYWORDS:
        return new
    kind = {'type': new.get('type')}
    before, after = (
        {**kind, **({keyword: schema[keyword]} if keyword in schema else {})}
        for schema in (old, new))
    if keyword == 'type' or any(narrowing.schema_breaks(before, after)):
        return after
    return None


def validator(check: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Return a function that says whether a stored value passes a check."""
    if check.get('format') == 'date-time':
        return _is_stored_time
    schema_validator = jsonschema_rs.validator_for(
        dict(check), validate_formats=True,
        pattern_options=vocabulary.REGEX_OPTIONS, offline=True)
    return schema_validator.is_valid


def _is_stored_time(value: Any) -> bool:
    """Whether a text is a time in the only form that a column stores."""
    try:
        return bool(timestamps.canonical(value) == value)
    except ValueError:
        return False


# The compared keywords, and the text of a difference

#: Keywords of a type, and whether they affect its table.
_TYPE_KEYWORDS: Mapping[str, bool] = {
    'plural': True, 'scope': True, 'description': False, 'since': False,
    'until': False, 'controller': False, 'unique': True, 'indexes': True,
    'exclusive': True, 'quota': False, 'policy': False}

#: Keywords of a property that are not JSON Schema's; likewise.
_PROPERTY_KEYWORDS: Mapping[str, bool] = {
    'description': False, 'default': False, 'required': True,
    'immutable': False, 'references': True, 'on_delete': False,
    'since': False, 'until': False, 'renamed_from': False,
    'backfill': False, 'read_roles': False, 'write_roles': False}

#: Keywords about the members of an object or array.
_MEMBER_KEYWORDS = frozenset(('properties', 'required',
                              'additionalProperties', 'items'))


def _difference(keyword: str, old: Any, new: Any) -> str:
    """The text for a change of a keyword's value; '' if it is the same."""
    before, after = _plain(old), _plain(new)
    if values.canonical([before]) == values.canonical([after]):
        return ''
    return f'{keyword} changes from {_shown(before)} to {_shown(after)}'


def _shown(value: Any) -> str:
    """The text for a value; None stands for an absent keyword."""
    return 'absent' if value is None else shown(value)


def _plain(value: Any) -> Any:
    """Convert a declared value to the form of a type file."""
    for kind, plain in _PLAIN:
        if isinstance(value, kind):
            return plain(value)
    return None if value is MISSING else value


def _list(items: Iterable[Any]) -> list[Any]:
    return [_plain(item) for item in items]


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Version, str),
    (Choice, lambda choice: {
        'const': choice.const, 'since': str(choice.since),
        **({'until': str(choice.until)} if choice.until else {})}),
    (ExclusivePeriod, lambda rule: {
        'period': _list(rule.period), 'over': _list(rule.over),
        'when': _list(rule.when)}),
    (Mapping, lambda mapping: {name: _plain(inner)
                               for name, inner in mapping.items()}),
    ((tuple, list), _list),
)
