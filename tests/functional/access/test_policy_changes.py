# SPDX-License-Identifier: Apache-2.0
"""Every worker applies a change of the policy files within a second.

The tests send requests to each worker without a pause and time the answers.
A change that takes longer fails the test only if all answers were fast:
otherwise the machine is slow, and not the service.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.access.test_policy_reload import (
    CLOSED,
    OPEN,
    READER,
    complaints,
    creation_status,
    process_id,
    write,
)
from tests.functional.harness.connections import (
    HTTPConnection,
    connect_to_each_worker,
    send_request,
)
from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, config_dir

WORKERS = 2

#: Longest time until a change is in force, and longest answer time on a
#: machine that is fast enough to judge the service.
DEADLINE_SECONDS, FAST_SECONDS = 1.0, 0.05

#: Log line of a worker that applies changed files.
IN_FORCE = 'The policy files changed; their rules are in force.'

#: Number of changes that must be in force in time.
CHANGES_IN_TIME = 3

Condition = Callable[[], bool]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    directory = config_dir(tmp_path, conf={'api': {'workers': WORKERS}})
    (directory / 'policy.yaml').write_text(OPEN)
    (directory / 'policy.d').mkdir()
    with Daemon(directory) as daemon:
        yield daemon


@pytest.fixture
def connections(daemon: Daemon) -> Iterator[list[HTTPConnection]]:
    """A connection to each worker."""
    with connect_to_each_worker(daemon, WORKERS) as by_worker:
        yield [connection for (connection,) in by_worker.values()]


def status(connection: HTTPConnection) -> int:
    """Return the status of a dry run of a reader's POST of a rack."""
    return send_request(connection, 'POST', '/v1/racks?dry_run=true',
                        {'rack': {'name': 'r'}}, READER)[0]


def all_answer(connections: list[HTTPConnection],
               expected: int) -> Condition:
    return lambda: {status(each) for each in connections} == {expected}


def in_time(change: Callable[[], object], condition: Condition) -> bool:
    """Make a change; return whether the condition is true within a second.

    Raise AssertionError if it is late although the machine is fast.
    """
    change()
    started = last = time.monotonic()
    slowest, done = 0.0, False
    while not done:
        done = condition()
        now = time.monotonic()
        slowest, last = max(slowest, now - last), now
        assert now < started + WAIT_SECONDS
    late = last - started > DEADLINE_SECONDS
    assert not (late and slowest < FAST_SECONDS), last - started
    return not late


def make_changes_in_time(
        changes: Iterator[tuple[Callable[[], object], Condition]]) -> None:
    """Make changes until enough of them were in force in time."""
    end, in_force = time.monotonic() + WAIT_SECONDS, 0
    while in_force < CHANGES_IN_TIME:
        assert time.monotonic() < end
        in_force += in_time(*next(changes))


def test_every_worker_applies_an_edit_within_a_second(daemon, connections):
    """A09: the edited file is policy.yaml."""
    make_changes_in_time(itertools.cycle([
        (lambda: write(daemon, CLOSED), all_answer(connections, 403)),
        (lambda: write(daemon, OPEN), all_answer(connections, 200))]))


def test_every_worker_applies_a_new_or_removed_file_within_a_second(
        daemon, connections):
    """A09: the file is in policy.d."""
    added = daemon.directory / 'policy.d' / 'more.yaml'
    make_changes_in_time(itertools.cycle([
        (lambda: added.write_text(CLOSED), all_answer(connections, 403)),
        (added.unlink, all_answer(connections, 200))]))


def test_every_worker_reports_a_removed_policy_file_within_a_second(
        daemon, connections):
    """A09: the rules stay in force, because an editor may be about to write
    the file again. A reload applies the default rules."""
    def changes() -> Iterator[tuple[Callable[[], object], Condition]]:
        while True:
            count = len(complaints(daemon)) + WORKERS
            yield lambda: write(daemon, None), lambda: (
                all_answer(connections, 200)()
                and len(complaints(daemon)) == count)  # noqa: B023
            write(daemon, OPEN)
            applied = daemon.output.count(IN_FORCE) + WORKERS
            in_time(lambda: None, lambda: (
                all_answer(connections, 200)()
                and daemon.output.count(IN_FORCE) == applied))  # noqa: B023
    make_changes_in_time(changes())
    lines = complaints(daemon)[-WORKERS:]
    assert all('policy.yaml: the file is missing' in line for line in lines)
    assert len({process_id(line) for line in lines}) == WORKERS
    daemon.reload()
    assert creation_status(daemon) == 403, 'by the default'
