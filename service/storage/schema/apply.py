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
from service.storage.database.engine import FAILURES, unusable, writer
from service.storage.database.schema_lock import Turn
from service.storage.schema import applied_types, ddl
from service.storage.schema import plan as schema_plan
from service.storage.schema.applied_types import Applied
from service.storage.schema.backfill import Progress
from service.storage.schema.plan import Plan
from service.storage.schema.steps import Step, taken
from service.storage.tables import exclusion
from service.storage.tables.columns import MYSQL

T = TypeVar('T')

#: How long SQLite waits for those who write, in milliseconds.
_PATIENCE = 60000

#: What says that a change of a table waits five seconds at most for those
#: who read it, and how often it is tried anew.
_IN_A_HURRY = {ddl.POSTGRESQL: "SET lock_timeout = '5s'",
               **dict.fromkeys(MYSQL, 'SET SESSION lock_wait_timeout = 5')}
_TRIES = 120


class Done(NamedTuple):
    """The steps that were taken, and the generation that is served now."""

    steps: tuple[Step, ...]
    generation: int


class Refused(StartError):
    """Nothing was done; each line says what an operator must mend first."""

    def __init__(self, plan: Plan, reasons: tuple[str, ...]) -> None:
        super().__init__('\n'.join(reasons))
        self.plan = plan


def apply(engine: Engine, wanted: Catalogue,
          progress: Progress = schema_plan.silent,
          keep_broken: bool = False) -> Done:
    """Bring the tables to the wanted types, or raise Refused.

    A second one waits until the first is done. With ``keep_broken``, records
    may stay that a new rule of values would not take.
    """
    how = _ALONE.get(engine.dialect.name, _on_server)
    try:
        with how(engine) as (connection, turn):
            return _Apply(connection, turn, wanted, progress,
                          keep_broken).run()
    except FAILURES as exc:
        raise unusable(engine, exc) from exc


_Alone = tuple[Connection, Turn]


@contextmanager
def _on_server(engine: Engine) -> Iterator[_Alone]:
    """The turn is a transaction's on PostgreSQL: it has a connection of its
    own, which the steps' own transactions do not end."""
    with (engine.connect() as guard,
          schema_lock.alone(guard, 'schema') as turn,
          engine.connect() as connection):
        connection.detach()
        yield connection, turn


@contextmanager
def _on_sqlite(engine: Engine) -> Iterator[_Alone]:
    """One transaction; foreign keys are off, and looked at before its end.

    The connection is closed after it: nobody shall get it as it is then.
    """
    with writer(engine).connect() as connection:
        connection.detach()
        for pragma in (f'busy_timeout = {_PATIENCE}', 'foreign_keys = OFF'):
            _driven(connection, f'PRAGMA {pragma}')
        with (connection.begin(),
              schema_lock.alone(connection, 'schema') as turn):
            yield connection, turn
            lost = connection.exec_driver_sql(
                'PRAGMA foreign_key_check').all()
            if lost:
                raise StartError(f'{len(lost)} references would be lost, the '
                                 f'first in {lost[0][0]}: nothing was done')


