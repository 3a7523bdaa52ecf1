# SPDX-License-Identifier: Apache-2.0
"""A worker dies while a file that was edited does not do: the one that takes
its place goes on with what is in force, as the others do.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.access import test_policy_reload as editing
from tests.functional.access.test_identity_start import HASH, LAMP
from tests.functional.access.test_policy_reload import (
    BROKEN,
    CLOSED,
    OPEN,
    complaints,
    everywhere,
    until,
    write,
)
from tests.functional.harness.daemon import (
    SHIPPED_CONFIG,
    Daemon,
    config_dir,
    configure,
)

#: Said by a worker that has read all it needs.
SERVES = 'loaded the app "pileus"'
ADA = {'Authorization': 'Basic YWRhOnMzY3JldA=='}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    rack = (SHIPPED_CONFIG / 'resources.d' / 'rack.yaml').read_text()
    directory = config_dir(tmp_path, LAMP | {'rack': rack},
                           {'api': {'workers': 2}})
    (directory / 'policy.yaml').write_text(OPEN)
    yield from serving(directory)


def serving(directory: Path) -> Iterator[Daemon]:
    """With both workers there."""
    with Daemon(directory) as running:
        until(lambda: running.output.count(SERVES) == 2)
        yield running


def replaced(daemon: Daemon) -> None:
    """Every worker is killed at once, and others serve: none is left that
    could tell them what is in force."""
    serving = daemon.output.count(SERVES)
    for pid in daemon.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: daemon.output.count(SERVES) == serving + 2)


@pytest.mark.parametrize('text', [*BROKEN][2:])
def test_the_rules_are_those_in_force(daemon, text):
    """A09: not the default's, and never more open than they were; the file
    is found wrong again, and is heeded once it is mended."""
    write(daemon, text)
    until(lambda: editing.made(daemon) == 200 and len(complaints(daemon)))
    replaced(daemon)
    before = len(complaints(daemon))
    everywhere(daemon, 200)
    until(lambda: editing.made(daemon) == 200
          and len(complaints(daemon)) > before)
    write(daemon, CLOSED)
    everywhere(daemon, 403)


def test_rules_that_came_after_the_start_are_kept_too(daemon):
    write(daemon, CLOSED)
    everywhere(daemon, 403)
    write(daemon, '[')
    until(lambda: editing.made(daemon) == 403 and len(complaints(daemon)))
    replaced(daemon)
    everywhere(daemon, 403)


def test_a_reload_after_all_that_begins_with_the_file(daemon):
    write(daemon, '[')
    until(lambda: editing.made(daemon) == 200 and len(complaints(daemon)))
    replaced(daemon)
    daemon.reload()
    assert 'policy.yaml: line 1' in daemon.output.splitlines()[-1]
    write(daemon, None)
    daemon.reload()
    assert editing.made(daemon) == 403, 'by the default'


@pytest.mark.parametrize('file', ['htpasswd', 'users.yaml'])
def test_users_are_who_they_were(tmp_path, file):
    directory = config_dir(tmp_path, LAMP, {
        'api': {'auth_strategy': 'http_basic', 'workers': 2}})
    (directory / 'htpasswd').write_text(f'ada:{HASH}\n')
    (directory / 'users.yaml').write_text(
        'ada: {project_id: ours, roles: [member], user_id: u-1}\n')

    with contextlib.contextmanager(serving)(directory) as daemon:
        def asked() -> tuple[int, ...]:
            return tuple(daemon.request(
                'POST', '/v1/lamps?dry_run=true', {'lamp': {}}, sent).status
                for sent in (ADA, {}))
        assert asked() == (200, 401)
        (directory / file).write_text('- broken')
        until(lambda: asked() == (200, 401)
              and 'previous users stay in force' in daemon.output)
        replaced(daemon)
        assert {asked() for _ in range(6)} == {(200, 401)}


@pytest.mark.parametrize('text', [
    'name: lamp\n  nonsense: [', LAMP['lamp'].replace(
        'name: {type: string}', 'name: {type: integer}, size: {type: string}'),
    LAMP['lamp'].replace('name: {type: string}', 'name: {type: string}, '
                         'size: {type: string}'), None])
def test_the_types_are_those_that_are_served(daemon, text):
    """What files propose since is for a reload: also what only adds."""
    file = daemon.directory / 'resources.d' / 'lamp.yaml'
    file.unlink() if text is None else file.write_text(text)
    replaced(daemon)
    for _ in range(6):
        made = daemon.request('POST', '/v1/lamps', {'lamp': {'name': 'a'}})
        assert (made.status, made.json['lamp']['name']) == (201, 'a')
        assert 'size' not in made.json['lamp']


def test_a_worker_that_cannot_read_its_configuration_is_named(daemon):
    """The options are read anew: what does not do there is told, and the
    workers that serve go on."""
    configure(daemon.directory, {'api': {'max_limit': 'many'}})
    os.kill(daemon.workers()[0], signal.SIGKILL)
    until(lambda: 'cannot start: ' in daemon.output)
    assert 'max_limit = many' in daemon.output
    assert daemon.request('GET', '/v1/lamps').status == 200
