# SPDX-License-Identifier: Apache-2.0
"""Markers and fixtures of all functional tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.harness import databases
from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

HERE = Path(__file__).parent

#: Folders and files that need no run on each database: they use no database,
#: or create their own on each.
DATABASE_INDEPENDENT = frozenset({
    'clients', 'contract', 'faults', 'http', 'keystone', 'operating',
    'process', 'storage', 'types_in_use',
    'access/test_identity_start.py', 'access/test_matrix.py',
    'access/test_not_writable.py', 'access/test_policy_changes.py',
    'access/test_policy_reload.py', 'access/test_policy_tools.py',
    'attacks/test_bad_input.py', 'attacks/test_hostile_bodies.py',
    'attacks/test_hostile_requests.py', 'attacks/test_secrets.py',
    'concurrency/test_linearizable.py', 'concurrency/test_quota_races.py',
    'concurrency/test_sqlite_writers.py', 'records/test_unified_limits.py'})

#: Folders and files with races, kills and failing servers. They take minutes
#: and run in a tox environment of their own.
FAULTS = frozenset({
    'faults', 'concurrency/test_linearizable.py',
    'concurrency/test_quota_races.py', 'storage/schema/test_faults.py',
    'types_in_use/test_rollout.py'})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        path = item.path.relative_to(HERE)
        names = {path.parts[0], path.as_posix()}
        if names & DATABASE_INDEPENDENT:
            item.add_marker(pytest.mark.database_independent)
        if names & FAULTS:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope='session', autouse=True)
def databases_of_the_session() -> Iterator[None]:
    """Drop the databases of the session, also after SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with databases.scope():
        yield


@pytest.fixture(scope='module', autouse=True)
def databases_of_the_file(databases_of_the_session: None) -> Iterator[None]:
    """Drop the databases of module fixtures at the end of the file."""
    with databases.scope():
        yield


@pytest.fixture(autouse=True)
def databases_of_the_test(databases_of_the_file: None) -> Iterator[None]:
    with databases.scope():
        yield


@pytest.fixture(scope='module')
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """``pileus-api`` with the shipped types, shared by the tests of a file."""
    with Daemon(config_dir(tmp_path_factory.mktemp('daemon'))) as daemon:
        yield daemon


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """The shipped types in this process, with an empty database."""
    return Application(config_dir(tmp_path))
