# SPDX-License-Identifier: Apache-2.0
"""The policy file is edited while the service is asked: no request fails, a
file that does not do changes nothing, and one that does is soon in force.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, config_dir

READER = {'X-Roles': 'reader'}
OPEN = '"pileus:racks:create": "role:reader"\n'
CLOSED = '"pileus:racks:create": "role:admin"\n'

#: Edits that must change nothing (A09): what the file then holds, and what
#: the log says of it. None: it is gone.
BROKEN: dict[str | None, str] = {
    '"pileus:racks:create": "role:rea': 'policy.yaml: line 1: found unexp',
    '- "role:reader"\n':
        'line 1: the file is not a mapping of rule names to checks',
    '': 'policy.yaml: the file is empty',
    '\n"pileus:racks:create": ""\n':
        'line 2: pileus:racks:create: an empty check',
    '"pileus:racks:craete": "role:admin"\n':
        'line 1: pileus:racks:craete: no action uses this rule name',
    '"pileus:racks:create": "rule:admn"\n': 'there is no rule admn',
    '"pileus:racks:create": "reader"\n': 'is not valid policy language',
    '"pileus:racks:create": "https://judge/"\n':
        'line 1: pileus:racks:create: "https://judge/" is not a check of the',
    '"pileus:racks:create": "role:100%"\n': '"role:100%" cannot be evaluated',
    None: 'policy.yaml: the file is missing',
}


class Load:
    """Readers that ask without a pause; ``statuses`` is what they got."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask)
                         for _ in range(2)]
        self.statuses: list[int] = []

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        for one in self._threads:
            one.join()

    def _ask(self) -> None:
        while not self._end.is_set():
            self.statuses.append(self._daemon.request(
                'GET', '/v1/racks', None, READER).status)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """With both workers there: it is ready with the first."""
    directory = config_dir(tmp_path, conf={'api': {'workers': 2}})
    (directory / 'policy.yaml').write_text(OPEN)
    with Daemon(directory) as running:
        until(lambda: running.output.count('Serving the resource types') == 2)
        yield running


def write(daemon: Daemon, text: str | None) -> None:
    path = daemon.directory / 'policy.yaml'
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not claim():
        assert time.monotonic() < end


def made(daemon: Daemon) -> int:
    """What a reader gets who would make a rack; nothing is kept."""
    return daemon.request('POST', '/v1/racks?dry_run=true', {
        'rack': {'name': 'r'}}, READER).status


def everywhere(daemon: Daemon, status: int) -> None:
    """Every worker answers so, as far as many requests can tell."""
    until(lambda: {made(daemon) for _ in range(10)} == {status})


def complaints(daemon: Daemon) -> list[str]:
    return [line for line in daemon.output.splitlines()
            if 'The policy files changed but are invalid' in line]


def speaker(line: str) -> str:
    """The process that wrote a line of the log."""
    return line.split()[2]


def test_edits_under_load(daemon):
    """A09: each broken edit is told once by a worker, with its file and line,
    and the rules stay; the file that is mended is in force soon after."""
    everywhere(daemon, 200)
    with Load(daemon) as load:
        for text, told in BROKEN.items():
            before = len(complaints(daemon))
            write(daemon, text)
            until(lambda before=before: len(complaints(daemon)) > before)
            assert {made(daemon) for _ in range(5)} == {200}, text
            lines = complaints(daemon)[before:]
            assert [one for one in lines
                    if told not in one or ' ERROR ' not in one] == []
            assert len({speaker(one) for one in lines}) == len(lines)
        write(daemon, CLOSED)
        everywhere(daemon, 403)
        write(daemon, OPEN)
        everywhere(daemon, 200)
    assert set(load.statuses) == {200}
    assert 'Traceback' not in daemon.output


def test_a_reload_reads_it_whatever_its_time(daemon):
    """A09: and one that does not do keeps the service as it was."""
    write(daemon, '[')
    daemon.reload()
    everywhere(daemon, 200)
    write(daemon, None)
    daemon.reload()
    assert made(daemon) == 403, 'by the default'
    write(daemon, OPEN)
    everywhere(daemon, 200)
