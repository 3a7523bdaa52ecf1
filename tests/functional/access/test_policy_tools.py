# SPDX-License-Identifier: Apache-2.0
"""oslo.policy's own tools, on the types and the policy of a config directory
that OS_PILEUS_CONFIG_DIR names or that is where one is looked for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.harness.daemon import config_dir

BOOK = {'book': '''
name: book
plural: books
properties: {title: {type: string}}
policy: {delete: "role:librarian"}
'''}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return config_dir(tmp_path, BOOK)


def run(directory: Path, tool: str, *words: str
        ) -> subprocess.CompletedProcess[str]:
    return ran({'OS_PILEUS_CONFIG_DIR': str(directory)}, tool, *words)


def ran(env: Mapping[str, str], tool: str, *words: str
        ) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name(f'oslopolicy-{tool}')
    return subprocess.run([script, *words], capture_output=True, text=True,
                          cwd='/', env={**os.environ, **env})


def named(directory: Path, tool: str) -> subprocess.CompletedProcess[str]:
    return run(directory, tool, '--namespace', 'pileus')


def test_the_sample_tells_every_rule_and_sets_none(directory):
    done = named(directory, 'sample-generator')
    assert done.returncode == 0, done.stderr
    assert '# Create books.\n#"pileus:books:create": "rule:pileus:own_member' \
        in done.stdout
    assert '#"pileus:books:delete": "role:librarian"' in done.stdout
    assert '#"pileus:quotas:update": "rule:pileus:admin"' in done.stdout
    assert yaml.safe_load(done.stdout) is None


def test_the_generated_policy_is_the_one_in_force(directory):
    (directory / 'policy.yaml').write_text('"pileus:books:list": "@"\n')
    (directory / 'policy.d').mkdir()
    (directory / 'policy.d' / 'patch.yaml').write_text(
        '"pileus:books:patch": "role:clerk"\n')
    done = named(directory, 'policy-generator')
    assert done.returncode == 0, done.stderr
    said = yaml.safe_load(done.stdout)
    assert said['pileus:books:list'] == '@'
    assert said['pileus:books:patch'] == 'role:clerk'
    assert said['pileus:books:delete'] == 'role:librarian'
    assert said['pileus:books:update_tags'] == 'rule:pileus:books:patch'


@pytest.mark.parametrize('unset', ['', None])
def test_without_a_name_it_is_where_the_service_looks(
        directory, tmp_path, monkeypatch, unset):
    """The first of ~/.pileus and /etc/pileus that is there."""
    monkeypatch.delenv('OS_PILEUS_CONFIG_DIR', raising=False)
    named = {} if unset is None else {'OS_PILEUS_CONFIG_DIR': unset}
    directory.rename(tmp_path / '.pileus')
    (tmp_path / '.pileus' / 'policy.yaml').write_text(
        '"pileus:books:list": "role:clerk"\n')
    done = ran({'HOME': str(tmp_path), **named}, 'policy-generator',
               '--namespace', 'pileus')
    assert done.returncode == 0, done.stderr
    said = yaml.safe_load(done.stdout)
    assert said['pileus:books:delete'] == 'role:librarian'
    assert said['pileus:books:list'] == 'role:clerk'


@pytest.mark.parametrize('tool', [
    'sample-generator', 'policy-generator', 'validator'])
def test_without_any_directory_it_is_told_how_to_name_one(
        tmp_path, monkeypatch, tool):
    monkeypatch.delenv('OS_PILEUS_CONFIG_DIR', raising=False)
    if Path('/etc/pileus').exists():
        pytest.skip('this machine has an /etc/pileus')
    done = ran({'HOME': str(tmp_path)}, tool, '--namespace', 'pileus')
    assert done.returncode == 1
    assert 'set OS_PILEUS_CONFIG_DIR' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(('text', 'status', 'told'), [
    ('"pileus:books:list": "role:x"', 0, ''),
    ('"pileus:books:lits": "role:x"', 1,
     'Unknown rule found in policy file: pileus:books:lits'),
    ('"pileus:books:list": "role"', 1,
     'line 1: pileus:books:list: "role" is not valid policy language'),
    ('"pileus:books:list": "rule:x"', 1, 'there is no rule x'),
    ('[', 1, 'policy.yaml: line 1: '),
    (None, 1, 'Configured policy file "policy.yaml" not found')])
def test_the_validator_finds_what_is_wrong(directory, text, status, told):
    if text is not None:
        (directory / 'policy.yaml').write_text(text)
    done = named(directory, 'validator')
    assert done.returncode == status, done.stderr
    assert told in done.stdout + done.stderr
    assert '/api/' not in done.stderr, 'it is told without a traceback'


def test_what_repeats_the_default_is_listed(directory):
    (directory / 'policy.yaml').write_text(
        '"pileus:books:patch": "rule:pileus:own_member"\n'
        '"pileus:books:list": "role:x"\n')
    done = named(directory, 'list-redundant')
    assert done.stdout == '"pileus:books:patch": "rule:pileus:own_member"\n'


def test_a_mistake_in_a_type_is_told_in_a_line(directory):
    (directory / 'resources.d' / 'book.yaml').write_text('name: 7\n')
    for tool in ('sample-generator', 'policy-generator', 'validator'):
        done = named(directory, tool)
        assert done.returncode == 1
        assert 'book.yaml: name' in done.stderr
        assert 'Traceback' not in done.stderr


def token(*roles: str, **scope: Any) -> Mapping[str, Any]:
    """What Keystone says of a token, as its API does."""
    return {'token': {'roles': [{'id': one, 'name': one} for one in roles],
                      'user': {'id': 'ada', 'name': 'ada'}, **scope}}


PROJECT = {'project': {'id': 'demo', 'name': 'demo'}}


@pytest.mark.parametrize(('access', 'passed'), [
    (token('member', **PROJECT), {'list', 'show', 'create', 'patch'}),
    (token('reader', **PROJECT), {'list', 'show'}),
    (token('reader', system={'all': True}), {'list', 'show', 'list_any'}),
    (token('member'), set()),
    (token('librarian', **PROJECT), {'delete'})])
def test_the_checker_says_what_a_token_may_do(directory, tmp_path, access,
                                              passed):
    (tmp_path / 'access.json').write_text(json.dumps(access))
    generated = named(directory, 'policy-generator').stdout
    (tmp_path / 'whole.yaml').write_text(generated)
    done = run(directory, 'checker', '--policy', tmp_path / 'whole.yaml',
               '--access', tmp_path / 'access.json')
    assert done.returncode == 0, done.stderr
    said = dict(reversed(line.split(': ', 1))
                for line in done.stdout.splitlines())
    asked = {'list', 'show', 'create', 'patch', 'delete', 'list_any'}
    assert {one for one in asked
            if said[f'pileus:books:{one}'] == 'passed'} == passed
