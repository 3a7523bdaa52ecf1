# SPDX-License-Identifier: Apache-2.0
"""Edits of the policy file while the service answers requests.

No request fails, an invalid file changes nothing, and a valid file is in
force soon.
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

#: Invalid content of the file, which must change nothing (A09) -> text of the
#: log. None removes the file.
INVALID: dict[str | None, str] = {
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
    """Readers that send requests without a pause and record the statuses."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send)
                         for _ in range(2)]
        self.statuses: list[int] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._end.is_set():
            self.statuses.append(self._daemon.request(
                'GET', '/v1/racks', None, READER).status)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Two workers, both of which serve; the daemon is ready with the first.
    """
    directory = config_dir(tmp_path, conf={'api': {'workers': 2}})
    (directory / 'policy.yaml').write_text(OPEN)
    with Daemon(directory) as daemon:
        until(lambda: daemon.output.count('Serving the resource types') == 2)
        yield daemon


def write(daemon: Daemon, text: str | None) -> None:
    path = daemon.directory / 'policy.yaml'
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end


def creation_status(daemon: Daemon) -> int:
    """Return the status of a dry run of a reader's POST of a rack."""
    return daemon.request('POST', '/v1/racks?dry_run=true', {
        'rack': {'name': 'r'}}, READER).status


def wait_until_all_answer(daemon: Daemon, status: int) -> None:
    """Wait until ten requests in a row get this status."""
    until(lambda: {creation_status(daemon) for _ in range(10)} == {status})


def complaints(daemon: Daemon) -> list[str]:
    return [line for line in daemon.output.splitlines()
            if 'The policy files changed but are invalid' in line]


def process_id(line: str) -> str:
    """Return the id of the process that wrote a log line."""
    return line.split()[2]


def test_no_request_fails_while_the_policy_file_is_edited(daemon):
    """A09: each worker logs an invalid edit once, with its file and line, and
    the rules stay in force. A valid file is in force soon."""
    wait_until_all_answer(daemon, 200)
    with Load(daemon) as load:
        for text, message in INVALID.items():
            before = len(complaints(daemon))
            write(daemon, text)
            until(lambda before=before: len(complaints(daemon)) > before)
            assert {creation_status(daemon) for _ in range(5)} == {200}, text
            lines = complaints(daemon)[before:]
            assert [line for line in lines
                    if message not in line or ' ERROR ' not in line] == []
            assert len({process_id(line) for line in lines}) == len(lines)
        write(daemon, CLOSED)
        wait_until_all_answer(daemon, 403)
        write(daemon, OPEN)
        wait_until_all_answer(daemon, 200)
    assert set(load.statuses) == {200}
    assert 'Traceback' not in daemon.output


def test_a_reload_reads_the_policy_file_whatever_its_mtime(daemon):
    """A09: an invalid file leaves the rules in force."""
    write(daemon, '[')
    daemon.reload()
    wait_until_all_answer(daemon, 200)
    write(daemon, None)
    daemon.reload()
    assert creation_status(daemon) == 403, 'by the default'
    write(daemon, OPEN)
    wait_until_all_answer(daemon, 200)
