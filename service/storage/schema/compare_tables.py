# SPDX-License-Identifier: Apache-2.0
"""All tables of types that there are, and all that there should be.

Which table is whose, which is new, gets another name or goes; what is within
one table is in ``differences`` and ``keys``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.evolution import changes
from service.domain.evolution.changes import Change
from service.storage.schema import column_changes, ddl, key_changes
from service.storage.schema.backfill import Progress
from service.storage.schema.column_changes import TablePair
from service.storage.schema.existing_rows import ExistingRows
from service.storage.schema.steps import (
    Kind,
    Phase,
    Step,
    Violations,
    Work,
    no_work,
)
from service.storage.tables import columns, layouts
from service.storage.tables import declared as declared_tables


class TableComparison:
    """``before`` is what was applied last, None where nothing ever was;
    ``unfinished`` what an apply was for that did not come to its end."""

    def __init__(self, connection: Connection, before: Catalogue | None,
                 wanted: Catalogue, progress: Progress,
                 unfinished: Catalogue | None) -> None:
        self._connection = connection
        self._before = before or Catalogue({})
        self._unfinished = unfinished or Catalogue({})
        self._wanted = wanted
        self._progress = progress
        self._tables = declared_tables.build(wanted)
        self._real = layouts.existing_layouts(connection)

    def steps(self) -> list[Step]:
        """What is to be done, type by type."""
        found = [*self._leftovers(), *self._renamed(), *self._new(),
                 *(step for pair in self._pairs.values()
                   for step in self._within(pair))]
        found = [*key_changes.extension(self._connection, found), *found]
        return [*found, *self._said(found)]

    # Which table is whose

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The type that each table was made for, as last applied."""
        return {declared_tables.table_name(one): one.name
                for one in self._before.live}

    @cached_property
    def _standing(self) -> dict[str, str]:
        """The present table of each type that has one."""
        return {one.name: name for one in self._wanted.live
                if (name := self._now(one)) is not None}

    def _now(self, declared: ResourceType) -> str | None:
        wanted = declared_tables.table_name(declared)
        was = self._before.types.get(declared.name)
        if wanted in self._real and self._free(wanted, declared.name):
            return wanted
        if was is None or was.dropped:
            return None
        old = declared_tables.table_name(was)
        return old if old in self._real else None

    def _free(self, name: str, type_: str) -> bool:
        """The table is this type's, or its owner has another by now."""
        owner = self._owners.get(name, type_)
        moved = self._wanted.types.get(owner)
        if owner == type_ or moved is None or moved.dropped:
            return owner == type_
        other = declared_tables.table_name(moved)
        return other != name and other in self._real and (
            self._owners.get(other, owner) == owner)

    @cached_property
    def _pairs(self) -> dict[str, TablePair]:
        return {name: self._pair(self._wanted.types[name], now)
                for name, now in self._standing.items()}

    def _pair(self, declared: ResourceType, now: str) -> TablePair:
        table = self._tables.of(declared)
        dialect = self._connection.dialect
        known = [one.types[declared.name]
                 for one in (self._before, self._unfinished)
                 if declared.name in one.types]
        renamed = column_changes.renames(declared, known, self._real[now])
        real = self._real[now].renamed(
            {old: new for new, old in renamed.items()},
            {now: declared_tables.table_name(self._wanted.types[name])
             for name, now in self._standing.items()})
        wanted = layouts.declared_layout(table, dialect)
        if dialect.name == ddl.SQLITE:
            real, wanted = real.unnamed(), wanted.unnamed()
        was = self._before.types.get(declared.name)
        was = None if was is None or was.dropped else was
        type_changes = column_changes.column_type_changes(
            declared, was, real, wanted)
        return TablePair(
            declared, was, table, now, real, wanted, renamed, type_changes,
            ExistingRows(self._connection, now, real, declared, table, renamed,
                    type_changes), dialect)

    # Tables that go, move and come

    def _leftovers(self) -> Iterator[Step]:
        """Tables that are no live type's."""
        tombs = {declared_tables.table_name(one): one.name for one in
                 self._wanted.types.values() if one.dropped}
        for name in self._real:
            if name in self._standing.values():
                continue
            type_ = self._owners.get(name, tombs.get(name))
            meant = self._wanted.types.get(type_ or '')
            yield self._leftover(name, type_,
                                 meant is not None and meant.dropped)

    def _leftover(self, name: str, type_: str | None, meant: bool) -> Step:
        count = self._connection.scalar(
            sa.select(sa.func.count()).select_from(sa.table(name)))
        plural = name.removeprefix(declared_tables.PREFIX)
        tomb = (f'{{name: {type_ or "its_name"}, plural: {plural}, dropped: '
                f'true}}')
        return Step(
            type_ or name, f'is dropped, with its {count} records' if type_
            else f'is a table with {count} records, and no type declares it',
            Kind.DESTRUCTIVE, Phase.DROP_TABLE,
            ddl.several(*self._forget(type_), ddl.drop_table(name)),
            blocker=None if meant else f'declare it, or let a file say '
                                       f'"{tomb}" if its records may go')

    def _forget(self, type_: str | None) -> list[Work]:
        """What stands beside the records of a type that goes; what was done
        to them stays told."""
        core = self._tables.core
        return [ddl.delete(table, table.c.type == type_)
                for table in (core.tags, core.usage, core.quotas)
                ] if type_ else []

    def _renamed(self) -> Iterator[Step]:
        for pair in self._pairs.values():
            if pair.now == pair.table.name:
                continue
            taken = pair.table.name in self._real
            yield Step(
                pair.place('plural'), f'was '
                f'{pair.now.removeprefix(declared_tables.PREFIX)}',
                Kind.ONLINE, Phase.RENAME_TABLE, ddl.rename_table(
                    pair.now, pair.table.name),
                blocker=f'the type {self._owners[pair.table.name]} has this '
                      f'plural still; apply its new one first'
                if taken and not self._goes(pair.table.name) else None)

    def _goes(self, name: str) -> bool:
        owner = self._wanted.types.get(self._owners.get(name, ''))
        return owner is not None and owner.dropped

    def _new(self) -> Iterator[Step]:
        for declared in self._wanted.live:
            if declared.name in self._standing:
                continue
            table = self._tables.of(declared)
            yield Step(declared.name, 'is new', Kind.ONLINE,
                       Phase.CREATE_TABLE, ddl.create(table))
            if self._connection.dialect.name != ddl.SQLITE:
                yield from key_changes.new_links(table, declared.name,
                                                 self._wanted)
            yield from key_changes.new_exclusives(declared, table,
                                                  self._connection)

    # Within a table

    def _within(self, pair: TablePair) -> list[Step]:
        there = {declared_tables.table_name(self._wanted.types[name]): now
                 for name, now in self._standing.items()}
        found = [*column_changes.columns(pair), *key_changes.uniques(pair),
                 *key_changes.indexes(pair),
                 *key_changes.links(pair, self._wanted, there),
                 *key_changes.exclusives(pair, self._connection),
                 *key_changes.upset(pair)]
        if pair.database == ddl.SQLITE:
            return _on_sqlite(pair, found)
        return found

    # What is said otherwise, and no table is changed for

    def _said(self, found: list[Step]) -> Iterator[Step]:
        places = {one.name for one in found}
        for change in changes.compare(self._before, self._wanted):
            if change.affects_table and change.place in places:
                continue
            yield Step(change.place, change.message, Kind.NONE, Phase.SAY,
                       violations=self._misfits(change),
                       violations_allowed=not change.affects_table)

    def _misfits(self, change: Change) -> Violations:
        """The records whose value a word does not take any more."""
        pair = self._pairs.get(change.type)
        if (change.check is None or pair is None
                or change.column not in pair.real.columns):
            return Violations()
        prop = pair.declared.properties[change.column]
        known = {} if pair.was is None else {
            one.name: one for one in pair.was.live}
        was = changes.predecessor(known, pair.declared, prop) or prop

        def told(line: str) -> None:
            self._progress(f'{change.place}: {line}')
        return pair.rows.violations_of_check(
            change.column, columns.of(was),
            changes.validator(change.check), told)


def _on_sqlite(pair: TablePair, found: list[Step]) -> list[Step]:
    """The steps as SQLite can take them: where one of them needs it, all are
    taken by writing the table anew."""
    if all(one.in_place for one in found):
        added = {one.name for one in found if one.phase is Phase.ADD_COLUMN}
        return [replace(one, work=no_work)
                if one.phase is Phase.LINK and one.name in added else one
                for one in found]
    told = [replace(one, work=no_work, fill=None) for one in found]
    return [*told, Step(
        pair.declared.name, 'the table is written anew for this',
        Kind.REWRITE, Phase.REBUILD, ddl.rebuild(
            pair.table, pair.rows.values(pair.table.name)))]
