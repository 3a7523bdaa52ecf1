# SPDX-License-Identifier: Apache-2.0
"""One type's table as it is against the one it should be: columns.

An interrupted apply, a hand that changed a table and a new type file look
the same here: what is not as declared becomes a step. What the type was
before tells what a difference means. Keys are in ``keys``.
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
from service.storage.schema.steps import Kind, Phase, Step, Violations
from service.storage.schema.type_changes import TypeChange
from service.storage.tables.columns import MYSQL
from service.storage.tables.layouts import TableLayout


@dataclass(frozen=True)
class TablePair:
    """A table that is there, and the type it is for.

    ``now`` is the name it has before the steps; ``real`` and ``present``
    have the names of columns after them. ``renamed``: the old name of each
    column that gets a new one, ``type_changes`` what becomes of the types of
    those that stay. ``was`` is the type as last applied.
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
    """The columns that only have another name now, from new to old; also
    back to the old one, if one of the ``known`` types had renamed it."""
    found = {}
    for prop in declared.live:
        if prop.name in real.columns:
            continue
        for old in _names(declared, known, prop):
            if old in real.columns:
                found[prop.name] = old
    return found


def _names(declared: ResourceType, known: Iterable[ResourceType],
           prop: Property) -> Iterator[str]:
    if prop.renamed_from is not None:
        yield prop.renamed_from
    for one in known:
        was = changes.predecessor({each.name: each for each in one.live},
                                    declared, prop)
        if was is not None:
            yield was.name


def columns(pair: TablePair) -> Iterator[Step]:
    """What is to be done about the columns of a table."""
    for new, old in pair.renamed.items():
        yield Step(pair.place(new), f'was {old}', Kind.ONLINE,
                   Phase.RENAME_COLUMN,
                   ddl.rename_column(pair.table.name, old, new))
    for name in pair.wanted.columns:
        if name not in pair.real.columns:
            yield _added(pair, pair.table.c[name])
        else:
            yield from _default(pair, pair.table.c[name])
            yield from _type(pair, pair.table.c[name])
            yield from _nullable(pair, pair.table.c[name])
    for name in pair.real.columns:
        if name not in pair.wanted.columns:
            yield _dropped(pair, name)


# Added and dropped

def _added(pair: TablePair, column: sa.Column[Any]) -> Step:
    prop = pair.declared.properties.get(column.name)
    if column.name in COMMON_FIELDS or prop is None:
        return _lost(pair, column.name)
    value = prop.existing_value
    unfilled = value is MISSING and not prop.nullable
    return Step(
        pair.place(prop.name), 'is new', Kind.ONLINE, Phase.ADD_COLUMN,
        ddl.add_column(column, value), in_place=not unfilled,
        blocker='give it a default or a backfill: it is required, and records '
              'are there' if unfilled and pair.rows.count else None)


def _lost(pair: TablePair, name: str) -> Step:
    """A column that every type of its scope has."""
    if name == 'project_id':
        return Step(pair.declared.name, 'turns from scope cloud to scope '
                    'project', Kind.DESTRUCTIVE, Phase.ADD_COLUMN,
                    blocker=_SCOPE)
    return Step(pair.place(name), 'is not in the table', Kind.DESTRUCTIVE,
                Phase.ADD_COLUMN, blocker='restore the table from a backup')


_SCOPE = ('nobody can say whose the records are; declare a type of another '
          'name')


def _dropped(pair: TablePair, name: str) -> Step:
    if name == 'project_id':
        return Step(pair.declared.name, 'turns from scope project to scope '
                    'cloud', Kind.DESTRUCTIVE, Phase.DROP_COLUMN,
                    blocker=_SCOPE)
    prop = pair.declared.properties.get(name)
    known = pair.was is not None and name in pair.was.properties
    meant = prop is not None and prop.dropped
    return Step(
        pair.place(name),
        'is dropped, with its values' if known or meant else
        'is in the table, and no property declares it',
        Kind.DESTRUCTIVE, Phase.DROP_COLUMN,
        ddl.drop_column(pair.table.name, name), in_place=False,
        blocker=None if meant else f'declare it, or say "{name}: {{dropped: '
                                 f'true}}" if its values may go')


