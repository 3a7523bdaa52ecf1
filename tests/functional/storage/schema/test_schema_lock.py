# SPDX-License-Identifier: Apache-2.0
"""DB09: the schema lock, its loss, and applies that are interrupted."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.errors import StartError
from service.storage.database import schema_lock
from service.storage.maintenance import dump_file, export, restore
from service.storage.schema import applied_types
from tests.functional.storage.schema.changes import box
from tests.functional.storage.schema.schemas import Schema
from tests.functional.storage.schema.test_faults import (
    NEW,
    OLD,
    ROWS,
    assert_complete,
    ended,
    forked,
    started,
)

on_servers = pytest.mark.parametrize(
    'schema_server', ['postgresql', 'mysql'], indirect=True)

#: A change of a single step.
WIDER = (box({**OLD[0]['properties'], 'more': {'type': 'string'}},
             indexes=[['size']]),)

#: Statements that close the connection with the schema lock.
GUARD = {
    'postgresql': "SELECT format('SELECT pg_terminate_backend(%s)', pid) FROM "
                  "pg_locks JOIN pg_database ON pg_database.oid = database "
                  "WHERE locktype = 'advisory' AND "
                  'datname = current_database()',
    'mysql': "SELECT CONCAT('KILL ', IS_USED_LOCK(SHA1(CONCAT("
             "'pileus.schema.', DATABASE()))))"}

#: Short limits of idle sessions, as a server may have them by default.
SHORT = {'postgresql': "SET idle_in_transaction_session_timeout = '1s'",
         'mysql': 'SET SESSION wait_timeout = 1'}
SHOWN = {'postgresql': 'SHOW idle_in_transaction_session_timeout',
         'mysql': 'SELECT @@wait_timeout'}


@pytest.fixture
def filled(schema: Schema) -> Schema:
    schema.apply(OLD)
    schema.fill(OLD, 'box', ROWS)
    return schema


def kill_lock_holder(schema: Schema) -> None:
    name = schema.engine.dialect.name
    with schema.engine.connect() as connection:
        statement = connection.scalar(sa.text(GUARD[name]))
        connection.exec_driver_sql(statement)


def writes_blocked(schema: Schema) -> bool:
    with schema.engine.connect() as connection:
        return applied_types.writes_blocked(connection)


@pytest.mark.parametrize('schema_server', ['mysql'], indirect=True)
def test_waiting_too_long_for_the_schema_lock_is_an_error(schema,
                                                          monkeypatch):
    monkeypatch.setattr(schema_lock, 'LOCK_WAIT_SECONDS', 0)
    with (schema.engine.connect() as first,
          schema_lock.acquire(first, 'schema'),
          schema.engine.connect() as second,
          pytest.raises(StartError, match='another process has held the')):
        schema_lock.acquire(second, 'schema').__enter__()


@on_servers
def test_the_session_with_the_schema_lock_may_be_idle(schema):
    name = schema.engine.dialect.name
    with schema.engine.connect() as guard:
        guard.exec_driver_sql(SHORT[name])
        guard.commit()
        with schema_lock.acquire(guard, 'schema'):
            assert guard.exec_driver_sql(SHOWN[name]).scalar() in (
                '0', 31536000)
        guard.invalidate()


@on_servers
def test_an_apply_that_loses_the_schema_lock_stops(filled):
    """Another apply may hold the lock by then."""
    lines: list[str] = []

    def progress(line: str) -> None:
        lines.append(line)
        if line.startswith('2 of '):
            kill_lock_holder(filled)
    with pytest.raises(StartError, match='the schema lock is lost'
                                         '.*\n.*schema apply again'):
        filled.apply(NEW, progress=progress)
    assert lines[-1].startswith('2 of ')
    assert writes_blocked(filled)
    filled.apply(NEW)
    assert_complete(filled)


@on_servers
def test_an_import_that_loses_the_schema_lock_stops(filled, tmp_path):
    file = tmp_path / 'all.dump'
    file.write_bytes(b''.join(export.lines(filled.engine, lambda *_: None)))
    filled.empty()
    filled.apply(OLD)

    def imported(progress: restore.Progress) -> int:
        with file.open('rb') as opened:
            return restore.restore(filled.engine, dump_file.ExportReader(
                opened, file.name), progress)
    with pytest.raises(StartError, match='the schema lock is lost'):
        imported(lambda stored, rows: kill_lock_holder(filled))
    assert writes_blocked(filled)
    assert imported(lambda stored, rows: None) == len(ROWS)
    assert len(filled.rows(OLD, 'box')) == len(ROWS)


@pytest.fixture
def waiting(filled: Schema) -> Iterator[subprocess.Popen[str]]:
    """An apply that waits for a reader until the test ends."""
    with filled.engine.connect() as reader:
        reader.execute(sa.text('SELECT * FROM r_boxes')).all()
        process = started(filled, WIDER)
        assert process.stderr
        while 'waiting for readers' not in process.stderr.readline():
            assert process.poll() is None
        yield process


@on_servers
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_apply_admits_writes_or_says_how_to_finish(
        filled, waiting, number):
    """On PostgreSQL nothing was changed. On MariaDB the outcome of a step
    that was running is unknown."""
    waiting.send_signal(number)
    status, output, errors = ended(waiting)
    if filled.engine.dialect.name == 'postgresql':
        assert (status, output) == (128 + number, ''), errors
        assert errors.splitlines()[-1] == 'pileus-manage: interrupted'
        assert not writes_blocked(filled)
        assert filled.plan(OLD).lines == []
    else:
        assert (status, output) == (2, '')
        assert errors.splitlines()[-1].endswith(
            'run pileus-manage schema apply again')
        assert writes_blocked(filled)
    assert 'Traceback' not in errors


@on_servers
def test_an_apply_that_fails_before_its_first_step_admits_writes(
        filled, monkeypatch):
    def steps(self, before):
        raise ZeroDivisionError
    monkeypatch.setattr('service.storage.schema.apply._Apply._steps', steps)
    with pytest.raises(ZeroDivisionError):
        filled.apply(WIDER)
    assert not writes_blocked(filled)


@on_servers
def test_a_failed_apply_after_a_killed_one_keeps_writes_blocked(
        filled, monkeypatch):
    """The second apply changed nothing, but the first one did."""
    filled.engine.dispose()
    assert forked(filled, 'schema_step=kill') == -signal.SIGKILL

    def steps(self, before):
        raise ZeroDivisionError
    with monkeypatch.context() as broken:
        broken.setattr('service.storage.schema.apply._Apply._steps', steps)
        with pytest.raises(ZeroDivisionError) as raised:
            filled.apply(NEW)
    assert 'run pileus-manage schema apply again' in raised.value.__notes__[0]
    assert writes_blocked(filled)
    filled.apply(NEW)
    assert_complete(filled)
