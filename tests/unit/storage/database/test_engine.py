# SPDX-License-Identifier: Apache-2.0
"""SQLite with writers in several threads and processes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from oslo_db import exception as db_exception

from service.domain.errors import Unavailable
from service.domain.records.store import ConcurrentWrite
from service.errors import StartError
from service.storage.database import engine
from tests.unit import stored

ROOT = Path(__file__).parents[4]
COUNT = 'CREATE TABLE IF NOT EXISTS counts (n INTEGER)'


@pytest.fixture
def connected(tmp_path):
    connected = stored.connect(tmp_path)
    with connected.begin() as connection:
        connection.exec_driver_sql(COUNT)
        connection.exec_driver_sql('INSERT INTO counts VALUES (0)')
    yield connected
    connected.dispose()


@pytest.fixture
def transactions(connected):
    return engine.Transactions(connected)


def count(connection):
    """Read and write: concurrent writers must not lose an update."""
    n = connection.exec_driver_sql('SELECT n FROM counts').scalar_one()
    connection.exec_driver_sql('UPDATE counts SET n = ?', (n + 1,))


def counted(connected):
    with connected.connect() as connection:
        return connection.exec_driver_sql('SELECT n FROM counts').scalar()


@pytest.mark.parametrize(('pragma', 'value'), [
    ('journal_mode', 'wal'), ('foreign_keys', 1), ('synchronous', 2),
    ('busy_timeout', 20)])
def test_every_connection_has_these_settings(connected, pragma, value):
    with connected.connect() as first, connected.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql(
                f'PRAGMA {pragma}').scalar() == value


def test_connections_are_pooled(connected):
    with connected.connect() as connection:
        first = connection.connection.dbapi_connection
    with connected.connect() as connection:
        assert connection.connection.dbapi_connection is first


def test_an_engine_does_not_connect_before_it_is_used(tmp_path):
    connected = stored.connect(tmp_path)
    assert not (tmp_path / 'state' / 'pileus.sqlite').exists()
    connected.dispose()


def test_an_invalid_url_is_an_error_that_does_not_show_it(tmp_path):
    conf = stored.conf(tmp_path)
    conf.set_override('connection', 'secret@nowhere', 'database')
    with pytest.raises(StartError) as caught:
        engine.connect(conf)
    assert 'secret' not in str(caught.value)
    assert '[database] connection' in str(caught.value)


def test_concurrent_threads_lose_no_update(connected, transactions):
    """DB06."""
    failures = []

    def work():
        try:
            for _ in range(20):
                transactions.write(count)
        except Unavailable as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, counted(connected)) == ([], 160)


WRITER = '''
import sys
from tests.unit.storage.database.test_engine import count
from service.config import files
from service.storage.database import engine
transactions = engine.Transactions(engine.connect(
    files.load(['--config-dir', sys.argv[1]])))
sys.stdin.readline()
for _ in range(40):
    transactions.write(count)
'''


def test_concurrent_processes_lose_no_update(connected, tmp_path):
    """DB06: the lock of a process does not cover the others."""
    writers = [subprocess.Popen(
        [sys.executable, '-c', WRITER, str(tmp_path)], cwd=ROOT,
        stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [writer.communicate(b'go\n', timeout=60)[1]
              for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors
    assert counted(connected) == 120


def test_a_reader_sees_the_previous_state_during_a_write(
        connected, transactions):
    def work(connection):
        count(connection)
        return transactions.read(lambda other: other.exec_driver_sql(
            'SELECT n FROM counts').scalar())
    assert transactions.write(work) == 0
    assert counted(connected) == 1


def test_work_that_raises_is_rolled_back(connected, transactions):
    def work(connection):
        count(connection)
        raise KeyError('a bug')
    with pytest.raises(KeyError):
        transactions.write(work)
    assert counted(connected) == 0


@pytest.mark.parametrize('error', [
    ConcurrentWrite(), db_exception.DBDuplicateEntry(),
    db_exception.DBReferenceError('t', 'c', 'k', 'kt'),
    db_exception.DBDeadlock()], ids=lambda error: type(error).__name__)
def test_work_that_lost_a_race_is_run_again_as_a_whole(
        connected, transactions, error):
    failures = [error, error]

    def work(connection):
        count(connection)
        if failures:
            raise failures.pop()
    transactions.write(work)
    assert counted(connected) == 1


def test_work_that_loses_every_race_is_unavailable(tmp_path):
    transactions = engine.Transactions(stored.connect(tmp_path),
                                       retry_seconds=0.05)

    def work(connection):
        raise ConcurrentWrite
    with pytest.raises(Unavailable):
        transactions.write(work)


def test_a_write_behind_a_lock_that_stays_is_unavailable(tmp_path, connected):
    transactions = engine.Transactions(connected, retry_seconds=0.05)
    with engine.writer(connected).begin() as connection:
        count(connection)
        with pytest.raises(Unavailable):
            transactions.write(count)


def test_an_exhausted_pool_is_unavailable(tmp_path):
    conf = stored.conf(tmp_path)
    conf.set_override('max_pool_size', 1, 'database')
    conf.set_override('max_overflow', 0, 'database')
    connected = engine.connect(conf)
    connected.pool._timeout = 0.01
    with connected.connect(), pytest.raises(Unavailable):
        engine.Transactions(connected).read(lambda connection: None)
    connected.dispose()


def test_a_replaced_file_is_opened_again(tmp_path):
    """As after a backup was restored."""
    connected = stored.connect(tmp_path)
    transactions = engine.Transactions(connected)
    path = tmp_path / 'state' / 'pileus.sqlite'
    transactions.write(lambda connection: connection.exec_driver_sql(
        'CREATE TABLE t (n INTEGER)'))
    connected.dispose()
    (tmp_path / 'copy').write_bytes(path.read_bytes())
    transactions.write(lambda connection: connection.exec_driver_sql(
        'INSERT INTO t VALUES (1)'))
    for file in path.parent.glob('pileus.sqlite*'):
        file.unlink()
    with pytest.raises(Unavailable):
        transactions.read(rows_of_t)
    (tmp_path / 'copy').rename(path)
    assert transactions.read(rows_of_t) == []
    connected.dispose()


def rows_of_t(connection):
    return connection.exec_driver_sql('SELECT n FROM t').all()


def test_a_bug_in_a_statement_is_not_reported_as_unavailable(transactions):
    with pytest.raises(db_exception.DBError):
        transactions.read(
            lambda connection: connection.exec_driver_sql('SELECT ?'))


@pytest.mark.parametrize(('limit', 'unlimit'), [
    ('query_only = ON', 'query_only = OFF'),
    ('max_page_count = 1', 'max_page_count = 1073741823')],
    ids=['read-only', 'full'])
def test_a_full_or_read_only_file_refuses_writes_until_it_is_not(
        connected, transactions, limit, unlimit):
    """DB07."""
    def write_much(connection):
        count(connection)
        connection.exec_driver_sql('CREATE TABLE much AS SELECT '
                                   'randomblob(100000) AS filling')

    def set_pragma(pragma):
        with connected.connect() as connection:
            connection.exec_driver_sql(f'PRAGMA {pragma}')
    set_pragma(limit)
    with pytest.raises(Unavailable):
        transactions.write(write_much)
    assert counted(connected) == 0
    set_pragma(unlimit)
    transactions.write(write_much)
    assert counted(connected) == 1