def _default(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    """What an apply that was killed has left of a column it added."""
    if pair.real.columns[column.name].default:
        yield Step(pair.place(column.name), 'is given no value by the table '
                   'any more', Kind.ONLINE, Phase.DEFAULT,
                   ddl.drop_default(column,
                                    pair.real.columns[column.name].nullable))


# Types

def column_type_changes(
        declared: ResourceType, was: ResourceType | None, real: TableLayout,
        wanted: TableLayout) -> dict[str, TypeChange]:
    """What becomes of the type of each column that stays."""
    before = {} if was is None else {one.name: one for one in was.live}
    found = {}
    for name in wanted.columns.keys() & real.columns.keys():
        prop = declared.properties.get(name)
        found[name] = type_changes.type_change(
            real.columns[name], wanted.columns[name],
            changes.predecessor(before, declared, prop) if prop else None,
            prop)
    return found


def _type(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    turn = pair.type_changes[column.name]
    if turn.nothing:
        yield from _compared(pair, column)
        return
    old, new = turn.types
    step = Step(
        pair.place(column.name), f'turns from {old} to {new}',
        turn.cost(pair.database), Phase.CHANGE_TYPE,
        ddl.change_type(column, pair.real.columns[column.name].nullable,
                        by_text=not turn.kept), in_place=False)
    if turn.kept:
        unfit = turn.misfits(pair.rows.future.c[column.name])
        yield replace(step, violations=Violations() if unfit is None
                      else pair.rows.violations_of(unfit))
    elif filled := pair.rows.count - pair.rows.nulls(column.name).rows:
        yield replace(
            step, change=f'turns from {turn.families[0]} to '
                       f'{turn.families[1]}',
            blocker=f'{filled} records have a value, which cannot be '
                  f'converted; declare a property of another name and drop '
                  f'this one')
    elif old != new:
        yield step


def _compared(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    """A name that two records may have is another's where case or blanks do
    not count. Ours tells most apart, so no record breaks a key by it."""
    was, now = (one.columns[column.name]
                for one in (pair.real, pair.wanted))
    if now.collation not in (None, was.collation):
        yield Step(pair.place(column.name), f'compares by {now.collation} '
                   f'instead of {was.collation}', Kind.REWRITE,
                   Phase.CHANGE_TYPE, ddl.change_type(
                       column, was.nullable, by_text=False))


# Null or not

def _nullable(pair: TablePair, column: sa.Column[Any]) -> Iterator[Step]:
    was, now = (one.columns[column.name].nullable
                for one in (pair.real, pair.wanted))
    if was == now:
        return
    place = pair.place(column.name)
    if now:
        yield Step(place, 'may be null', _EASED.get(pair.database,
                                                    Kind.ONLINE),
                   Phase.NULLS, ddl.nullable(column), in_place=False)
        return
    nulls = pair.rows.nulls(column.name)
    prop = pair.declared.properties.get(column.name)
    value = MISSING if prop is None else prop.existing_value
    if nulls.rows and value is not MISSING:
        yield Step(place, f'is given to {nulls.rows} records that have none',
                   Kind.BACKFILL, Phase.FILL, fill=Fill(column, value),
                   fill_rows=nulls.rows, in_place=False)
    unfilled = nulls.rows and value is MISSING
    yield Step(place, 'may not be null', Kind.REWRITE, Phase.NULLS,
               ddl.nullable(column), in_place=False,
               violations=nulls if unfilled else Violations(),
               blocker=f'{nulls}; give it a default or a backfill, or give '
                     f'them a value' if unfilled else None)


_EASED: Mapping[str, Kind] = dict.fromkeys(MYSQL, Kind.REWRITE)
