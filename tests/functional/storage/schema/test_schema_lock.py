# SPDX-License-Identifier: Apache-2.0
"""DB09: who changes the schema is alone, and notices when he no longer is; who
is told to end on the way does so in order."""

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
    ended,
    forked,
    kept,
    started,
)

on_servers = pytest.mark.parametrize(
    'schema_server', ['postgresql', 'mysql'], indirect=True)

#: One step, and none that could be done before it.
WIDER = (box({**OLD[0]['properties'], 'more': {'type': 'string'}},
             indexes=[['size']]),)

#: What ends the connection that keeps the turn.
GUARD = {
    'postgresql': "SELECT format('SELECT pg_terminate_backend(%s)', pid) FROM "
                  "pg_locks JOIN pg_database ON pg_database.oid = database "
                  "WHERE locktype = 'advisory' AND "
                  'datname = current_database()',
    'mysql': "SELECT CONCAT('KILL ', IS_USED_LOCK(SHA1(CONCAT("
             "'pileus.schema.', DATABASE()))))"}

#: How long a session may say nothing, by the server's own defaults.
SHORT = {'postgresql': "SET idle_in_transaction_session_timeout = '1s'",
         'mysql': 'SET SESSION wait_timeout = 1'}
SHOWN = {'postgresql': 'SHOW idle_in_transaction_session_timeout',
         'mysql': 'SELECT @@wait_timeout'}


@pytest.fixture
def filled(schema: Schema) -> Schema:
    schema.apply(OLD)
    schema.fill(OLD, 'box', ROWS)
    return schema


def unguarded(schema: Schema) -> None:
    name = schema.engine.dialect.name
    with schema.engine.connect() as connection:
        said = connection.scalar(sa.text(GUARD[name]))
        connection.exec_driver_sql(said)


def shut(schema: Schema) -> bool:
    with schema.engine.connect() as connection:
        return applied_types.writes_blocked(connection)


@pytest.mark.parametrize('schema_server', ['mysql'], indirect=True)
def test_a_turn_that_is_not_got_in_time_is_no_turn(schema, monkeypatch):
    monkeypatch.setattr(schema_lock, 'LOCK_WAIT_SECONDS', 0)
    with (schema.engine.connect() as first,
          schema_lock.acquire(first, 'schema'),
          schema.engine.connect() as second,
          pytest.raises(StartError, match='somebody else has been changing')):
        schema_lock.acquire(second, 'schema').__enter__()


@on_servers
def test_who_keeps_a_turn_may_say_nothing_for_long(schema):
    name = schema.engine.dialect.name
    with schema.engine.connect() as guard:
        guard.exec_driver_sql(SHORT[name])
        guard.commit()
        with schema_lock.acquire(guard, 'schema'):
            assert guard.exec_driver_sql(SHOWN[name]).scalar() in (
                '0', 31536000)
        guard.invalidate()


@on_servers
def test_an_apply_whose_turn_is_lost_takes_no_further_step(filled):
    """A second one may have it by now."""
    told: list[str] = []

    def progress(line: str) -> None:
        told.append(line)
        if line.startswith('2 of '):
            unguarded(filled)
    with pytest.raises(StartError, match='the turn to change the schema is '
                                         'lost.*\n.*schema apply again'):
        filled.apply(NEW, progress=progress)
    assert told[-1].startswith('2 of ')
    assert shut(filled)
    filled.apply(NEW)
    kept(filled)


@on_servers
def test_an_import_whose_turn_is_lost_stores_no_more(filled, tmp_path):
    file = tmp_path / 'all.dump'
    file.write_bytes(b''.join(export.lines(filled.engine, lambda *_: None)))
    filled.empty()
    filled.apply(OLD)

    def imported(progress: restore.Progress) -> int:
        with file.open('rb') as opened:
            return restore.restore(filled.engine, dump_file.ExportReader(
                opened, file.name), progress)
    with pytest.raises(StartError, match='the turn .* is lost'):
        imported(lambda stored, rows: unguarded(filled))
    assert shut(filled)
    assert imported(lambda stored, rows: None) == len(ROWS)
    assert len(filled.rows(OLD, 'box')) == len(ROWS)


@pytest.fixture
def waiting(filled: Schema) -> Iterator[subprocess.Popen[str]]:
    """An apply that waits for a reader, until this is over."""
    with filled.engine.connect() as reader:
        reader.execute(sa.text('SELECT * FROM r_boxes')).all()
        process = started(filled, WIDER)
        assert process.stderr
        while 'waiting for those who read' not in process.stderr.readline():
            assert process.poll() is None
        yield process


@on_servers
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_apply_that_is_interrupted_leaves_nobody_shut_out_unawares(
        filled, waiting, number):
    """Nothing was done on PostgreSQL. On MariaDB nobody knows what becomes
    of a step that was under way."""
    waiting.send_signal(number)
    status, told, why = ended(waiting)
    if filled.engine.dialect.name == 'postgresql':
        assert (status, told) == (128 + number, ''), why
        assert why.splitlines()[-1] == 'pileus-manage: interrupted'
        assert not shut(filled)
        assert filled.plan(OLD).lines == []
    else:
        assert (status, told) == (2, '')
        assert why.splitlines()[-1].endswith(
            'run pileus-manage schema apply again')
        assert shut(filled)
    assert 'Traceback' not in why


@on_servers
def test_an_apply_that_fails_by_a_bug_lets_writers_in_again(
        filled, monkeypatch):
    def steps(self, before):
        raise ZeroDivisionError
    monkeypatch.setattr('service.storage.schema.apply._Apply._steps', steps)
    with pytest.raises(ZeroDivisionError):
        filled.apply(WIDER)
    assert not shut(filled)


@on_servers
def test_what_an_apply_before_has_done_half_is_not_served(
        filled, monkeypatch):
    """Nothing was done by the second one, and much by the first."""
    filled.engine.dispose()
    assert forked(filled, 'schema_step=kill') == -signal.SIGKILL

    def steps(self, before):
        raise ZeroDivisionError
    with monkeypatch.context() as broken:
        broken.setattr('service.storage.schema.apply._Apply._steps', steps)
        with pytest.raises(ZeroDivisionError) as raised:
            filled.apply(NEW)
    assert 'run pileus-manage schema apply again' in raised.value.__notes__[0]
    assert shut(filled)
    filled.apply(NEW)
    kept(filled)
