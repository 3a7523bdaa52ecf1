# SPDX-License-Identifier: Apache-2.0
"""Keystone takes connections and does not answer; the options are those of
who set none."""

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

#: As many as a worker carries out at once.
ALL = 64

#: In seconds. Two or three are promised; a busy machine takes more, and ten
#: it would be if each request to Keystone had a patience of its own.
SOON = 8


@pytest.fixture
def waiting(cloud, tmp_path) -> Iterator[Daemon]:
    """One worker, with the timeouts that nobody set."""
    conf = cloud.conf()
    del conf['keystone_authtoken']['http_connect_timeout']
    conf['api']['workers'] = 1
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        yield daemon


def served(daemon: Daemon, token: str) -> int:
    """What it is told once Keystone is itself: it first answers those who
    are not there any more. The test ends by its time limit if it is never."""
    while (reply := ask(daemon, token)).status == 503:
        pass
    return reply.status


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A server and its workers are there, and do nothing."""
    found = subprocess.run(['pgrep', '-P', str(pid)], capture_output=True,
                           text=True, check=True)
    pids = [pid, *map(int, found.stdout.split())]
    for one in pids:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in pids:
            os.kill(one, signal.SIGCONT)


@contextmanager
def unknown(daemon: Daemon, count: int
            ) -> Iterator[queue.SimpleQueue[tuple[float, Reply]]]:
    """So many ask at once with made-up tokens; how long each took, and what
    it was told, as they come."""
    told: queue.SimpleQueue[tuple[float, Reply]] = queue.SimpleQueue()

    def one(number: int) -> None:
        begun = time.monotonic()
        reply = ask(daemon, f'gAAAAAB-made-up-{number}')
        told.put((time.monotonic() - begun, reply))
    asking = [threading.Thread(target=one, args=[number])
              for number in range(count)]
    for thread in asking:
        thread.start()
    try:
        yield told
    finally:
        for thread in asking:
            thread.join()


def test_who_is_known_is_served_while_all_the_others_hang(
        waiting, cloud, tokens):
    """A13: made-up tokens do not fill a worker; each is told within a few
    seconds, most at once, and nothing needs a restart."""
    assert served(waiting, tokens['member']) == 200
    with (frozen(cloud.keystone.pid), unknown(waiting, ALL) as told):
        answers = [told.get(timeout=60)]
        begun = time.monotonic()
        assert ask(waiting, tokens['member']).status == 200
        assert time.monotonic() - begun < SOON
        answers += [told.get(timeout=60) for _ in range(ALL - 1)]
    assert all(is_told_to_come_back(reply) for _, reply in answers)
    assert max(took for took, _ in answers) < SOON
    assert served(waiting, tokens['garbage']) == 401


def test_a_service_that_never_reached_keystone_tells_as_soon(waiting, cloud):
    """A13: to log in comes first, and one waits for the other there."""
    token = cloud.keystone.token('mary', 'alpha')
    with (frozen(cloud.keystone.pid), unknown(waiting, 8) as told):
        answers = [told.get(timeout=60) for _ in range(8)]
    assert all(is_told_to_come_back(reply) for _, reply in answers)
    assert max(took for took, _ in answers) < SOON
    assert served(waiting, token) == 200
