# SPDX-License-Identifier: Apache-2.0
"""Compare the columns of one table with the declared type.

An interrupted apply, an operator's change and a new type file are treated
alike: what differs from the declaration becomes a step. The type as last
applied tells what a difference means. ``key_changes`` compares keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from service.domain.catalogue.types import (
    COMMON_FIELDS,
    MISSING,
    Property,
    ResourceType,
)
from service.domain.evolution import changes
from service.storage.schema import ddl, type_changes
from service.storage.schema.backfill import Fill
from service.storage.schema.existing_rows import ExistingRows
from service.storage.schema.steps import (
    Kind,
    Phase,
    Step,
    Violations,
    counted,
)
from service.storage.schema.type_changes import TypeChange
from service.storage.tables.columns import MYSQL
from service.storage.tables.layouts import TableLayout


@dataclass(frozen=True)
class TablePair:
    """An existing table and the type that it belongs to.

    ``now`` is the table's name before the steps. ``real`` and ``rows`` have
    the columns' names after the steps; ``renamed`` maps each new name to the
    old one. ``type_changes`` has the type change of each column that stays.
    ``was`` is the type as last applied.
    """

    declared: ResourceType
    was: ResourceType | None
    table: sa.Table
    now: str
    real: TableLayout
    wanted: TableLayout
    renamed: Mapping[str, str]
    type_changes: Mapping[str, TypeChange]
    rows: ExistingRows
    dialect: sa.Dialect

    @property
    def database(self) -> str:
        return self.dialect.name

    def place(self, word: str) -> str:
        return f'{self.declared.name}.{word}'


def renames(declared: ResourceType, known: Iterable[ResourceType],
            real: TableLayout) -> dict[str, str]:
    """Return the renamed columns, from new to old name.

    A rename in one of the ``known`` types may also be reversed.
    """
    renamed = {}
    for prop in declared.live:
        if prop.name in real.columns:
            continue
        for old in _old_names(declared, known, prop):
            if old in real.columns:
                renamed[prop.name] = old
    return renamed


def _old_names(declared: ResourceType, known: Iterable[ResourceType],
               prop: Property) -> Iterator[str]:
    if prop.renamed_from is not None:
        yield prop.renamed_from
    for known_type in known:
        was = changes.predecessor(
            {each.name: each for each in known_type.live}, declared, prop)
        if was is not None:
            yield was.name


def columns(pair: TablePair) -> Iterator[Step]:
    """Yield the steps for the columns of a table."""
    for new, old in pair.renamed.items():
        yield Step(pair.place(new), f'rename the column from {old}',
                   Kind.ONLINE, Phase.RENAME_COLUMN,
                   ddl.rename_column(pair.table.name, old, new))
    for name in pair.wanted.columns:
        if name not in pair.real.columns:
            yield _add(pair, pair.table.c[name])
        else:
            yield from _default(pair, pair.table.c[name])
            yield from _type(pair, pair.table.c[name])
            yield from _nullable(pair, pair.table.c[name])
    for name in pair.real.columns:
        if name not in pair.wanted.columns:
            yield _drop(pair, name)


# Added and dropped columns

def _add(pair: TablePair, column: sa.Column[Any]) -> Step:
    prop = pair.declared.properties.get(column.name)
    if column.name in COMMON_FIELDS or prop is None:
        return _missing(pair, column.name)
    value = prop.existing_value
    unfilled = value is MISSING and not prop.nullable
    return Step(
        pair.place(prop.name), 'add the column', Kind.ONLINE,
        Phase.ADD_COLUMN, ddl.add_column(column, value),
        in_place=not unfilled,
        blocker='the property is required and there are records; declare a '
                'default or a backfill'
                if unfilled and pair.rows.count else None)


def _missing(pair: TablePair, name: str) -> Step:
    """A column that every type of its scope has."""
    if name == 'project_id':
        return Step(pair.declared.name, 'change the scope from cloud to '
                    'project', Kind.DESTRUCTIVE, Phase.ADD_COLUMN,
                    blocker=_SCOPE)
    return Step(pair.place(name), 'the column is missing from the table',
                Kind.DESTRUCTIVE, Phase.ADD_COLUMN,
                blocker='restore the table from a backup')


_SCOPE = ('the scope of a type cannot change; declare a type with another '
          'name')


def _drop(pair: TablePair, name: str) -> Step:
    if name == 'project_id':
        return Step(pair.declared.name, 'change the scope from project to '
                    'cloud', Kind.DESTRUCTIVE, Phase.DROP_COLUMN,
                    blocker=_SCOPE)
    prop = pair.declared.properties.get(name)
    known = pair.was is not None and name in pair.was.properties
    intended = prop is not None and prop.dropped
    return Step(
        pair.place(name),
        'drop the column and its values' if known or intended else
        'drop the column and its values: no property declares it',
        Kind.DESTRUCTIVE, Phase.DROP_COLUMN,
        ddl.drop_column(pair.table.name, name), in_place=False,
        blocker=None if intended else
        f'declare the property, or declare "{name}: {{dropped: true}}" to '
        f'delete its values')


def _default(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    """Drop a column default that a killed apply left behind."""
    real = pair.real.columns[column.name]
    if real.default:
        yield Step(pair.place(column.name), 'drop the column default',
                   Kind.ONLINE, Phase.DEFAULT,
                   ddl.drop_default(column, real.nullable))


# Types

def column_type_changes(
        declared: ResourceType, was: ResourceType | None, real: TableLayout,
        wanted: TableLayout) -> dict[str, TypeChange]:
    """Return the type change of each column that stays."""
    before = {} if was is None else {prop.name: prop for prop in was.live}
    type_change_of = {}
    for name in wanted.columns.keys() & real.columns.keys():
        prop = declared.properties.get(name)
        type_change_of[name] = type_changes.type_change(
            real.columns[name], wanted.columns[name],
            changes.predecessor(before, declared, prop) if prop else None,
            prop)
    return type_change_of


def _type(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    change = pair.type_changes[column.name]
    if change.is_empty:
        yield from _collation(pair, column)
        return
    old, new = change.types
    step = Step(
        pair.place(column.name), f'change the type from {old} to {new}',
        change.cost(pair.database), Phase.CHANGE_TYPE,
        ddl.change_type(column, pair.real.columns[column.name].nullable,
                        by_text=not change.preserves_values), in_place=False)
    if change.preserves_values:
        misfits = change.misfits(pair.rows.future.c[column.name])
        yield replace(step, violations=Violations() if misfits is None
                      else pair.rows.violations_of(misfits))
    elif filled := pair.rows.count - pair.rows.nulls(column.name).rows:
        yield replace(
            step, change=f'change the type from {change.families[0]} to '
                         f'{change.families[1]}',
            blocker=f'{counted(filled, "value")} cannot be converted; declare '
                    f'a property with another name and drop this one')
    elif old != new:
        yield step


def _collation(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    """Restore the collation of a text column.

    A collation that ignores case or trailing blanks would take two names for
    one. The declared collation distinguishes the most texts, so no record
    violates a key by the change.
    """
    was, now = (layout.columns[column.name]
                for layout in (pair.real, pair.wanted))
    if now.collation not in (None, was.collation):
        yield Step(pair.place(column.name), f'change the collation from '
                   f'{was.collation} to {now.collation}', Kind.REWRITE,
                   Phase.CHANGE_TYPE, ddl.change_type(
                       column, was.nullable, by_text=False))


# Nulls

def _nullable(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    was, now = (layout.columns[column.name].nullable
                for layout in (pair.real, pair.wanted))
    if was == now:
        return
    place = pair.place(column.name)
    if now:
        yield Step(place, 'allow null', _ALLOW_NULL.get(pair.database,
                                                        Kind.ONLINE),
                   Phase.NULLS, ddl.nullable(column), in_place=False)
        return
    nulls = pair.rows.nulls(column.name)
    prop = pair.declared.properties.get(column.name)
    value = MISSING if prop is None else prop.existing_value
    if nulls.rows and value is not MISSING:
        yield Step(place, f'fill {counted(nulls.rows, "record")} without a '
                   f'value', Kind.BACKFILL, Phase.FILL,
                   fill=Fill(column, value), fill_rows=nulls.rows,
                   in_place=False)
    unfilled = nulls.rows and value is MISSING
    yield Step(place, 'forbid null', Kind.REWRITE, Phase.NULLS,
               ddl.nullable(column), in_place=False,
               violations=nulls if unfilled else Violations(),
               blocker=f'{nulls}; give them a value, or declare a default or '
                       f'a backfill' if unfilled else None)


_ALLOW_NULL: Mapping[str, Kind] = dict.fromkeys(MYSQL, Kind.REWRITE)
