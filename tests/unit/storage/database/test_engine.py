# SPDX-License-Identifier: Apache-2.0
"""SQLite under writers in many threads and processes."""

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
    made = stored.connect(tmp_path)
    with made.begin() as connection:
        connection.exec_driver_sql(COUNT)
        connection.exec_driver_sql('INSERT INTO counts VALUES (0)')
    yield made
    made.dispose()


@pytest.fixture
def transactions(connected):
    return engine.Transactions(connected)


def count(connection):
    """Read, think, write: what two writers at once would get wrong."""
    n = connection.exec_driver_sql('SELECT n FROM counts').scalar_one()
    connection.exec_driver_sql('UPDATE counts SET n = ?', (n + 1,))


def counted(connected):
    with connected.connect() as connection:
        return connection.exec_driver_sql('SELECT n FROM counts').scalar()


@pytest.mark.parametrize(('pragma', 'value'), [
    ('journal_mode', 'wal'), ('foreign_keys', 1), ('synchronous', 2),
    ('busy_timeout', 20)])
def test_every_connection_is_prepared(connected, pragma, value):
    with connected.connect() as one, connected.connect() as other:
        for connection in (one, other):
            assert connection.exec_driver_sql(
                f'PRAGMA {pragma}').scalar() == value


def test_connections_are_kept(connected):
    with connected.connect() as connection:
        first = connection.connection.dbapi_connection
    with connected.connect() as connection:
        assert connection.connection.dbapi_connection is first


def test_nothing_connects_before_it_is_used(tmp_path):
    made = stored.connect(tmp_path)
    assert not (tmp_path / 'state' / 'pileus.sqlite').exists()
    made.dispose()


def test_a_url_that_is_none_is_told_without_repeating_it(tmp_path):
    conf = stored.conf(tmp_path)
    conf.set_override('connection', 'secret@nowhere', 'database')
    with pytest.raises(StartError) as caught:
        engine.connect(conf)
    assert 'secret' not in str(caught.value)
    assert '[database] connection' in str(caught.value)


def test_threads_count_each_other(connected, transactions):
    """DB06."""
    failures = []

    def work():
        try:
            for _ in range(20):
                transactions.write(count)
        except Unavailable as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (failures, counted(connected)) == ([], 160)


WRITER = '''
import sys
from tests.unit.storage.database.test_engine import count
from service.config import files
from service.storage.database import engine
made = engine.Transactions(engine.connect(
    files.load(['--config-dir', sys.argv[1]])))
sys.stdin.readline()
for _ in range(40):
    made.write(count)
'''


def test_processes_count_each_other(connected, tmp_path):
    """DB06: another process cannot be waited for with a lock of ours."""
    writers = [subprocess.Popen(
        [sys.executable, '-c', WRITER, str(tmp_path)], cwd=ROOT,
        stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    told = [one.communicate(b'go\n', timeout=60)[1] for one in writers]
    assert [one.returncode for one in writers] == [0, 0, 0], told
    assert counted(connected) == 120


def test_a_reader_sees_the_state_before_while_a_writer_writes(
        connected, transactions):
    def work(connection):
        count(connection)
        return transactions.read(lambda other: other.exec_driver_sql(
            'SELECT n FROM counts').scalar())
    assert transactions.write(work) == 0
    assert counted(connected) == 1


def test_work_that_raises_leaves_nothing(connected, transactions):
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
def test_work_that_was_raced_is_run_again_as_a_whole(
        connected, transactions, error):
    failures = [error, error]

    def work(connection):
        count(connection)
        if failures:
            raise failures.pop()
    transactions.write(work)
    assert counted(connected) == 1


def test_work_that_is_always_raced_ends_as_unavailable(tmp_path):
    """Nothing says that it would ever win; the client may try again."""
    made = engine.Transactions(stored.connect(tmp_path), retry_seconds=0.05)

    def work(connection):
        raise ConcurrentWrite
    with pytest.raises(Unavailable):
        made.write(work)


def test_a_foreign_lock_that_stays_ends_as_unavailable(tmp_path, connected):
    made = engine.Transactions(connected, retry_seconds=0.05)
    with engine.writer(connected).begin() as connection:
        count(connection)
        with pytest.raises(Unavailable):
            made.write(count)


def test_a_full_pool_ends_as_unavailable(tmp_path):
    conf = stored.conf(tmp_path)
    conf.set_override('max_pool_size', 1, 'database')
    conf.set_override('max_overflow', 0, 'database')
    made = engine.connect(conf)
    made.pool._timeout = 0.01
    with made.connect(), pytest.raises(Unavailable):
        engine.Transactions(made).read(lambda connection: None)
    made.dispose()


def test_a_file_that_is_another_is_opened_anew(tmp_path):
    """As after a backup was put in its place."""
    made = stored.connect(tmp_path)
    run = engine.Transactions(made)
    where = tmp_path / 'state' / 'pileus.sqlite'
    run.write(lambda connection: connection.exec_driver_sql(
        'CREATE TABLE t (n INTEGER)'))
    made.dispose()
    (tmp_path / 'copy').write_bytes(where.read_bytes())
    run.write(lambda connection: connection.exec_driver_sql(
        'INSERT INTO t VALUES (1)'))
    for file in where.parent.glob('pileus.sqlite*'):
        file.unlink()
    with pytest.raises(Unavailable):
        run.read(rows_of_t)
    (tmp_path / 'copy').rename(where)
    assert run.read(rows_of_t) == []
    made.dispose()


def rows_of_t(connection):
    return connection.exec_driver_sql('SELECT n FROM t').all()


def test_a_bug_in_a_statement_is_no_trouble_of_the_database(transactions):
    with pytest.raises(db_exception.DBError):
        transactions.read(
            lambda connection: connection.exec_driver_sql('SELECT ?'))


@pytest.mark.parametrize(('worse', 'better'), [
    ('query_only = ON', 'query_only = OFF'),
    ('max_page_count = 1', 'max_page_count = 1073741823')],
    ids=['read-only', 'full'])
def test_a_file_that_takes_no_more_is_still_read(connected, transactions,
                                                 worse, better):
    """DB07."""
    def much(connection):
        count(connection)
        connection.exec_driver_sql('CREATE TABLE much AS SELECT '
                                   'randomblob(100000) AS filling')

    def turn(pragma):
        with connected.connect() as connection:
            connection.exec_driver_sql(f'PRAGMA {pragma}')
    turn(worse)
    with pytest.raises(Unavailable):
        transactions.write(much)
    assert counted(connected) == 0
    turn(better)
    transactions.write(much)
    assert counted(connected) == 1
