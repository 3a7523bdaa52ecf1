# SPDX-License-Identifier: Apache-2.0
"""What a column's type can become, and which values go with it.

Types have families. Within one, and between some of them, a value stays what
it is; any other turn is one for columns without values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.domain.catalogue.types import Property
from service.storage.schema.steps import Kind
from service.storage.tables.columns import MYSQL
from service.storage.tables.layouts import ColumnLayout

Column = sa.ColumnElement[Any]
Condition = sa.ColumnElement[bool]


class TypeChange(NamedTuple):
    """From one family and type to another."""

    families: tuple[str, str]
    types: tuple[str, str]

    @property
    def nothing(self) -> bool:
        return self.kept and self.types[0] == self.types[1]

    @property
    def kept(self) -> bool:
        """Values can stay, as far as they fit."""
        return (self.families[0] == self.families[1]
                or self.families in _MISFITS)

    @property
    def spelt(self) -> bool:
        """PostgreSQL compares the two only as texts."""
        return set(self.families) == {'id', 'text'}

    def misfits(self, column: Column) -> Condition | None:
        """Which values do not fit; None where all do."""
        found = _MISFITS.get(self.families)
        return None if found is None else found(column, self.types[1])

    def cost(self, database: str) -> Kind:
        """A longer text costs nothing: on MariaDB only while its length takes
        as many bytes as before."""
        before, after = map(_length, self.types)
        if set(map(_word, self.types)) - _TEXTS or (
                after is not None and (before or 2 ** 31) > after):
            return Kind.REWRITE
        if database not in MYSQL:
            return Kind.ONLINE
        same = before is not None and after is not None and (
            (before * 4 > 255) == (after * 4 > 255))
        return Kind.ONLINE if same else Kind.REWRITE


def type_change(old: ColumnLayout, new: ColumnLayout, was: Property | None,
         prop: Property | None) -> TypeChange:
    """``was`` is the property that ``old`` was made for, if that is known."""
    known = was is not None and prop is not None
    return TypeChange((_declared(was) if was and known else _family(old),
                 _declared(prop) if prop and known else _family(new)),
                (old.type, new.type))


def _declared(prop: Property) -> str:
    if prop.references is not None:
        return 'id'
    if prop.format == 'date-time':
        return 'time'
    return _KINDS.get(prop.kind, prop.kind)


_KINDS = {'string': 'text', 'object': 'document', 'array': 'document'}


def _family(field: ColumnLayout) -> str:
    word = _word(field.type)
    return 'text' if word in _TEXTS else _FAMILIES.get(word, word)


_TEXTS = {'VARCHAR', 'CHAR', 'TEXT', 'MEDIUMTEXT', 'LONGTEXT'}
_FAMILIES: Mapping[str, str] = {
    'UUID': 'id', 'BIGINT': 'integer', 'INTEGER': 'integer',
    'DOUBLE': 'number', 'BOOLEAN': 'boolean', 'TINYINT': 'boolean',
    'TIMESTAMP': 'time', 'DATETIME': 'time'}


def _word(type_: str) -> str:
    return type_.split('(')[0].split(' ')[0]


def _length(type_: str) -> int | None:
    """The longest text of a type; None where it has no bound."""
    digits = type_.partition('(')[2].rstrip(')')
    return int(digits) if digits.isdigit() else None


def _longer(column: Column, type_: str) -> Condition:
    most = _length(type_)
    return sa.false() if most is None else (
        sa.func.char_length(sa.cast(column, sa.Text())) > most)


def _inexact(column: Column, type_: str) -> Condition:
    return sa.func.abs(column) > 2 ** 53


def _fractional(column: Column, type_: str) -> Condition:
    return sa.or_(sa.func.abs(column) >= 2.0 ** 63,
                  sa.func.round(column) != column)


def _none(column: Column, type_: str) -> Condition:
    """What is no id is no record's: the reference finds it."""
    return sa.false()


#: The values that cannot stay, by families between which others can.
_MISFITS: Mapping[tuple[str, str], Callable[[Column, str], Condition]] = {
    ('text', 'text'): _longer, ('id', 'text'): _longer,
    ('text', 'id'): _none, ('integer', 'number'): _inexact,
    ('number', 'integer'): _fractional}
