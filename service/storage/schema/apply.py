# SPDX-License-Identifier: Apache-2.0
"""Execute a plan under the schema lock, while writes are refused.

``applied_types.begin`` blocks writes; then the plan is made again, its steps
are executed, and ``publish`` admits writes with the new types. On PostgreSQL
each step is a transaction; on MariaDB and MySQL DDL cannot be rolled back. An
apply that is killed leaves writes blocked, and the next apply finds what is
left to do. On SQLite everything is one transaction, of which no other process
sees a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    suppress,
)
from typing import NamedTuple, TypeVar

from sqlalchemy.engine import Connection, Engine

from service import failpoints
from service.domain.catalogue.types import Catalogue
from service.errors import StartError
from service.storage.database import failures, schema_lock
from service.storage.database.engine import FAILURES, unusable_error, writer
from service.storage.database.schema_lock import SchemaLock
from service.storage.schema import applied_types, ddl
from service.storage.schema import plan as schema_plan
from service.storage.schema.applied_types import Applied
from service.storage.schema.backfill import Progress
from service.storage.schema.plan import Plan
from service.storage.schema.steps import Step, counted, execute
from service.storage.tables import exclusion
from service.storage.tables.columns import MYSQL

T = TypeVar('T')

#: How long an apply on SQLite waits for writers.
_SQLITE_WAIT_MILLISECONDS = 60000

#: Limits to five seconds how long a step waits for readers of its table.
_SHORT_LOCK_WAIT = {
    ddl.POSTGRESQL: "SET lock_timeout = '5s'",
    **dict.fromkeys(MYSQL, 'SET SESSION lock_wait_timeout = 5')}

#: How often an apply tries to get past readers of a table.
_MAX_TRIES = 120


class ApplyResult(NamedTuple):
    """The executed steps, and the number of the catalogue now served."""

    steps: tuple[Step, ...]
    catalogue_number: int


class PlanRefused(StartError):
    """Nothing was changed; each line says what an operator must correct."""

    def __init__(self, plan: Plan, reasons: tuple[str, ...]) -> None:
        super().__init__('\n'.join(reasons))
        self.plan = plan


def apply(engine: Engine, wanted: Catalogue,
          progress: Progress = schema_plan.silent,
          keep_broken: bool = False) -> ApplyResult:
    """Make the tables match the wanted types, or raise PlanRefused.

    Waits while another process applies types. With ``keep_broken``, records
    that violate a new rule of values stay as they are.
    """
    locked = _LOCKED.get(engine.dialect.name, _on_server)
    try:
        with locked(engine) as (connection, lock):
            return _Apply(connection, lock, wanted, progress,
                          keep_broken).run()
    except FAILURES as exc:
        raise unusable_error(engine, exc) from exc


_Locked = tuple[Connection, SchemaLock]


@contextmanager
def _on_server(engine: Engine) -> Iterator[_Locked]:
    """Hold the lock on a connection of its own: on PostgreSQL the lock ends
    with its transaction, and each step has its own transaction."""
    with (engine.connect() as guard,
          schema_lock.acquire(guard, 'schema') as lock,
          engine.connect() as connection):
        connection.detach()
        yield connection, lock


@contextmanager
def _on_sqlite(engine: Engine) -> Iterator[_Locked]:
    """Open one transaction, with foreign keys off until its end.

    The connection leaves the pool, because it keeps these settings.
    """
    with writer(engine).connect() as connection:
        connection.detach()
        for pragma in (f'busy_timeout = {_SQLITE_WAIT_MILLISECONDS}',
                       'foreign_keys = OFF'):
            _execute_outside_transaction(connection, f'PRAGMA {pragma}')
        with (connection.begin(),
              schema_lock.acquire(connection, 'schema') as lock):
            yield connection, lock
            lost = connection.exec_driver_sql(
                'PRAGMA foreign_key_check').all()
            if lost:
                raise StartError(
                    f'{counted(len(lost), "reference")} would refer to '
                    f'records that do not exist, the first in table '
                    f'{lost[0][0]}: nothing was changed')


def _execute_outside_transaction(connection: Connection,
                                 statement: str) -> None:
    """Execute on the driver's connection: SQLAlchemy begins a transaction,
    in which SQLite ignores these pragmas."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)


_LOCKED: dict[str, Callable[[Engine], AbstractContextManager[_Locked]]] = {
    ddl.SQLITE: _on_sqlite}


