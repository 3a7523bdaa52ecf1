# SPDX-License-Identifier: Apache-2.0
"""Without permission to create the extension btree_gist of PostgreSQL,
commands and starts succeed and say how to install it.
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

MISSING = 'maintenance.exclusive: the service prevents overlapping periods'
CONSTRAINTS = "SELECT count(*) FROM pg_constraint WHERE contype = 'x'"

Execute = Callable[[str], sa.CursorResult]


@pytest.fixture
def url() -> sa.URL:
    return databases.create('postgresql')


@pytest.fixture
def superuser(url: sa.URL) -> Iterator[Execute]:
    """Executes a statement in the database as a superuser."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT',
                              poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield lambda statement: connection.execute(sa.text(statement))


@pytest.fixture
def role(superuser: Execute) -> Iterator[str]:
    """An account that may only connect to the database."""
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
    process = subprocess.run(
        [Path(sys.executable).with_name('pileus-manage'), '--config-dir',
         directory, *words], check=False, capture_output=True, text=True)
    assert 'Traceback' not in process.stderr
    return process.returncode, process.stdout, process.stderr


def test_plan_apply_and_start_say_how_to_install_the_extension(
        directory, role, superuser):
    superuser(f'GRANT CREATE ON SCHEMA public TO {role}')
    for command, expected in (('plan', 1), ('apply', 0), ('plan', 0)):
        status, _, errors = manage(directory, 'schema', command)
        assert (status, errors.count(MISSING)) == (expected, 1), errors
        assert f'let a superuser run "{EXTENSION}"' in errors
    assert superuser(CONSTRAINTS).scalar() == 0
    with Daemon(directory) as daemon:
        (line,) = (line for line in daemon.output.splitlines()
                   if MISSING in line)
        assert ' WARNING ' in line and EXTENSION in line
        assert daemon.request('GET', '/v1/maintenances').status == 200


def test_an_apply_adds_the_constraint_once_the_extension_is_installed(
        directory, role, superuser):
    superuser(f'GRANT CREATE ON SCHEMA public TO {role}')
    manage(directory, 'schema', 'apply')
    superuser(EXTENSION)
    status, output, _ = manage(directory, 'schema', 'plan')
    assert status == 1
    assert 'forbid overlapping periods [starts_at, ends_at]' in output
    assert 'CREATE EXTENSION' not in output
    status, _, errors = manage(directory, 'schema', 'apply')
    assert (status, MISSING in errors) == (0, False)
    assert superuser(CONSTRAINTS).scalar() == 1
    assert manage(directory, 'schema', 'plan')[0] == 0
    with Daemon(directory) as daemon:
        assert MISSING not in daemon.output


def test_an_account_without_create_gets_an_error_of_one_line(directory):
    """Since PostgreSQL 15 an account needs a GRANT to create tables."""
    for words in (('schema', 'apply'), ('db', 'upgrade')):
        status, _, errors = manage(directory, *words)
        assert status == 2
        assert len(errors.splitlines()) == 1, errors
        assert ('cannot be used: permission denied for schema public'
                in errors)
