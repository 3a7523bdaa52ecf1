# SPDX-License-Identifier: Apache-2.0
"""The rows of a table as they will be after the planned steps.

A new rule is checked on them before anything is changed: under the new names
of columns, and with the values that new or empty columns will get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import MISSING, ResourceType
from service.storage.schema.backfill import Progress
from service.storage.schema.steps import MAX_SAMPLES, Violations
from service.storage.schema.type_changes import TypeChange
from service.storage.tables import columns
from service.storage.tables import declared as declared_tables
from service.storage.tables.layouts import TableLayout

#: How many values are fetched and checked at a time.
PAGE_ROWS = 1000


class ExistingRows:
    """The rows of one type's existing table.

    ``name`` is the table's present name. ``real`` has the new names of
    columns; ``renamed`` maps a new name to the present one.
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
        """All rows as they will be."""
        return sa.select(*(
            value.label(name)
            for name, value in self.values(self._name).items()
        )).subquery('future')

    def values(self, name: str) -> dict[str, sa.ColumnElement[Any]]:
        """Return the future value of each column, from a table that has this
        name by then."""
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
        before = MISSING if prop is None else prop.existing_value
        filling = sa.literal(None if before is MISSING else before,
                             column.type)
        change = self._type_changes.get(column.name)
        if change is None or not change.preserves_values:
            return filling
        present = source.c[self._renamed.get(column.name, column.name)]
        if column.name not in self.filled:
            return present
        if change.compares_as_text:
            present, filling = self._text(present), self._text(filling)
        return sa.func.coalesce(present, filling)

    @cached_property
    def filled(self) -> frozenset[str]:
        """The existing columns whose nulls will get a value."""
        return frozenset(
            name for name, column in self._real.columns.items()
            if column.nullable and name in self._type_changes
            and not self._table.c[name].nullable
            and name in self._declared.properties
            and self._declared.properties[name].existing_value is not MISSING)

    # Violations of a rule

    def violations_of(self, condition: sa.ColumnElement[bool]) -> Violations:
        """Return the rows that meet the condition of a violation."""
        return self.among(sa.select(self.future.c.id).where(condition))

    def among(self, ids: sa.Select[Any]) -> Violations:
        """Return the rows that a SELECT of ids finds."""
        count = self._scalar(sa.select(sa.func.count()).select_from(
            ids.order_by(None).subquery()))
        if not count:
            return Violations()
        some = ids.order_by(None).subquery('some')
        samples = self._connection.scalars(
            sa.select(some.c.id).order_by(some.c.id).limit(MAX_SAMPLES))
        return Violations(count, tuple(map(str, samples)))

    def nulls(self, column: str) -> Violations:
        """Return the rows with a null in an existing column."""
        now = sa.table(self._name, sa.column('id'), sa.column(
            self._renamed.get(column, column)))
        return self.among(sa.select(now.c.id).where(
            list(now.c)[1].is_(None)))

    def duplicates(self, names: tuple[str, ...]) -> Violations:
        """Return the rows that share their values of all these columns."""
        rows = self.future
        keys = [rows.c[name] for name in (
            *declared_tables.owner(self._declared), *names)]
        shared = sa.select(*keys).where(*(
            key.is_not(None) for key in keys)).group_by(*keys).having(
            sa.func.count() > 1).subquery('shared')
        return self.among(sa.select(rows.c.id).join(shared, sa.and_(*(
            key == shared.c[key.name] for key in keys))))

    def orphans(self, column: str, target: str, *,
                owned: bool) -> Violations:
        """Return the rows that refer to no record, or to a record of another
        project (D14)."""
        rows = self.future
        other = sa.table(target, sa.column('id'), sa.column('project_id'))
        referred = sa.select(other.c.id).where(
            self._text(other.c.id) == self._text(rows.c[column]))
        if owned:
            referred = referred.where(
                other.c.project_id == rows.c.project_id)
        return self.violations_of(sa.and_(
            rows.c[column].is_not(None), ~referred.correlate(rows).exists()))

    def _text(self, column: sa.ColumnElement[Any]) -> Any:
        """PostgreSQL does not compare uuid with text."""
        postgresql = self._connection.dialect.name == 'postgresql'
        return sa.cast(column, sa.Text()) if postgresql else column

    def violations_of_check(self, column: str, type_: Any,
                            check: Callable[[Any], bool],
                            progress: Progress) -> Violations:
        """Return the rows whose value in an existing column fails a check
        that SQL cannot express."""
        samples: list[str] = []
        count = checked = 0
        for page in self._pages(column, type_):
            failed = [id for id, value in page if not check(value)]
            count += len(failed)
            samples += failed[:MAX_SAMPLES - len(samples)]
            checked += len(page)
            progress(f'{checked} of {self.count} records')
        return Violations(count, tuple(samples))

    def _pages(self, column: str,
               type_: Any) -> Iterator[list[tuple[str, Any]]]:
        now = sa.table(self._name, sa.column('id', columns.ID), sa.column(
            self._renamed.get(column, column), type_))
        value = list(now.c)[1]
        after = sa.true()
        while True:
            page = [(row[0], row[1]) for row in self._connection.execute(
                sa.select(now.c.id, value).where(after, value.is_not(None))
                .order_by(now.c.id).limit(PAGE_ROWS))]
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            after = now.c.id > page[-1][0]

    def _scalar(self, statement: sa.Select[Any]) -> int:
        return self._connection.scalar(statement) or 0