class _Apply:
    """One apply, by the holder of the schema lock."""

    def __init__(self, connection: Connection, lock: SchemaLock,
                 wanted: Catalogue, progress: Progress,
                 keep_broken: bool) -> None:
        self._connection = connection
        self._lock = lock
        self._wanted = wanted
        self._progress = progress
        self._keep_broken = keep_broken
        self._unfinished: Catalogue | None = None
        self._number = 0
        self._changed = False
        self._single_transaction = connection.in_transaction()

    def run(self) -> ApplyResult:
        before = self._in_transaction(applied_types.current)
        self._unfinished = self._in_transaction(
            applied_types.unfinished_apply)
        plan = self._plan(before)
        self._refuse(plan)
        for note in self._in_transaction(self._notes):
            self._progress(note)
        same = before and before.digest == self._wanted.digest
        if before and same and not (plan.steps or self._unfinished):
            return ApplyResult((), before.number)
        with ExitStack() as stack:
            stack.push(lambda kind, exc, trace: self._end(before, exc))
            self._number = self._in_transaction(
                lambda connection: applied_types.begin(connection,
                                                       self._wanted))
            failpoints.reach('schema_begun')
            plan = self._steps(before)
            self._in_transaction(
                lambda connection: applied_types.publish(connection,
                                                         self._number))
        return ApplyResult(plan.steps, self._number)

    def _end(self, before: Applied | None, exc: BaseException | None) -> None:
        """After a failure or an interrupt, admit writes again if nothing was
        changed; otherwise say how to finish the apply."""
        if exc is None or self._single_transaction or self._reopen(before):
            return
        if not isinstance(exc, (*FAILURES, StartError, KeyboardInterrupt)):
            exc.add_note(self._advice)
            return
        raise StartError(f'{_reason(self._connection, exc)}\n'
                         f'{self._advice}') from exc

    @property
    def _advice(self) -> str:
        state = ('some steps are done, and writes are refused until the '
                 'others are done too' if self._changed else
                 'writes are refused until the apply is done')
        return f'{state}: run pileus-manage schema apply again'

    def _steps(self, before: Applied | None) -> Plan:
        """Execute what the tables still need, while writes are refused.

        A step that waits for readers of its table gives up after five
        seconds, so that other readers do not queue behind it, and the plan is
        made again from what is left.
        """
        limit = _SHORT_LOCK_WAIT.get(self._connection.dialect.name)
        if limit:
            self._in_transaction(
                lambda connection: connection.exec_driver_sql(limit))
        whole = plan = self._plan(before)
        tries = _MAX_TRIES
        while True:
            self._refuse(plan)
            try:
                self._execute_all(plan)
                return whole
            except FAILURES as exc:
                tries -= 1
                if self._single_transaction or not (
                        tries and failures.is_race(exc)):
                    raise
                self._progress('waiting for readers of the table')
                plan = self._plan(before)

    def _execute_all(self, plan: Plan) -> None:
        for number, step in enumerate(plan.steps, 1):
            self._progress(f'{number} of {len(plan.steps)}: {step}')
            self._execute(step)

    def _plan(self, before: Applied | None) -> Plan:
        return self._in_transaction(lambda connection: schema_plan.build(
            connection, before and before.catalogue, self._wanted,
            self._progress, self._unfinished))

    def _notes(self, connection: Connection) -> list[str]:
        return list(exclusion.notes(connection, self._wanted))

    def _refuse(self, plan: Plan) -> None:
        reasons = plan.refusals + (
            () if self._keep_broken else plan.violations)
        if reasons:
            raise PlanRefused(plan, reasons)

    def _execute(self, step: Step) -> None:
        # A failed DDL statement of MariaDB and MySQL may have had effects.
        self._changed |= (self._connection.dialect.name in MYSQL
                          or step.fill is not None)
        if step.fill is not None:
            step.fill.run(self._in_transaction, step.fill_rows, lambda line: (
                self._progress(f'{step.name}: {line}')))
        self._in_transaction(lambda connection: execute(step, connection))
        self._changed |= bool(step.ddl)
        if step.ddl:
            failpoints.reach('schema_step')

    def _reopen(self, before: Applied | None) -> bool:
        """Admit writes with the previous types if nothing was changed, as
        when a new record violates a rule; return whether writes are admitted.

        An interrupted apply before this one may have changed the tables. The
        lock may be lost: an interrupt closes the connection whose statement
        it hits.
        """
        if self._changed or self._unfinished:
            return False
        with suppress(*FAILURES), self._connection.begin():
            if before is not None:
                applied_types.withdraw(self._connection, self._number,
                                       before.catalogue)
            return not applied_types.writes_blocked(self._connection)
        return False

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction: its own, or the only one on SQLite.

        Raises StartError if the lock is lost.
        """
        self._lock.check()
        if self._connection.in_transaction():
            return work(self._connection)
        with self._connection.begin():
            return work(self._connection)


def _reason(connection: Connection, exc: BaseException) -> object:
    if isinstance(exc, FAILURES):
        return unusable_error(connection.engine, exc)
    return exc if isinstance(exc, StartError) else 'interrupted'
