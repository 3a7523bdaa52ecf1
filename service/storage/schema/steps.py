# SPDX-License-Identifier: Apache-2.0
"""One step of a schema change: its description, its SQL and its execution.

The printed SQL and the executed statements come from one function on
alembic's Operations, so they cannot differ.
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

#: How many ids of violating records a step lists.
MAX_SAMPLES = 5


class Kind(StrEnum):
    """The class of a step: what it costs.

    ``online``: reads continue and no row is written. ``rewrite``: every row
    is read or written, and reads of the table may wait. ``backfill``: rows
    get a value. ``destructive``: values are lost. ``none``: the database does
    not change.
    """

    ONLINE = 'online'
    REWRITE = 'rewrite'
    DESTRUCTIVE = 'destructive'
    BACKFILL = 'backfill'
    NONE = 'none'


class Phase(IntEnum):
    """The order of the steps of all types.

    Names of tables and keys are unique in the database, so steps that free a
    name come before steps that use it.
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
    CATALOGUE_ONLY = 18


class Violations(NamedTuple):
    """The number of rows that violate a rule, and some of their ids."""

    rows: int = 0
    samples: tuple[str, ...] = ()

    def __str__(self) -> str:
        ids = ', '.join(self.samples)
        more = ', ...' if self.rows > len(self.samples) else ''
        return f'{counted(self.rows, "violating record")} ({ids}{more})'


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``2 records``."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def no_work(operations: Operations) -> None:
    """The work of a step that does not change the database."""


@dataclass(frozen=True)
class Step:
    """One change of the schema.

    ``name`` is the place in the type files that changes. ``blocker`` is what
    an operator must do first; until then the step is refused. Rows that
    violate a new rule (``violations``) refuse it too, unless
    ``violations_allowed``. ``fill`` gives about ``fill_rows`` rows their
    values in batches, before ``work`` runs. ``in_place``: SQLite can execute
    the step without rebuilding the table.
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
        """Why the step is refused, None if it is not."""
        if (self.blocker is None and self.violations.rows
                and not self.violations_allowed):
            return f'{self.violations}; correct them first'
        return self.blocker

    def __str__(self) -> str:
        violations = f'; {self.violations}' if self.violations.rows else ''
        return f'{self.name}: {self.change} ({self.kind}){violations}'


def with_sql(step: Step, dialect: Dialect) -> Step:
    """Return the step with the SQL that the database will receive.

    PERF: alembic is imported here: it takes a tenth of a second, and most
    starts have no step.
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
    """Yield each statement of alembic's output on one line."""
    for statement in text.split(';\n\n'):
        if statement.strip():
            yield ' '.join(line.strip() for line in statement.split('\n'))


def execute(step: Step, connection: Connection) -> None:
    """Run the work of a step, without its fill, in an open transaction."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    step.work(Operations(MigrationContext.configure(connection)))
