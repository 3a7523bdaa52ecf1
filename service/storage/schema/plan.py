# SPDX-License-Identifier: Apache-2.0
"""The plan: the steps from the existing tables to the declared types.

The steps come from comparing tables, whatever made them differ: a new type
file, an interrupted apply, or an operator's change. The applied types tell
what a difference means, and what changed without a difference.
``column_changes`` and ``key_changes`` compare one table; ``apply`` executes
the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.domain.catalogue.types import Catalogue
from service.storage import migrations
from service.storage.database.engine import FAILURES, unusable_error
from service.storage.schema import applied_types, steps
from service.storage.schema.backfill import Progress
from service.storage.schema.compare_tables import TableComparison
from service.storage.schema.steps import Kind, Phase, Step
from service.storage.tables import exclusion


@dataclass(frozen=True)
class Plan:
    """The steps that make the tables match the types, in order."""

    steps: tuple[Step, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """The corrections that the operator must make before an apply."""
        return tuple(f'{step.name}: {step.change}: {step.refusal}'
                     for step in self.steps if step.refusal)

    @property
    def violations(self) -> tuple[str, ...]:
        """Records that violate a new rule of values.

        An operator can let them stay until they are next written.
        """
        return tuple(f'{step.name}: {step.change}: {step.violations}'
                     for step in self.steps
                     if step.violations.rows and not step.refusal)

    @property
    def additive(self) -> bool:
        """Whether no value is lost, no row is written and no row violates a
        rule."""
        return not (self.refusals or self.violations) and all(
            step.kind in _ADDITIVE for step in self.steps)

    @property
    def lines(self) -> list[str]:
        return [str(step) for step in self.steps]


#: The table of the applied types.
_CATALOGUES = 'pileus_catalogues'

_ADDITIVE = (Kind.ONLINE, Kind.NONE)

IMPORT_UNFINISHED = 'an import was started and has not finished'
#: What an operator can do about an unfinished import.
FINISH_IMPORT = ('if it was interrupted, run pileus-manage import of the same '
                 'file again, or start with an empty database')


def silent(line: str) -> None:
    """Report no progress."""


def build(connection: Connection, before: Catalogue | None,
          wanted: Catalogue, progress: Progress = silent,
          unfinished: Catalogue | None = None) -> Plan:
    """Return the plan from the existing tables to the wanted types.

    ``before`` is the applied catalogue, None if there is none. ``unfinished``
    is the catalogue of an interrupted apply. ``progress`` reports the checks
    of many rows.
    """
    due = [*_unfinished_import(connection), *TableComparison(
        connection, before, wanted, progress, unfinished).steps()]
    return Plan(tuple(
        steps.with_sql(step, connection.dialect)
        for step in sorted(due, key=lambda step: step.phase)))


def of_database(engine: Engine, wanted: Catalogue,
                progress: Progress = silent) -> Plan:
    """Return the plan from what is applied, including an upgrade of the core
    tables. Raises StartError if the database does not answer."""
    try:
        with engine.connect() as connection:
            database_steps = tuple(_database_steps(connection))
            before, unfinished = _applied(connection)
            plan = build(connection, before, wanted, progress, unfinished)
            for note in exclusion.notes(connection, wanted):
                progress(note)
            return Plan((*database_steps, *plan.steps))
    except FAILURES as exc:
        raise unusable_error(engine, exc) from exc


def _database_steps(connection: Connection) -> Iterator[Step]:
    """Yield what an apply does besides changing the types' tables."""
    pending = migrations.pending_upgrade(connection)
    if pending is not None:
        yield Step('database', pending, Kind.ONLINE, Phase.PREPARE)
    elif applied_types.unfinished_apply(connection):
        yield Step('database', 'complete an unfinished apply', Kind.NONE,
                   Phase.PREPARE)


def _unfinished_import(connection: Connection) -> Iterator[Step]:
    """Refuse to apply types during an import.

    SECURITY: the end of an apply admits readers and writers, who would take
    the imported part for all records.
    """
    if has_catalogues(connection) and (
            applied_types.import_unfinished(connection)):
        yield Step('database', IMPORT_UNFINISHED, Kind.NONE, Phase.PREPARE,
                   blocker=FINISH_IMPORT)


def _applied(connection: Connection
             ) -> tuple[Catalogue | None, Catalogue | None]:
    """Return the applied catalogue and that of an interrupted apply."""
    if not has_catalogues(connection):
        return None, None
    applied = applied_types.current(connection)
    return (applied and applied.catalogue,
            applied_types.unfinished_apply(connection))


def has_catalogues(connection: Connection) -> bool:
    """Whether the table of the applied types exists."""
    return sa.inspect(connection).has_table(_CATALOGUES)
