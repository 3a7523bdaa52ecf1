# SPDX-License-Identifier: Apache-2.0
"""Declared types against the real tables: the steps from these to those.

The steps come from comparing tables, whatever made them differ: a new type
file, an apply that was interrupted, a hand. What was applied before tells
what a difference means, and what changed without any. ``differences`` and
``keys`` compare one table, ``apply`` takes the steps.
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
    """What it takes to have the tables as the types say, in order."""

    steps: tuple[Step, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """What an operator must mend first; nothing is done until then."""
        return tuple(f'{one.name}: {one.change}: {one.refusal}'
                     for one in self.steps if one.refusal)

    @property
    def violations(self) -> tuple[str, ...]:
        """Records that a new rule of values would not take. They may stay,
        if that is meant, until they are next written."""
        return tuple(f'{one.name}: {one.change}: {one.violations}'
                     for one in self.steps
                     if one.violations.rows and not one.refusal)

    @property
    def additive(self) -> bool:
        """Nothing is lost, and no row is written or breaks a rule."""
        return not (self.refusals or self.violations) and all(
            one.kind in _ADDITIVE for one in self.steps)

    @property
    def lines(self) -> list[str]:
        return [str(one) for one in self.steps]


#: Where what was applied stands.
_CATALOGUES = 'pileus_catalogues'

_ADDITIVE = (Kind.ONLINE, Kind.NONE)

IMPORT_UNFINISHED = 'an import has begun and is not at its end'
#: What can be done about it.
FINISH_IMPORT = ('if it was interrupted, run pileus-manage import of the '
                 'same dump again, or begin with an empty database')


def silent(line: str) -> None:
    """Progress that nobody is told of."""


def build(connection: Connection, before: Catalogue | None,
         wanted: Catalogue, progress: Progress = silent,
         unfinished: Catalogue | None = None) -> Plan:
    """The steps from the real tables to the wanted types.

    ``before`` is what was applied last, None where nothing ever was.
    ``unfinished`` is what an apply was for that did not come to its end.
    ``progress`` is told how far a look at many rows has come.
    """
    found = [*_unfinished_import(connection), *TableComparison(
        connection, before, wanted, progress, unfinished).steps()]
    return Plan(tuple(
        steps.with_sql(one, connection.dialect)
        for one in sorted(found, key=lambda step: step.phase)))


def of_database(engine: Engine, wanted: Catalogue,
            progress: Progress = silent) -> Plan:
    """The steps from what was applied last, those of the core tables among
    them; StartError where the database does not answer."""
    try:
        with engine.connect() as connection:
            first = tuple(_database_steps(connection))
            before, unfinished = _applied(connection)
            found = build(connection, before, wanted, progress, unfinished)
            for told in exclusion.notes(connection, wanted):
                progress(told)
            return Plan((*first, *found.steps))
    except FAILURES as exc:
        raise unusable_error(engine, exc) from exc


def _database_steps(connection: Connection) -> Iterator[Step]:
    """What an apply does for more than the types."""
    behind = migrations.pending_upgrade(connection)
    if behind is not None:
        yield Step('database', behind, Kind.ONLINE, Phase.PREPARE)
    elif applied_types.unfinished_apply(connection):
        yield Step('database', 'an apply has begun and is not at its end',
                   Kind.NONE, Phase.PREPARE)


def _unfinished_import(connection: Connection) -> Iterator[Step]:
    """SECURITY: an apply lets readers and writers in at its end, and would
    have half of what there was taken for all."""
    if has_catalogues(connection) and (
            applied_types.import_unfinished(connection)):
        yield Step('database', IMPORT_UNFINISHED, Kind.NONE, Phase.PREPARE,
                   blocker=FINISH_IMPORT)


def _applied(connection: Connection
             ) -> tuple[Catalogue | None, Catalogue | None]:
    """What was applied, and what was not to its end; None for either where
    there is no table to say so."""
    if not has_catalogues(connection):
        return None, None
    found = applied_types.current(connection)
    return (found and found.catalogue,
            applied_types.unfinished_apply(connection))


def has_catalogues(connection: Connection) -> bool:
    """There is a table that says which types are applied."""
    return sa.inspect(connection).has_table(_CATALOGUES)
