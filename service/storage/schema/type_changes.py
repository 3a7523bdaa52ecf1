# SPDX-License-Identifier: Apache-2.0
"""Changes of a column's type, and the values that each change preserves.

Types belong to families. Within a family, and between some families, values
are preserved. Any other change is possible only for a column without values.
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
    """A change from one family and type to another, as (old, new)."""

    families: tuple[str, str]
    types: tuple[str, str]

    @property
    def is_empty(self) -> bool:
        return self.preserves_values and self.types[0] == self.types[1]

    @property
    def preserves_values(self) -> bool:
        """Whether values that fit the new type are preserved."""
        return (self.families[0] == self.families[1]
                or self.families in _MISFITS)

    @property
    def compares_as_text(self) -> bool:
        """Whether PostgreSQL can compare the two types only as text."""
        return set(self.families) == {'id', 'text'}

    def misfits(self, column: Column) -> Condition | None:
        """Return the condition of values that do not fit; None if all fit."""
        condition = _MISFITS.get(self.families)
        return None if condition is None else condition(column, self.types[1])

    def cost(self, database: str) -> Kind:
        """Return the class of the step.

        A longer text is online. On MariaDB and MySQL that holds only while
        the length of a value takes as many bytes as before.
        """
        before, after = map(_length, self.types)
        if set(map(_base_name, self.types)) - _TEXTS or (
                after is not None and (before or 2 ** 31) > after):
            return Kind.REWRITE
        if database not in MYSQL:
            return Kind.ONLINE
        same_length_bytes = before is not None and after is not None and (
            (before * 4 > 255) == (after * 4 > 255))
        return Kind.ONLINE if same_length_bytes else Kind.REWRITE


def type_change(old: ColumnLayout, new: ColumnLayout, was: Property | None,
                prop: Property | None) -> TypeChange:
    """Return the change of a column from ``old`` to ``new``.

    ``was`` is the property that ``old`` was made for, if known.
    """
    known = was is not None and prop is not None
    return TypeChange(
        (_declared_family(was) if was and known else _family(old),
         _declared_family(prop) if prop and known else _family(new)),
        (old.type, new.type))


def _declared_family(prop: Property) -> str:
    if prop.references is not None:
        return 'id'
    if prop.format == 'date-time':
        return 'time'
    return _KINDS.get(prop.kind, prop.kind)


_KINDS = {'string': 'text', 'object': 'document', 'array': 'document'}


def _family(column: ColumnLayout) -> str:
    name = _base_name(column.type)
    return 'text' if name in _TEXTS else _FAMILIES.get(name, name)


_TEXTS = {'VARCHAR', 'CHAR', 'TEXT', 'MEDIUMTEXT', 'LONGTEXT'}
_FAMILIES: Mapping[str, str] = {
    'UUID': 'id', 'BIGINT': 'integer', 'INTEGER': 'integer',
    'DOUBLE': 'number', 'BOOLEAN': 'boolean', 'TINYINT': 'boolean',
    'TIMESTAMP': 'time', 'DATETIME': 'time'}


def _base_name(type_: str) -> str:
    return type_.split('(')[0].split(' ')[0]


def _length(type_: str) -> int | None:
    """Return the longest text of a type; None if it has no limit."""
    digits = type_.partition('(')[2].rstrip(')')
    return int(digits) if digits.isdigit() else None


def _longer(column: Column, type_: str) -> Condition:
    longest = _length(type_)
    return sa.false() if longest is None else (
        sa.func.char_length(sa.cast(column, sa.Text())) > longest)


def _inexact(column: Column, type_: str) -> Condition:
    """Integers that a double cannot represent."""
    return sa.func.abs(column) > 2 ** 53


def _fractional(column: Column, type_: str) -> Condition:
    return sa.or_(sa.func.abs(column) >= 2.0 ** 63,
                  sa.func.round(column) != column)


def _none(column: Column, type_: str) -> Condition:
    """A text that is no id refers to no record; the new reference's own check
    finds it."""
    return sa.false()


#: The values that do not fit, by families between which others fit.
_MISFITS: Mapping[tuple[str, str], Callable[[Column, str], Condition]] = {
    ('text', 'text'): _longer, ('id', 'text'): _longer,
    ('text', 'id'): _none, ('integer', 'number'): _inexact,
    ('number', 'integer'): _fractional}
