# SPDX-License-Identifier: Apache-2.0
"""The samples in etc/ and the test command in the README are up to date."""

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


def generate_sample() -> str:
    """Return the sample that ``tox -e genconfig`` writes."""
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(['--config-file', str(GENERATOR)], default_config_files=[],
         default_config_dirs=[])
    output = io.StringIO()
    generator.generate(conf, output_file=output)
    return output.getvalue()


@pytest.fixture(scope='module')
def sample() -> str:
    return SAMPLE.read_text()


def test_the_config_sample_is_up_to_date(sample):
    assert sample == generate_sample(), 'run tox -e genconfig'


@pytest.mark.parametrize('group', ['DEFAULT', 'api', 'database', 'cors',
                                   'oslo_policy'])
def test_the_config_sample_has_the_groups_of_the_service(sample, group):
    assert f'\n[{group}]\n' in f'\n{sample}'


def test_the_config_sample_contains_no_paths_of_a_machine(sample):
    assert str(ROOT) not in sample
    assert sys.prefix not in sample
    assert str(Path.home()) not in sample


def test_the_config_sample_sets_no_option(sample):
    """A copy of the sample must behave as an absent file."""
    settings = [line for line in sample.splitlines()
                if line and not line.startswith(('#', '['))]
    assert settings == []


def test_the_policy_sample_is_up_to_date(tmp_path):
    generated = tmp_path / 'policy.yaml.sample'
    subprocess.run(
        [Path(sys.executable).with_name('oslopolicy-sample-generator'),
         '--namespace', 'pileus', '--output-file', generated],
         check=True,
        env={**os.environ, 'OS_PILEUS_CONFIG_DIR': str(ROOT / 'etc/pileus')})
    committed = ROOT / 'etc/pileus/policy.yaml.sample'
    assert committed.read_text() == generated.read_text(), (
        'run tox -e genpolicy')


def test_the_readme_has_the_test_command_of_ci():
    script = (ROOT / '.ci/run').read_text()
    command = re.search(r"^tests='(.*)'$", script, re.MULTILINE)
    assert command is not None
    assert f'    {command[1]}\n' in (ROOT / 'README.rst').read_text()
