# SPDX-License-Identifier: Apache-2.0
"""The systemd units match the command that they start."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from service.config import options

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / 'etc' / 'systemd').glob('pileus-api.*'))


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / 'etc' / 'systemd' / 'pileus-api.service')
    return parser['Service']


def test_a_stop_allows_more_time_than_running_requests_get(
        service: configparser.SectionProxy) -> None:
    [grace] = [option.default for option in options.SERVER
               if option.name == 'graceful_shutdown_timeout']
    assert int(service['TimeoutStopSec']) > grace + 5


def test_only_the_launcher_receives_the_stop_signal(
        service: configparser.SectionProxy) -> None:
    assert service['KillMode'] == 'mixed'
    assert service['Type'] == 'notify'


def test_the_state_directory_is_the_default_of_its_option(
        service: configparser.SectionProxy) -> None:
    [path] = [option.default for option in options.DEFAULT
              if option.name == 'state_path']
    assert path == f'/var/lib/{service["StateDirectory"]}'


def test_the_unit_starts_a_command_that_setup_cfg_installs(
        service: configparser.SectionProxy) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    command = service['ExecStart'].split()
    assert f'{Path(command[0]).name} = service.commands.api:main' \
        in setup['options.entry_points']['console_scripts']
    assert command[1:] == ['--config-dir', '/etc/pileus']


@pytest.mark.skipif(shutil.which('systemd-analyze') is None,
                    reason='systemd-analyze is not installed')
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """The command itself need not be installed."""
    for unit in UNITS:
        text = unit.read_text().replace('/usr/bin/pileus-api', '/bin/true')
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ['systemd-analyze', 'verify',
         *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, timeout=60)
    assert [text for text in done.stderr.splitlines()
            if 'pileus-api' in text] == []
    assert done.returncode == 0
