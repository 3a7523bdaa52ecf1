# SPDX-License-Identifier: Apache-2.0
"""A worker is replaced while an edited file is invalid.

The new worker uses the rules, accounts and types that are in force, as the
other workers do.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.access.test_identity_start import HASH, LAMP
from tests.functional.access.test_policy_reload import (
    CLOSED,
    INVALID,
    OPEN,
    complaints,
    creation_status,
    until,
    wait_until_all_answer,
    write,
)
from tests.functional.harness.daemon import (
    SHIPPED_CONFIG,
    Daemon,
    config_dir,
    configure,
)

#: Log text of a worker that has loaded its configuration.
READY_TEXT = 'loaded the app "pileus"'
ADA = {'Authorization': 'Basic YWRhOnMzY3JldA=='}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    rack = (SHIPPED_CONFIG / 'resources.d' / 'rack.yaml').read_text()
    directory = config_dir(tmp_path, LAMP | {'rack': rack},
                           {'api': {'workers': 2}})
    (directory / 'policy.yaml').write_text(OPEN)
    yield from start_daemon(directory)


def start_daemon(directory: Path) -> Iterator[Daemon]:
    """Start the daemon and wait until both workers serve."""
    with Daemon(directory) as daemon:
        until(lambda: daemon.output.count(READY_TEXT) == 2)
        yield daemon


def wait_for_complaint(daemon: Daemon, status: int) -> None:
    """Wait until an invalid file is in the log and a creation gets this
    status."""
    until(lambda: creation_status(daemon) == status
          and len(complaints(daemon)) > 0)


def replace_workers(daemon: Daemon) -> None:
    """Kill all workers at once and wait for new ones.

    No old worker is left that could pass on what is in force.
    """
    before = daemon.output.count(READY_TEXT)
    for pid in daemon.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: daemon.output.count(READY_TEXT) == before + 2)


@pytest.mark.parametrize('text', [*INVALID][2:])
def test_new_workers_have_the_rules_in_force(daemon, text):
    """A09: new workers do not fall back to the default rules, which could
    allow more. They report the invalid file again, and apply it once it is
    valid."""
    write(daemon, text)
    wait_for_complaint(daemon, 200)
    replace_workers(daemon)
    before = len(complaints(daemon))
    wait_until_all_answer(daemon, 200)
    until(lambda: creation_status(daemon) == 200
          and len(complaints(daemon)) > before)
    write(daemon, CLOSED)
    wait_until_all_answer(daemon, 403)


def test_new_workers_have_rules_that_changed_after_the_start(daemon):
    write(daemon, CLOSED)
    wait_until_all_answer(daemon, 403)
    write(daemon, '[')
    wait_for_complaint(daemon, 403)
    replace_workers(daemon)
    wait_until_all_answer(daemon, 403)


def test_a_reload_reads_the_policy_file_again(daemon):
    write(daemon, '[')
    wait_for_complaint(daemon, 200)
    replace_workers(daemon)
    daemon.reload()
    assert 'policy.yaml: line 1' in daemon.output.splitlines()[-1]
    write(daemon, None)
    daemon.reload()
    assert creation_status(daemon) == 403, 'by the default'


@pytest.mark.parametrize('file', ['htpasswd', 'users.yaml'])
def test_new_workers_have_the_accounts_in_force(tmp_path, file):
    directory = config_dir(tmp_path, LAMP, {
        'api': {'auth_strategy': 'http_basic', 'workers': 2}})
    (directory / 'htpasswd').write_text(f'ada:{HASH}\n')
    (directory / 'users.yaml').write_text(
        'ada: {project_id: ours, roles: [member], user_id: u-1}\n')

    with contextlib.contextmanager(start_daemon)(directory) as daemon:
        def statuses() -> tuple[int, ...]:
            return tuple(daemon.request(
                'POST', '/v1/lamps?dry_run=true', {'lamp': {}}, headers).status
                for headers in (ADA, {}))
        assert statuses() == (200, 401)
        (directory / file).write_text('- broken')
        until(lambda: statuses() == (200, 401)
              and 'previous users stay in force' in daemon.output)
        replace_workers(daemon)
        assert {statuses() for _ in range(6)} == {(200, 401)}


@pytest.mark.parametrize('text', [
    'name: lamp\n  nonsense: [', LAMP['lamp'].replace(
        'name: {type: string}', 'name: {type: integer}, size: {type: string}'),
    LAMP['lamp'].replace('name: {type: string}', 'name: {type: string}, '
                         'size: {type: string}'), None])
def test_new_workers_serve_the_types_in_force(daemon, text):
    """Edited type files wait for a reload, even if they only add."""
    file = daemon.directory / 'resources.d' / 'lamp.yaml'
    file.unlink() if text is None else file.write_text(text)
    replace_workers(daemon)
    for _ in range(6):
        created = daemon.request('POST', '/v1/lamps', {'lamp': {'name': 'a'}})
        assert (created.status, created.json['lamp']['name']) == (201, 'a')
        assert 'size' not in created.json['lamp']


def test_a_worker_that_cannot_read_its_options_is_reported(daemon):
    """A new worker reads the options again. Invalid ones are logged, and the
    other workers go on."""
    configure(daemon.directory, {'api': {'max_limit': 'many'}})
    os.kill(daemon.workers()[0], signal.SIGKILL)
    until(lambda: 'cannot start: ' in daemon.output)
    assert 'max_limit = many' in daemon.output
    assert daemon.request('GET', '/v1/lamps').status == 200
