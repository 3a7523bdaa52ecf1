# SPDX-License-Identifier: Apache-2.0
"""What several rooms of functional tests ask."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional import databases
from tests.functional.harness import Daemon, config_dir
from tests.functional.inprocess import Application

HERE = Path(__file__).parent

#: Rooms and files of which a run on one database tells all there is to know;
#: some bring each database themselves.
ONCE = frozenset({
    'clients', 'faults', 'http', 'keystone', 'process', 'storage',
    'test_audit.py', 'test_backup.py', 'test_bad_input.py',
    'test_check.py', 'test_conformance_rows.py', 'test_conformance_walks.py',
    'test_cors.py',
    'test_databases.py', 'test_evolved_types.py', 'test_generations.py',
    'test_golden.py', 'test_hostile_bodies.py', 'test_hostile_requests.py',
    'test_identity_start.py', 'test_linearizable.py', 'test_log_records.py',
    'test_lost_database.py', 'test_machine.py', 'test_matrix.py',
    'test_not_writable.py', 'test_openapi.py', 'test_own_routes.py',
    'test_peer_run.py', 'test_policy_reload.py', 'test_policy_soon.py',
    'test_policy_tools.py', 'test_probes.py', 'test_quota_races.py',
    'test_readme.py',
    'test_redirects.py', 'test_reliability_rows.py',
    'test_replaced_worker.py', 'test_rollout.py', 'test_secrets.py',
    'test_sqlite_writers.py', 'test_unified_limits.py'})


#: Races, kills and failing servers: minutes each, in an environment of their
#: own.
FAULTS = frozenset({
    'test_linearizable.py', 'test_quota_races.py', 'test_rollout.py',
    'test_schema_faults.py'})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        room = item.path.relative_to(HERE).parts[0]
        if room in ONCE:
            item.add_marker(pytest.mark.once)
        if room == 'faults' or item.path.name in FAULTS:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope='session', autouse=True)
def databases_of_the_session() -> Iterator[None]:
    """A run that is told to end drops its databases first."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with databases.scope():
        yield


@pytest.fixture(scope='module', autouse=True)
def databases_of_the_file(databases_of_the_session: None) -> Iterator[None]:
    """What fixtures of a whole file create goes when the file is done."""
    with databases.scope():
        yield


@pytest.fixture(autouse=True)
def databases_of_the_test(databases_of_the_file: None) -> Iterator[None]:
    with databases.scope():
        yield


@pytest.fixture(scope='module')
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """``pileus-api`` with the shipped types, one for all tests of a file."""
    with Daemon(config_dir(tmp_path_factory.mktemp('daemon'))) as running:
        yield running


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """The shipped types in this process, over an empty database."""
    return Application(config_dir(tmp_path))