def _driven(connection: Connection, statement: str) -> None:
    """Outside a transaction, where alone SQLite takes such a word."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.cursor().execute(statement)


_ALONE: dict[str, Callable[[Engine], AbstractContextManager[_Alone]]] = {
    ddl.SQLITE: _on_sqlite}


class _Apply:
    """One apply, by who has the turn."""

    def __init__(self, connection: Connection, turn: Turn, wanted: Catalogue,
                 progress: Progress, keep_broken: bool) -> None:
        self._connection = connection
        self._turn = turn
        self._wanted = wanted
        self._progress = progress
        self._keep_broken = keep_broken
        self._unfinished: Catalogue | None = None
        self._begun = self._done = 0
        self._one_for_all = connection.in_transaction()

    def run(self) -> Done:
        before = self._in_one(applied_types.current)
        self._unfinished = self._in_one(applied_types.unfinished)
        found = self._plan(before)
        self._refuse(found)
        for told in self._in_one(self._remarks):
            self._progress(told)
        same = before and before.digest == self._wanted.digest
        if before and same and not (found.steps or self._unfinished):
            return Done((), before.generation)
        with ExitStack() as ending:
            ending.push(lambda kind, exc, trace: self._end(before, exc))
            self._begun = self._in_one(
                lambda one: applied_types.begin(one, self._wanted))
            failpoints.reach('schema_begun')
            found = self._steps(before)
            self._in_one(lambda one: applied_types.publish(one, self._begun))
        return Done(found.steps, self._begun)

    def _end(self, before: Applied | None, exc: BaseException | None) -> None:
        """Whatever ended it, also who interrupts it: either writers are let
        in again, or it is said what lets them in."""
        if exc is None or self._one_for_all or self._open_again(before):
            return
        if not isinstance(exc, (*FAILURES, StartError, KeyboardInterrupt)):
            exc.add_note(self._again)
            return
        raise StartError(f'{_said(self._connection, exc)}\n'
                         f'{self._again}') from exc

    @property
    def _again(self) -> str:
        begun = ('some steps are taken, and nobody can write until the others '
                 'are' if self._done else 'nobody can write until it is done')
        return f'{begun}: run pileus-manage schema apply again'

    def _steps(self, before: Applied | None) -> Plan:
        """Take what the tables still need, now that nobody writes.

        A step gives way to who reads the table for long, and so do not all
        readers wait behind it. What was done of it, the plan finds again.
        """
        words = _IN_A_HURRY.get(self._connection.dialect.name)
        if words:
            self._in_one(lambda one: one.exec_driver_sql(words))
        whole = found = self._plan(before)
        tries = _TRIES
        while True:
            self._refuse(found)
            try:
                self._all(found)
                return whole
            except FAILURES as exc:
                tries -= 1
                if self._one_for_all or not (
                        tries and failures.to_others(exc)):
                    raise
                self._progress('waiting for those who read the table')
                found = self._plan(before)

    def _all(self, plan: Plan) -> None:
        for number, step in enumerate(plan.steps, 1):
            self._progress(f'{number} of {len(plan.steps)}: {step}')
            self._take(step)

    def _plan(self, before: Applied | None) -> Plan:
        return self._in_one(lambda one: schema_plan.plan(
            one, before and before.catalogue, self._wanted, self._progress,
            self._unfinished))

    def _remarks(self, connection: Connection) -> list[str]:
        return list(exclusion.remarks(connection, self._wanted))

    def _refuse(self, plan: Plan) -> None:
        reasons = plan.refused + (() if self._keep_broken else plan.broken)
        if reasons:
            raise Refused(plan, reasons)

    def _take(self, step: Step) -> None:
        lasting = self._connection.dialect.name in MYSQL
        self._done += lasting or step.fill is not None
        if step.fill is not None:
            step.fill.run(self._in_one, step.rows, lambda line: (
                self._progress(f'{step.name}: {line}')))
        self._in_one(lambda one: taken(step, one))
        self._done += bool(step.ddl)
        if step.ddl:
            failpoints.reach('schema_step')

    def _open_again(self, before: Applied | None) -> bool:
        """Let writers in again, with the types of before, where nothing was
        done yet, also by an apply before that did not end: as when a record
        made meanwhile stands in the way. Say whether they are in.

        The turn may be lost: an interrupt takes the connection whose
        statement it hits.
        """
        if self._done or self._unfinished:
            return False
        with suppress(*FAILURES), self._connection.begin():
            if before is not None:
                applied_types.withdraw(self._connection, self._begun,
                                 before.catalogue)
            return not applied_types.shut(self._connection)
        return False

    def _in_one(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction: its own, or SQLite's only one. Nobody
        else is at it."""
        self._turn.stand()
        if self._connection.in_transaction():
            return work(self._connection)
        with self._connection.begin():
            return work(self._connection)


def _said(connection: Connection, exc: BaseException) -> object:
    if isinstance(exc, FAILURES):
        return unusable(connection.engine, exc)
    return exc if isinstance(exc, StartError) else 'interrupted'
