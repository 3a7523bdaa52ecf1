# SPDX-License-Identifier: Apache-2.0
"""Keystone accepts connections and does not answer; default timeouts."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.functional.harness.daemon import Daemon, Reply, config_dir
from tests.functional.keystone.test_outage import ask, is_told_to_come_back

#: ``max_in_flight``: the requests that a worker processes at once.
ALL = 64

#: Two or three seconds are documented, and a busy machine takes more. It would
#: be ten if each request to Keystone had a timeout of its own.
SOON_SECONDS = 8


@pytest.fixture
def waiting(cloud, tmp_path) -> Iterator[Daemon]:
    """A service with one worker and the default timeouts."""
    conf = cloud.conf()
    del conf['keystone_authtoken']['http_connect_timeout']
    conf['api']['workers'] = 1
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        yield daemon


def served(daemon: Daemon, token: str) -> int:
    """Return the status once Keystone answers again.

    Keystone first answers requests whose clients have given up. The time limit
    of the test applies.
    """
    while (reply := ask(daemon, token)).status == 503:
        pass
    return reply.status


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a server and its workers by SIGSTOP."""
    children = subprocess.run(['pgrep', '-P', str(pid)], capture_output=True,
                              text=True, check=True)
    pids = [pid, *map(int, children.stdout.split())]
    for child in pids:
        os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        for child in pids:
            os.kill(child, signal.SIGCONT)


@contextmanager
def unknown(daemon: Daemon, count: int
            ) -> Iterator[queue.SimpleQueue[tuple[float, Reply]]]:
    """Send ``count`` requests at once with made-up tokens.

    The queue yields the seconds that each took and its reply, as they arrive.
    """
    replies: queue.SimpleQueue[tuple[float, Reply]] = queue.SimpleQueue()

    def send(number: int) -> None:
        started = time.monotonic()
        reply = ask(daemon, f'gAAAAAB-made-up-{number}')
        replies.put((time.monotonic() - started, reply))
    threads = [threading.Thread(target=send, args=[number])
               for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield replies
    finally:
        for thread in threads:
            thread.join()


def test_cached_tokens_are_served_while_unknown_ones_wait_for_keystone(
        waiting, cloud, tokens):
    """A13: made-up tokens do not fill a worker.

    Each is refused within a few seconds, and nothing needs a restart.
    """
    assert served(waiting, tokens['member']) == 200
    with (frozen(cloud.keystone.pid), unknown(waiting, ALL) as replies):
        answers = [replies.get(timeout=60)]
        started = time.monotonic()
        assert ask(waiting, tokens['member']).status == 200
        assert time.monotonic() - started < SOON_SECONDS
        answers += [replies.get(timeout=60) for _ in range(ALL - 1)]
    assert all(is_told_to_come_back(reply) for _, reply in answers)
    assert max(took for took, _ in answers) < SOON_SECONDS
    assert served(waiting, tokens['garbage']) == 401


def test_a_service_that_never_reached_keystone_refuses_as_soon(waiting, cloud):
    """A13: the login comes first, and concurrent requests wait for it."""
    token = cloud.keystone.token('mary', 'alpha')
    with (frozen(cloud.keystone.pid), unknown(waiting, 8) as replies):
        answers = [replies.get(timeout=60) for _ in range(8)]
    assert all(is_told_to_come_back(reply) for _, reply in answers)
    assert max(took for took, _ in answers) < SOON_SECONDS
    assert served(waiting, token) == 200
