# SPDX-License-Identifier: Apache-2.0
"""``--daemon`` and ``--pid-file``: detach, and start only once."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, children
from tests.functional.process.conftest import Served


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    """Yield a pid file; its daemon is killed if the test did not end it."""
    path = tmp_path / 'api.pid'
    yield path
    if path.exists():
        os.kill(int(path.read_text()), signal.SIGKILL)


def start_detached(daemon: Daemon) -> None:
    """Start the daemon; the command returns when it serves."""
    daemon.launch()
    assert daemon.wait_for_exit() == 0, daemon.output


def end(pid: int) -> None:
    """Send SIGTERM, and return when the process has ended."""
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    assert select.select([process], [], [], WAIT_SECONDS)[0]
    os.close(process)


def test_a_daemon_detaches_serves_and_removes_its_pid_file(
        prepared: Served, pid_file: Path, tmp_path: Path) -> None:
    daemon = prepared('--daemon', '--pid-file', str(pid_file),
                      '--log-file', str(tmp_path / 'pileus.log'))
    start_detached(daemon)
    assert daemon.request('GET', '/').status == 200
    pid = int(pid_file.read_text())
    assert pid != daemon.pid
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f'/proc/{pid}/cwd') == '/'
    assert os.readlink(f'/proc/{pid}/fd/0') == '/dev/null'
    assert len(children(pid)) == 1
    end(pid)
    assert not pid_file.exists()
    assert 'stopping' in (tmp_path / 'pileus.log').read_text()
    assert daemon.output == ''


def test_relative_paths_refer_to_the_directory_of_the_command(
        prepared: Served, pid_file: Path, monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path) -> None:
    """The daemon changes its directory, and a reload still finds its files.
    """
    monkeypatch.chdir(tmp_path)
    daemon = prepared('--daemon', '--pid-file=api.pid',
                      '--log-file', 'pileus.log')
    daemon.argv[daemon.argv.index(str(daemon.directory))] = 'etc'
    start_detached(daemon)
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGHUP)
    log = tmp_path / 'pileus.log'
    until = time.monotonic() + WAIT_SECONDS
    while 'reloaded: serving on' not in log.read_text():
        assert time.monotonic() < until, log.read_text()
    assert daemon.request('GET', '/').status == 200
    end(pid)


def test_a_second_start_is_refused(prepared: Served, pid_file: Path) -> None:
    daemon = prepared('--daemon', '--pid-file', str(pid_file))
    start_detached(daemon)
    pid = int(pid_file.read_text())
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert f'--pid-file {pid_file}: the service is already running as ' \
        f'process {pid}' in daemon.output
    assert int(pid_file.read_text()) == pid
    assert daemon.request('GET', '/').status == 200
    end(pid)


def test_the_pid_file_of_a_killed_daemon_does_not_prevent_a_start(
        prepared: Served, pid_file: Path) -> None:
    daemon = prepared('--daemon', '--pid-file', str(pid_file))
    start_detached(daemon)
    killed = int(pid_file.read_text())
    process = os.pidfd_open(killed)
    os.kill(killed, signal.SIGKILL)
    assert select.select([process], [], [], WAIT_SECONDS)[0]
    os.close(process)
    assert pid_file.exists()
    start_detached(daemon)
    assert int(pid_file.read_text()) != killed
    end(int(pid_file.read_text()))


def test_a_daemon_that_cannot_serve_reports_it_at_the_terminal(
        prepared: Served, pid_file: Path, tmp_path: Path) -> None:
    """S05: with one line on stderr, though the daemon is detached."""
    log = tmp_path / 'pileus.log'
    daemon = prepared('--daemon', '--pid-file', str(pid_file),
                      '--log-file', str(log), app='nosuch')
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert daemon.output.count('\n') == 1
    assert "'nosuch'" in daemon.output
    assert "'nosuch'" in log.read_text()
    assert not pid_file.exists()


def test_a_foreground_service_writes_and_removes_its_pid_file(
        serve: Served, tmp_path: Path) -> None:
    pid_file = tmp_path / 'api.pid'
    daemon = serve('--pid-file', str(pid_file))
    assert int(pid_file.read_text()) == daemon.pid
    assert daemon.stop() == 0
    assert not pid_file.exists()


def test_the_error_names_a_pid_file_that_cannot_be_written(
        prepared: Served) -> None:
    daemon = prepared('--pid-file', '/nosuch/api.pid')
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert '--pid-file /nosuch/api.pid: No such file' in daemon.output
