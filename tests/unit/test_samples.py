# SPDX-License-Identifier: Apache-2.0
"""The samples in etc/ and the README say what the code says today."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg, generator

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / 'etc/pileus/pileus.conf.sample'
GENERATOR = ROOT / 'etc/oslo-config-generator/pileus.conf'


def generated() -> str:
    """What ``tox -e genconfig`` would write now."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(['--config-file', str(GENERATOR)], default_config_files=[],
         default_config_dirs=[])
    written = io.StringIO()
    generator.generate(conf, output_file=written)
    return written.getvalue()


@pytest.fixture(scope='module')
def sample() -> str:
    return SAMPLE.read_text()


def test_the_config_sample_is_what_genconfig_writes_now(sample):
    assert sample == generated(), 'run tox -e genconfig'


@pytest.mark.parametrize('group', ['DEFAULT', 'api', 'database', 'cors',
                                   'oslo_policy'])
def test_the_sample_has_every_group_the_service_reads(sample, group):
    assert f'\n[{group}]\n' in f'\n{sample}'


def test_the_sample_says_nothing_about_the_machine_it_was_made_on(sample):
    assert str(ROOT) not in sample
    assert sys.prefix not in sample
    assert str(Path.home()) not in sample


def test_the_sample_sets_nothing(sample):
    """A copy of it must behave as no file at all."""
    settings = [line for line in sample.splitlines()
                if line and not line.startswith(('#', '['))]
    assert settings == []


def test_the_policy_sample_is_what_genpolicy_writes_now(tmp_path):
    made = tmp_path / 'policy.yaml.sample'
    subprocess.run(
        [Path(sys.executable).with_name('oslopolicy-sample-generator'),
         '--namespace', 'pileus', '--output-file', made], check=True,
        env={**os.environ, 'OS_PILEUS_CONFIG_DIR': str(ROOT / 'etc/pileus')})
    committed = ROOT / 'etc/pileus/policy.yaml.sample'
    assert committed.read_text() == made.read_text(), 'run tox -e genpolicy'


def test_the_tests_ci_runs_are_the_tests_the_readme_tells_to_run():
    script = (ROOT / '.ci/run').read_text()
    command = re.search(r"^tests='(.*)'$", script, re.MULTILINE)
    assert command is not None
    assert f'    {command[1]}\n' in (ROOT / 'README.rst').read_text()
