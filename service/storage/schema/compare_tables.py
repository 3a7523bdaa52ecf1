# SPDX-License-Identifier: Apache-2.0
"""Compare all existing tables of types with all declared types.

This module decides which table belongs to which type, and which tables are
created, renamed or dropped. ``column_changes`` and ``key_changes`` compare
the content of one table.
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
    counted,
    no_work,
)
from service.storage.tables import columns, layouts
from service.storage.tables import declared as declared_tables


class TableComparison:
    """The existing tables and the wanted types.

    ``before`` is the applied catalogue, None if there is none; ``unfinished``
    is the catalogue of an interrupted apply.
    """

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
        """Return the steps, type by type."""
        steps = [*self._leftovers(), *self._renamed(), *self._new(),
                 *(step for pair in self._pairs.values()
                   for step in self._within(pair))]
        steps = [*key_changes.extension(self._connection, steps), *steps]
        return [*steps, *self._catalogue_only(steps)]

    # Which table belongs to which type

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The type that each table was made for, as last applied."""
        return {declared_tables.table_name(declared): declared.name
                for declared in self._before.live}

    @cached_property
    def _existing(self) -> dict[str, str]:
        """The present table of each type that has one."""
        return {declared.name: name for declared in self._wanted.live
                if (name := self._present_name(declared)) is not None}

    def _present_name(self, declared: ResourceType) -> str | None:
        wanted = declared_tables.table_name(declared)
        was = self._before.types.get(declared.name)
        if wanted in self._real and self._is_free(wanted, declared.name):
            return wanted
        if was is None or was.dropped:
            return None
        old = declared_tables.table_name(was)
        return old if old in self._real else None

    def _is_free(self, name: str, type_: str) -> bool:
        """Whether the table belongs to this type, or to a type that already
        has another table."""
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
                for name, now in self._existing.items()}

    def _pair(self, declared: ResourceType, now: str) -> TablePair:
        table = self._tables.of(declared)
        dialect = self._connection.dialect
        known = [catalogue.types[declared.name]
                 for catalogue in (self._before, self._unfinished)
                 if declared.name in catalogue.types]
        renamed = column_changes.renames(declared, known, self._real[now])
        real = self._real[now].renamed(
            {old: new for new, old in renamed.items()},
            {now: declared_tables.table_name(self._wanted.types[name])
             for name, now in self._existing.items()})
        wanted = layouts.declared_layout(table, dialect)
        if dialect.name == ddl.SQLITE:
            real, wanted = real.unnamed(), wanted.unnamed()
        was = self._before.types.get(declared.name)
        was = None if was is None or was.dropped else was
        type_changes = column_changes.column_type_changes(
            declared, was, real, wanted)
        rows = ExistingRows(self._connection, now, real, declared, table,
                            renamed, type_changes)
        return TablePair(declared, was, table, now, real, wanted, renamed,
                         type_changes, rows, dialect)

    # Tables that are dropped, renamed and created

    def _leftovers(self) -> Iterator[Step]:
        """Yield a step for each table that belongs to no live type."""
        dropped = {declared_tables.table_name(declared): declared.name
                   for declared in self._wanted.types.values()
                   if declared.dropped}
        for name in self._real:
            if name in self._existing.values():
                continue
            type_ = self._owners.get(name, dropped.get(name))
            declared = self._wanted.types.get(type_ or '')
            yield self._leftover(name, type_, declared is not None
                                 and declared.dropped)

    def _leftover(self, name: str, type_: str | None,
                  intended: bool) -> Step:
        records = counted(self._connection.scalar(
            sa.select(sa.func.count()).select_from(sa.table(name))) or 0,
            'record')
        plural = name.removeprefix(declared_tables.PREFIX)
        tombstone = (f'{{name: {type_ or "its_name"}, plural: {plural}, '
                     f'dropped: true}}')
        return Step(
            type_ or name, f'drop the table and its {records}' if type_ else
            f'drop the table and its {records}: no type declares it',
            Kind.DESTRUCTIVE, Phase.DROP_TABLE,
            ddl.several(*self._delete_related(type_), ddl.drop_table(name)),
            blocker=None if intended else f'declare the type, or declare '
                                          f'"{tombstone}" to delete its '
                                          f'records')

    def _delete_related(self, type_: str | None) -> list[Work]:
        """Delete the rows of a dropped type from core tables. Its revisions
        stay."""
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
                pair.place('plural'), f'rename the table from {pair.now} to '
                f'{pair.table.name}', Kind.ONLINE, Phase.RENAME_TABLE,
                ddl.rename_table(pair.now, pair.table.name),
                blocker=f'the table still belongs to the type '
                        f'{self._owners[pair.table.name]}; apply the new '
                        f'plural of that type first'
                if taken and not self._is_dropped(pair.table.name) else None)

    def _is_dropped(self, name: str) -> bool:
        owner = self._wanted.types.get(self._owners.get(name, ''))
        return owner is not None and owner.dropped

    def _new(self) -> Iterator[Step]:
        for declared in self._wanted.live:
            if declared.name in self._existing:
                continue
            table = self._tables.of(declared)
            yield Step(declared.name, 'create the table', Kind.ONLINE,
                       Phase.CREATE_TABLE, ddl.create(table))
            if self._connection.dialect.name != ddl.SQLITE:
                yield from key_changes.new_foreign_keys(
                    table, declared.name, self._wanted)
            yield from key_changes.new_exclusives(declared, table,
                                                  self._connection)

    # Within a table

    def _within(self, pair: TablePair) -> list[Step]:
        existing = {declared_tables.table_name(self._wanted.types[name]): now
                    for name, now in self._existing.items()}
        steps = [*column_changes.columns(pair), *key_changes.uniques(pair),
                 *key_changes.indexes(pair),
                 *key_changes.foreign_keys(pair, self._wanted, existing),
                 *key_changes.exclusives(pair, self._connection),
                 *key_changes.unchanged(pair)]
        if pair.database == ddl.SQLITE:
            return _on_sqlite(pair, steps)
        return steps

    # Changes of the catalogue that change no table

    def _catalogue_only(self, steps: list[Step]) -> Iterator[Step]:
        places = {step.name for step in steps}
        for change in changes.compare(self._before, self._wanted):
            if change.affects_table and change.place in places:
                continue
            yield Step(change.place, change.message, Kind.NONE,
                       Phase.CATALOGUE_ONLY,
                       violations=self._violations(change),
                       violations_allowed=not change.affects_table)

    def _violations(self, change: Change) -> Violations:
        """Return the records whose values violate a narrower rule."""
        pair = self._pairs.get(change.type)
        if (change.check is None or pair is None
                or change.column not in pair.real.columns):
            return Violations()
        prop = pair.declared.properties[change.column]
        known = {} if pair.was is None else {
            each.name: each for each in pair.was.live}
        was = changes.predecessor(known, pair.declared, prop) or prop

        def report(line: str) -> None:
            self._progress(f'{change.place}: {line}')
        return pair.rows.violations_of_check(
            change.column, columns.of(was),
            changes.validator(change.check), report)


def _on_sqlite(pair: TablePair, steps: list[Step]) -> list[Step]:
    """Return the steps as SQLite can execute them.

    If one of them requires it, the table is rebuilt once for all of them.
    """
    if all(step.in_place for step in steps):
        added = {step.name for step in steps
                 if step.phase is Phase.ADD_COLUMN}
        return [replace(step, work=no_work)
                if step.phase is Phase.LINK and step.name in added else step
                for step in steps]
    described = [replace(step, work=no_work, fill=None) for step in steps]
    return [*described, Step(
        pair.declared.name, 'rebuild the table for these changes',
        Kind.REWRITE, Phase.REBUILD, ddl.rebuild(
            pair.table, pair.rows.values(pair.table.name)))]
