# SPDX-License-Identifier: Apache-2.0
"""The rows of a table that is to change, seen as they will be.

A new rule is tried on them before anything is done: by the names columns
shall have, with the values that new or empty columns will be given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import MISSING, ResourceType
from service.storage.schema.backfill import Progress
from service.storage.schema.steps import SAMPLES, Violations
from service.storage.schema.type_changes import TypeChange
from service.storage.tables import columns
from service.storage.tables import declared as declared_tables
from service.storage.tables.layouts import TableLayout

#: How many values are fetched and looked at together.
PAGE_ROWS = 1000


class ExistingRows:
    """One type's table as it stands.

    ``name`` is its name now, ``renamed`` the present name of each column
    that gets another; ``real`` has the names that columns shall have.
    """

    def __init__(self, connection: Connection, name: str, real: TableLayout,
                 declared: ResourceType, table: sa.Table,
                 renamed: Mapping[str, str],
                 type_changes: Mapping[str, TypeChange]) -> None:
        self._connection = connection
        self._name = name
        self._real = real
        self._declared = declared
        self._table = table
        self._renamed = renamed
        self._type_changes = type_changes

    @cached_property
    def count(self) -> int:
        return self._scalar(sa.select(sa.func.count()).select_from(
            sa.table(self._name)))

    @cached_property
    def future(self) -> sa.Subquery:
        """Every row as it will be."""
        return sa.select(*(
            one.label(name) for name, one in self.values(self._name).items()
        )).subquery('future')

    def values(self, name: str) -> dict[str, sa.ColumnElement[Any]]:
        """What each column is to be made of, where the table has this name.
        """
        source = sa.table(name, *(sa.column(self._renamed.get(
            column, column), self._type(column))
            for column in self._real.columns))
        return {column.name: self._value(source, column)
                for column in self._table.columns}

    def _type(self, column: str) -> Any:
        known = self._table.columns.get(column)
        return None if known is None else known.type

    def _value(self, source: sa.TableClause,
               column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        prop = self._declared.properties.get(column.name)
        value = MISSING if prop is None else prop.existing_value
        filling = sa.literal(None if value is MISSING else value,
                             column.type)
        turn = self._type_changes.get(column.name)
        if turn is None or not turn.kept:
            return filling
        found = source.c[self._renamed.get(column.name, column.name)]
        if column.name not in self.filled:
            return found
        if turn.spelt:
            found, filling = self._text(found), self._text(filling)
        return sa.func.coalesce(found, filling)

    @cached_property
    def filled(self) -> frozenset[str]:
        """The columns there are whose nulls will be given a value."""
        return frozenset(
            name for name, one in self._real.columns.items()
            if one.nullable and name in self._type_changes
            and not self._table.c[name].nullable
            and name in self._declared.properties
            and self._declared.properties[name].existing_value is not MISSING)

    # What breaks a rule

    def violations_of(self, condition: sa.ColumnElement[bool]) -> Violations:
        return self.among(sa.select(self.future.c.id).where(condition))

    def among(self, ids: sa.Select[Any]) -> Violations:
        """The rows that a selection of ids finds."""
        count = self._scalar(sa.select(sa.func.count()).select_from(
            ids.order_by(None).subquery()))
        if not count:
            return Violations()
        some = ids.order_by(None).subquery('some')
        samples = self._connection.scalars(
            sa.select(some.c.id).order_by(some.c.id).limit(SAMPLES))
        return Violations(count, tuple(map(str, samples)))

    def nulls(self, column: str) -> Violations:
        """The rows that have nothing in a column there is."""
        now = sa.table(self._name, sa.column('id'), sa.column(
            self._renamed.get(column, column)))
        return self.among(sa.select(now.c.id).where(
            list(now.c)[1].is_(None)))

    def duplicates(self, names: tuple[str, ...]) -> Violations:
        """The rows that share the values of all these columns."""
        rows = self.future
        keys = [rows.c[one] for one in (*declared_tables.owner(self._declared),
                                        *names)]
        shared = sa.select(*keys).where(*(
            one.is_not(None) for one in keys)).group_by(*keys).having(
            sa.func.count() > 1).subquery('shared')
        return self.among(sa.select(rows.c.id).join(shared, sa.and_(*(
            one == shared.c[one.name] for one in keys))))

    def orphans(self, column: str, target: str, *, owned: bool) -> Violations:
        """The rows that point at what is not there, or not theirs (D14)."""
        rows = self.future
        other = sa.table(target, sa.column('id'), sa.column('project_id'))
        there = sa.select(other.c.id).where(
            self._text(other.c.id) == self._text(rows.c[column]))
        if owned:
            there = there.where(other.c.project_id == rows.c.project_id)
        return self.violations_of(sa.and_(
            rows.c[column].is_not(None), ~there.correlate(rows).exists()))

    def _text(self, column: sa.ColumnElement[Any]) -> Any:
        """PostgreSQL compares no id to a text."""
        postgresql = self._connection.dialect.name == 'postgresql'
        return sa.cast(column, sa.Text()) if postgresql else column

    def violations_of_check(self, column: str, type_: Any,
                            meets: Callable[[Any], bool],
                            progress: Progress) -> Violations:
        """The rows whose value in a column there is does not meet a rule
        that only Python knows."""
        found: list[str] = []
        count = seen = 0
        for page in self._pages(column, type_):
            bad = [id for id, value in page if not meets(value)]
            count += len(bad)
            found += bad[:SAMPLES - len(found)]
            seen += len(page)
            progress(f'{seen} of {self.count} records')
        return Violations(count, tuple(found))

    def _pages(self, column: str,
               type_: Any) -> Iterator[list[tuple[str, Any]]]:
        now = sa.table(self._name, sa.column('id', columns.ID), sa.column(
            self._renamed.get(column, column), type_))
        value = list(now.c)[1]
        after = sa.true()
        while True:
            page = [(id, one) for id, one in self._connection.execute(
                sa.select(now.c.id, value).where(after, value.is_not(None))
                .order_by(now.c.id).limit(PAGE_ROWS))]
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            after = now.c.id > page[-1][0]

    def _scalar(self, statement: sa.Select[Any]) -> int:
        return self._connection.scalar(statement) or 0
