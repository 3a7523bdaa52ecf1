# SPDX-License-Identifier: Apache-2.0
"""Taking the steps of a plan, alone, while nobody writes.

``applied.begin`` shuts writers out, the plan is made once more, each step is
a transaction of its own where the database can undo DDL, and ``publish``
lets writers in again, with the new types. Whoever is killed in between
leaves writers shut out, and the next apply finds what is left to do. SQLite
does it all in one transaction: nobody meets half of it.
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
from service.storage.schema.steps import Step, execute
from service.storage.tables import exclusion
from service.storage.tables.columns import MYSQL

T = TypeVar('T')

#: How long SQLite waits for those who write, in milliseconds.
_SQLITE_WAIT_MILLISECONDS = 60000

#: What says that a change of a table waits five seconds at most for those
#: who read it, and how often it is tried anew.
_SHORT_LOCK_WAIT = {ddl.POSTGRESQL: "SET lock_timeout = '5s'",
               **dict.fromkeys(MYSQL, 'SET SESSION lock_wait_timeout = 5')}
_MAX_TRIES = 120


class ApplyResult(NamedTuple):
    """The steps that were taken, and the generation that is served now."""

    steps: tuple[Step, ...]
    catalogue_number: int


class PlanRefused(StartError):
    """Nothing was done; each line says what an operator must mend first."""

    def __init__(self, plan: Plan, reasons: tuple[str, ...]) -> None:
        super().__init__('\n'.join(reasons))
        self.plan = plan


def apply(engine: Engine, wanted: Catalogue,
          progress: Progress = schema_plan.silent,
          keep_broken: bool = False) -> ApplyResult:
    """Bring the tables to the wanted types, or raise Refused.

    A second one waits until the first is done. With ``keep_broken``, records
    may stay that a new rule of values would not take.
    """
    how = _LOCKED.get(engine.dialect.name, _on_server)
    try:
        with how(engine) as (connection, lock):
            return _Apply(connection, lock, wanted, progress,
                          keep_broken).run()
    except FAILURES as exc:
        raise unusable_error(engine, exc) from exc


_Locked = tuple[Connection, SchemaLock]


@contextmanager
def _on_server(engine: Engine) -> Iterator[_Locked]:
    """The lock is a transaction's on PostgreSQL: it has a connection of its
    own, which the steps' own transactions do not end."""
    with (engine.connect() as guard,
          schema_lock.acquire(guard, 'schema') as lock,
          engine.connect() as connection):
        connection.detach()
        yield connection, lock


@contextmanager
def _on_sqlite(engine: Engine) -> Iterator[_Locked]:
    """One transaction; foreign keys are off, and looked at before its end.

    The connection is closed after it: nobody shall get it as it is then.
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
                raise StartError(f'{len(lost)} references would be lost, the '
                                 f'first in {lost[0][0]}: nothing was done')


def _execute_outside_transaction(connection: Connection,
                                 statement: str) -> None:
    """Outside a transaction, where alone SQLite takes such a word."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)


_LOCKED: dict[str, Callable[[Engine], AbstractContextManager[_Locked]]] = {
    ddl.SQLITE: _on_sqlite}


