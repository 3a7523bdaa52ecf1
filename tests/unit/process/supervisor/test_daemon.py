# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import StartError
from service.process.supervisor import daemon

#: A program that holds a pid file until the end of its stdin.
HOLD = """
import sys
from service.process.supervisor.daemon import PidFile
with PidFile(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


def test_a_pid_file_has_the_process_id_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / 'api.pid'
    with daemon.PidFile(str(path)):
        assert path.read_text() == f'{os.getpid()}\n'
    assert not path.exists()


def test_a_stale_pid_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / 'api.pid'
    path.write_text('1\nand more\n')
    with daemon.PidFile(str(path)):
        assert path.read_text() == f'{os.getpid()}\n'


def test_the_error_for_a_locked_pid_file_names_the_process(
        tmp_path: Path) -> None:
    path = tmp_path / 'api.pid'
    with subprocess.Popen([sys.executable, '-c', HOLD, str(path)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE
                          ) as holder:
        assert holder.stdout and holder.stdout.readline() == 'held\n'
        with pytest.raises(StartError, match=f'as process {holder.pid}$'), \
                daemon.PidFile(str(path)):
            pass
        assert path.read_text() == f'{holder.pid}\n'


def test_paths_of_a_command_line_become_absolute(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert daemon.absolute_paths(
        ['--config-dir', 'etc', '--debug', '--pid-file=run/pid',
         '--config-file', '/a/b', '--log-file']) == [
        '--config-dir', f'{tmp_path}/etc', '--debug',
        f'--pid-file={tmp_path}/run/pid', '--config-file', '/a/b',
        '--log-file']
