# SPDX-License-Identifier: Apache-2.0
"""oslo.policy's command-line tools read the types and the policy of Pileus.

The config directory is OS_PILEUS_CONFIG_DIR, or the default of the service.
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


def run_tool(directory: Path, tool: str, *words: str
             ) -> subprocess.CompletedProcess[str]:
    return run_with_env({'OS_PILEUS_CONFIG_DIR': str(directory)}, tool, *words)


def run_with_env(env: Mapping[str, str], tool: str, *words: str
                 ) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name(f'oslopolicy-{tool}')
    return subprocess.run([script, *words], capture_output=True, text=True,
                          cwd='/', env={**os.environ, **env})


def run_in_namespace(directory: Path,
                     tool: str) -> subprocess.CompletedProcess[str]:
    return run_tool(directory, tool, '--namespace', 'pileus')


def test_the_sample_has_every_rule_as_a_comment(directory):
    done = run_in_namespace(directory, 'sample-generator')
    assert done.returncode == 0, done.stderr
    assert '# Create books.\n#"pileus:books:create": "rule:pileus:own_member' \
        in done.stdout
    assert '#"pileus:books:delete": "role:librarian"' in done.stdout
    assert '#"pileus:quotas:update": "rule:pileus:admin"' in done.stdout
    assert yaml.safe_load(done.stdout) is None


def test_the_generated_policy_has_the_rules_in_force(directory):
    (directory / 'policy.yaml').write_text('"pileus:books:list": "@"\n')
    (directory / 'policy.d').mkdir()
    (directory / 'policy.d' / 'patch.yaml').write_text(
        '"pileus:books:patch": "role:clerk"\n')
    done = run_in_namespace(directory, 'policy-generator')
    assert done.returncode == 0, done.stderr
    rules = yaml.safe_load(done.stdout)
    assert rules['pileus:books:list'] == '@'
    assert rules['pileus:books:patch'] == 'role:clerk'
    assert rules['pileus:books:delete'] == 'role:librarian'
    assert rules['pileus:books:update_tags'] == 'rule:pileus:books:patch'


@pytest.mark.parametrize('unset', ['', None])
def test_the_default_directory_is_that_of_the_service(
        directory, tmp_path, monkeypatch, unset):
    """The default is the first of ~/.pileus and /etc/pileus that exists."""
    monkeypatch.delenv('OS_PILEUS_CONFIG_DIR', raising=False)
    env = {} if unset is None else {'OS_PILEUS_CONFIG_DIR': unset}
    directory.rename(tmp_path / '.pileus')
    (tmp_path / '.pileus' / 'policy.yaml').write_text(
        '"pileus:books:list": "role:clerk"\n')
    done = run_with_env({'HOME': str(tmp_path), **env}, 'policy-generator',
                        '--namespace', 'pileus')
    assert done.returncode == 0, done.stderr
    rules = yaml.safe_load(done.stdout)
    assert rules['pileus:books:delete'] == 'role:librarian'
    assert rules['pileus:books:list'] == 'role:clerk'


@pytest.mark.parametrize('tool', [
    'sample-generator', 'policy-generator', 'validator'])
def test_the_error_without_a_directory_names_the_variable_to_set(
        tmp_path, monkeypatch, tool):
    monkeypatch.delenv('OS_PILEUS_CONFIG_DIR', raising=False)
    if Path('/etc/pileus').exists():
        pytest.skip('this machine has an /etc/pileus')
    done = run_with_env({'HOME': str(tmp_path)}, tool, '--namespace', 'pileus')
    assert done.returncode == 1
    assert 'set OS_PILEUS_CONFIG_DIR' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(('text', 'status', 'message'), [
    ('"pileus:books:list": "role:x"', 0, ''),
    ('"pileus:books:lits": "role:x"', 1,
     'Unknown rule found in policy file: pileus:books:lits'),
    ('"pileus:books:list": "role"', 1,
     'line 1: pileus:books:list: "role" is not valid policy language'),
    ('"pileus:books:list": "rule:x"', 1, 'there is no rule x'),
    ('[', 1, 'policy.yaml: line 1: '),
    (None, 1, 'Configured policy file "policy.yaml" not found')])
def test_the_validator_reports_the_mistake_in_a_policy_file(directory, text,
                                                            status, message):
    if text is not None:
        (directory / 'policy.yaml').write_text(text)
    done = run_in_namespace(directory, 'validator')
    assert done.returncode == status, done.stderr
    assert message in done.stdout + done.stderr
    assert '/api/' not in done.stderr, 'the error has no traceback'


def test_list_redundant_prints_the_rules_that_equal_the_default(directory):
    (directory / 'policy.yaml').write_text(
        '"pileus:books:patch": "rule:pileus:own_member"\n'
        '"pileus:books:list": "role:x"\n')
    done = run_in_namespace(directory, 'list-redundant')
    assert done.stdout == '"pileus:books:patch": "rule:pileus:own_member"\n'


def test_a_mistake_in_a_type_file_is_reported_without_a_traceback(directory):
    (directory / 'resources.d' / 'book.yaml').write_text('name: 7\n')
    for tool in ('sample-generator', 'policy-generator', 'validator'):
        done = run_in_namespace(directory, tool)
        assert done.returncode == 1
        assert 'book.yaml: name' in done.stderr
        assert 'Traceback' not in done.stderr


def token(*roles: str, **scope: Any) -> Mapping[str, Any]:
    """Return Keystone's API representation of a token."""
    return {'token': {'roles': [{'id': name, 'name': name} for name in roles],
                      'user': {'id': 'ada', 'name': 'ada'}, **scope}}


PROJECT = {'project': {'id': 'demo', 'name': 'demo'}}


@pytest.mark.parametrize(('access', 'allowed'), [
    (token('member', **PROJECT), {'list', 'show', 'create', 'patch'}),
    (token('reader', **PROJECT), {'list', 'show'}),
    (token('reader', system={'all': True}), {'list', 'show', 'list_any'}),
    (token('member'), set()),
    (token('librarian', **PROJECT), {'delete'})])
def test_the_checker_reports_what_a_token_may_do(directory, tmp_path, access,
                                                 allowed):
    (tmp_path / 'access.json').write_text(json.dumps(access))
    generated = run_in_namespace(directory, 'policy-generator').stdout
    (tmp_path / 'whole.yaml').write_text(generated)
    done = run_tool(directory, 'checker', '--policy', tmp_path / 'whole.yaml',
                    '--access', tmp_path / 'access.json')
    assert done.returncode == 0, done.stderr
    results = dict(reversed(line.split(': ', 1))
                   for line in done.stdout.splitlines())
    actions = {'list', 'show', 'create', 'patch', 'delete', 'list_any'}
    assert {action for action in actions
            if results[f'pileus:books:{action}'] == 'passed'} == allowed
