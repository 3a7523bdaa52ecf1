# SPDX-License-Identifier: Apache-2.0
"""The runner of eventlet's tests when their source is not available."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

RUN = Path(__file__).parents[2] / 'peer' / 'run.py'
REQUIREMENT = f'eventlet=={metadata.version("eventlet")}'


def run(index: Path) -> subprocess.CompletedProcess[str]:
    """Run the runner with a folder as its only package index."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith('PIP_')}
    return subprocess.run(
        [sys.executable, RUN], capture_output=True, text=True, timeout=60,
        env={**env, 'PIP_CONFIG_FILE': os.devnull, 'PIP_NO_INDEX': '1',
             'PIP_FIND_LINKS': str(index)})


def test_without_a_package_index_the_run_is_skipped_with_one_line(
        tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith('===== 1 skipped: no package index ')
    assert REQUIREMENT in line


def test_an_index_without_the_installed_version_fails_the_run(tmp_path: Path
                                                              ) -> None:
    (tmp_path / 'eventlet-0.0.1.tar.gz').touch()
    done = run(tmp_path)
    assert done.returncode == 1
    assert REQUIREMENT in done.stderr and '0.0.1' in done.stderr
    assert done.stdout == ''
