# SPDX-License-Identifier: Apache-2.0
"""An account of PostgreSQL that may not create the extension btree_gist: an
operator is told what is missing and what would do, and nothing fails.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.tables.exclusion import EXTENSION
from tests.functional.harness import databases
from tests.functional.harness.daemon import Daemon, config_dir

MISSING = 'maintenance.exclusive: periods are kept apart by rows to lock'
CONSTRAINTS = "SELECT count(*) FROM pg_constraint WHERE contype = 'x'"

Said = Callable[[str], sa.CursorResult]


@pytest.fixture
def url() -> sa.URL:
    return databases.create('postgresql')


@pytest.fixture
def superuser(url: sa.URL) -> Iterator[Said]:
    """Runs a statement in the database, by who may do anything."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT',
                              poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield lambda said: connection.execute(sa.text(said))


@pytest.fixture
def role(superuser: Said) -> Iterator[str]:
    """May connect to the database, and nothing else."""
    name = f'pileus_{secrets.token_hex(6)}'
    superuser(f'CREATE ROLE {name} LOGIN')
    yield name
    superuser(f'DROP OWNED BY {name} CASCADE')
    superuser(f'DROP ROLE {name}')


@pytest.fixture
def directory(tmp_path: Path, url: sa.URL, role: str) -> Path:
    return config_dir(tmp_path, conf={
        'DEFAULT': {'debug': False}, 'database': {
            'connection': databases.config_url(url.set(username=role))}})


def manage(directory: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name('pileus-manage'), '--config-dir',
         directory, *words], check=False, capture_output=True, text=True)
    assert 'Traceback' not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_who_may_not_create_it_is_told_what_would_do(
        directory, role, superuser):
    """By the plan, by the apply and by a start, which all do without."""
    superuser(f'GRANT CREATE ON SCHEMA public TO {role}')
    for words, status in (('plan', 1), ('apply', 0), ('plan', 0)):
        found, _, told = manage(directory, 'schema', words)
        assert (found, told.count(MISSING)) == (status, 1), told
        assert f'let a superuser run "{EXTENSION}"' in told
    assert superuser(CONSTRAINTS).scalar() == 0
    with Daemon(directory) as daemon:
        (line,) = (one for one in daemon.output.splitlines()
                   if MISSING in one)
        assert ' WARNING ' in line and EXTENSION in line
        assert daemon.request('GET', '/v1/maintenances').status == 200


def test_once_a_superuser_has_created_it_the_account_does_the_rest(
        directory, role, superuser):
    superuser(f'GRANT CREATE ON SCHEMA public TO {role}')
    manage(directory, 'schema', 'apply')
    superuser(EXTENSION)
    status, told, _ = manage(directory, 'schema', 'plan')
    assert status == 1
    assert 'periods [starts_at, ends_at] may not overlap' in told
    assert 'CREATE EXTENSION' not in told
    status, _, told = manage(directory, 'schema', 'apply')
    assert (status, MISSING in told) == (0, False)
    assert superuser(CONSTRAINTS).scalar() == 1
    assert manage(directory, 'schema', 'plan')[0] == 0
    with Daemon(directory) as daemon:
        assert MISSING not in daemon.output


def test_who_may_create_no_table_is_told_so_in_a_line(directory):
    """As since PostgreSQL 15 whoever was not granted it."""
    for words in (('schema', 'apply'), ('db', 'upgrade')):
        status, _, told = manage(directory, *words)
        assert status == 2
        assert len(told.splitlines()) == 1, told
        assert 'cannot be used: permission denied for schema public' in told