class _Apply:
    """One apply, by who has the lock."""

    def __init__(self, connection: Connection, lock: SchemaLock,
                 wanted: Catalogue, progress: Progress,
                 keep_broken: bool) -> None:
        self._connection = connection
        self._lock = lock
        self._wanted = wanted
        self._progress = progress
        self._keep_broken = keep_broken
        self._unfinished: Catalogue | None = None
        self._number = self._steps_done = 0
        self._single_transaction = connection.in_transaction()

    def run(self) -> ApplyResult:
        before = self._in_transaction(applied_types.current)
        self._unfinished = self._in_transaction(applied_types.unfinished_apply)
        found = self._plan(before)
        self._refuse(found)
        for told in self._in_transaction(self._remarks):
            self._progress(told)
        same = before and before.digest == self._wanted.digest
        if before and same and not (found.steps or self._unfinished):
            return ApplyResult((), before.number)
        with ExitStack() as ending:
            ending.push(lambda kind, exc, trace: self._end(before, exc))
            self._number = self._in_transaction(
                lambda one: applied_types.begin(one, self._wanted))
            failpoints.reach('schema_begun')
            found = self._steps(before)
            self._in_transaction(
                lambda one: applied_types.publish(one, self._number))
        return ApplyResult(found.steps, self._number)

    def _end(self, before: Applied | None, exc: BaseException | None) -> None:
        """Whatever ended it, also who interrupts it: either writers are let
        in again, or it is said what lets them in."""
        if exc is None or self._single_transaction or self._open_again(before):
            return
        if not isinstance(exc, (*FAILURES, StartError, KeyboardInterrupt)):
            exc.add_note(self._again)
            return
        raise StartError(f'{_reason(self._connection, exc)}\n'
                         f'{self._again}') from exc

    @property
    def _again(self) -> str:
        begun = ('some steps are taken, and nobody can write until the others '
                 'are' if self._steps_done else
                 'nobody can write until it is done')
        return f'{begun}: run pileus-manage schema apply again'

    def _steps(self, before: Applied | None) -> Plan:
        """Take what the tables still need, now that nobody writes.

        A step gives way to who reads the table for long, and so do not all
        readers wait behind it. What was done of it, the plan finds again.
        """
        words = _SHORT_LOCK_WAIT.get(self._connection.dialect.name)
        if words:
            self._in_transaction(lambda one: one.exec_driver_sql(words))
        whole = found = self._plan(before)
        tries = _MAX_TRIES
        while True:
            self._refuse(found)
            try:
                self._all(found)
                return whole
            except FAILURES as exc:
                tries -= 1
                if self._single_transaction or not (
                        tries and failures.is_race(exc)):
                    raise
                self._progress('waiting for those who read the table')
                found = self._plan(before)

    def _all(self, plan: Plan) -> None:
        for number, step in enumerate(plan.steps, 1):
            self._progress(f'{number} of {len(plan.steps)}: {step}')
            self._take(step)

    def _plan(self, before: Applied | None) -> Plan:
        return self._in_transaction(lambda one: schema_plan.build(
            one, before and before.catalogue, self._wanted, self._progress,
            self._unfinished))

    def _remarks(self, connection: Connection) -> list[str]:
        return list(exclusion.notes(connection, self._wanted))

    def _refuse(self, plan: Plan) -> None:
        reasons = plan.refusals + (
            () if self._keep_broken else plan.violations)
        if reasons:
            raise PlanRefused(plan, reasons)

    def _take(self, step: Step) -> None:
        lasting = self._connection.dialect.name in MYSQL
        self._steps_done += lasting or step.fill is not None
        if step.fill is not None:
            step.fill.run(self._in_transaction, step.fill_rows, lambda line: (
                self._progress(f'{step.name}: {line}')))
        self._in_transaction(lambda one: execute(step, one))
        self._steps_done += bool(step.ddl)
        if step.ddl:
            failpoints.reach('schema_step')

    def _open_again(self, before: Applied | None) -> bool:
        """Let writers in again, with the types of before, where nothing was
        done yet, also by an apply before that did not end: as when a record
        made meanwhile stands in the way. Say whether they are in.

        The lock may be lost: an interrupt takes the connection whose
        statement it hits.
        """
        if self._steps_done or self._unfinished:
            return False
        with suppress(*FAILURES), self._connection.begin():
            if before is not None:
                applied_types.withdraw(self._connection, self._number,
                                 before.catalogue)
            return not applied_types.writes_blocked(self._connection)
        return False

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction: its own, or SQLite's only one. Nobody
        else is at it."""
        self._lock.check()
        if self._connection.in_transaction():
            return work(self._connection)
        with self._connection.begin():
            return work(self._connection)


def _reason(connection: Connection, exc: BaseException) -> object:
    if isinstance(exc, FAILURES):
        return unusable_error(connection.engine, exc)
    return exc if isinstance(exc, StartError) else 'interrupted'
