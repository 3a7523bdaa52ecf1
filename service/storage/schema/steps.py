# SPDX-License-Identifier: Apache-2.0
"""One step of a schema's change: told, rendered as SQL, and taken.

What is printed and what is run are one function of alembic's Operations, so
that neither can say what the other does not do.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.engine import Connection, Dialect

from service.storage.schema.backfill import Fill

if TYPE_CHECKING:
    from alembic.operations import Operations

Work = Callable[['Operations'], None]

#: How many sample ids a step tells.
SAMPLES = 5


class Kind(StrEnum):
    """What a step costs.

    ``online``: reads go on and no row is written. ``rewrite``: every row is
    read or written, and reads of the table may wait. ``backfill``: rows are
    given a value. ``destructive``: values are gone. ``none``: the database
    has nothing to do.
    """

    ONLINE = 'online'
    REWRITE = 'rewrite'
    DESTRUCTIVE = 'destructive'
    BACKFILL = 'backfill'
    NONE = 'none'


class Phase(IntEnum):
    """What has to be done before what, whatever type it is for.

    Names are given up before others take them: those of tables, and those of
    their keys, which are the database's as well.
    """

    PREPARE = 0
    UNLINK = 1
    DROP_TABLE = 2
    RENAME_TABLE = 3
    DROP_KEY = 4
    RENAME_KEY = 5
    CREATE_TABLE = 6
    RENAME_COLUMN = 7
    ADD_COLUMN = 8
    DEFAULT = 9
    CHANGE_TYPE = 10
    FILL = 11
    NULLS = 12
    REBUILD = 13
    KEY = 14
    LINK = 15
    EXCLUSIVE = 16
    DROP_COLUMN = 17
    SAY = 18


class Violations(NamedTuple):
    """How many rows break a rule, and the ids of the first."""

    rows: int = 0
    samples: tuple[str, ...] = ()

    def __str__(self) -> str:
        ids = ', '.join(self.samples)
        more = ', ...' if self.rows > len(self.samples) else ''
        return f'{self.rows} records break it ({ids}{more})'


def no_work(operations: Operations) -> None:
    """What the database does for a change without DDL."""


@dataclass(frozen=True)
class Step:
    """One change, by the name of what changes in the files.

    ``blocker`` is what an operator must do first; until then the step is
    refused. Rows that break a new rule of values (``violations``) refuse it
    too, unless ``violations_allowed``. ``fill`` gives about ``fill_rows``
    rows their values in batches, before ``work`` runs. ``in_place``: SQLite
    can execute the step without rebuilding the table.
    """

    name: str
    change: str
    kind: Kind
    phase: Phase
    work: Work = no_work
    violations: Violations = Violations()
    blocker: str | None = None
    violations_allowed: bool = False
    fill: Fill | None = None
    fill_rows: int = 0
    in_place: bool = True
    ddl: tuple[str, ...] = field(default=(), compare=False)

    @property
    def refusal(self) -> str | None:
        """Why the step cannot be taken, if it cannot."""
        if (self.blocker is None and self.violations.rows
                and not self.violations_allowed):
            return f'{self.violations}; mend them first'
        return self.blocker

    def __str__(self) -> str:
        broken = f'; {self.violations}' if self.violations.rows else ''
        return f'{self.name}: {self.change} ({self.kind}){broken}'


def with_sql(step: Step, dialect: Dialect) -> Step:
    """The step with its SQL, as the database will be told it.

    PERF: alembic takes a tenth of a second to import, and most starts find
    no step.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    written = io.StringIO()
    context = MigrationContext.configure(dialect=dialect, opts={
        'as_sql': True, 'literal_binds': True, 'output_buffer': written})
    if step.fill is not None:
        Operations(context).execute(step.fill.statement)
    step.work(Operations(context))
    text = written.getvalue()
    if dialect.paramstyle in ('format', 'pyformat'):
        text = text.replace('%%', '%')
    return replace(step, ddl=tuple(_statements(text)))


def _statements(text: str) -> Iterator[str]:
    """Each statement on one line, as alembic ends them."""
    for one in text.split(';\n\n'):
        if one.strip():
            yield ' '.join(line.strip() for line in one.split('\n'))


def execute(step: Step, connection: Connection) -> None:
    """Take the step on an open transaction, without what it fills."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    step.work(Operations(MigrationContext.configure(connection)))
