# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix says what the service would decide."""

import json

import pytest

from service.commands import manage

BOOK = '''
name: book
plural: books
scope: %s
properties: {title: {type: string}}
policy: {delete: "role:librarian or role:admin"}
'''


@pytest.fixture
def asked(tmp_path, capsys):
    """The matrix of a type of a scope, by action, after a policy file."""
    def ask(scope, policy=''):
        (tmp_path / 'resources.d').mkdir()
        (tmp_path / 'resources.d' / 'book.yaml').write_text(BOOK % scope)
        (tmp_path / 'policy.yaml').write_text(policy)
        assert manage.main(['--config-dir', str(tmp_path), 'policy',
                            'matrix', '--format', 'json']) == 0
        rows = json.loads(capsys.readouterr().out)
        return {row['rule'].rpartition(':')[2]: [
            role for role, said in row.items() if said == 'yes']
            for row in rows}
    return ask


def test_in_a_project_readers_read_and_members_write(asked):
    said = asked('project')
    assert said['show'] == ['admin', 'manager', 'member', 'reader']
    assert said['patch'] == ['admin', 'manager', 'member']
    assert said['create_any'] == ['admin']


def test_what_is_the_clouds_only_administrators_write(asked):
    said = asked('cloud')
    assert said['show'] == ['admin', 'manager', 'member', 'reader']
    assert said['patch'] == ['admin']


def test_a_type_file_overrides_the_default(asked):
    assert asked('project')['delete'] == ['admin']


def test_a_policy_file_overrides_both(asked):
    said = asked('project', '"pileus:books:delete": "role:reader"')
    assert said['delete'] == ['reader']


def test_a_policy_file_that_is_none_is_named(tmp_path, capsys):
    (tmp_path / 'resources.d').mkdir()
    (tmp_path / 'policy.yaml').write_text('- not a mapping')
    assert manage.main(['--config-dir', str(tmp_path), 'policy',
                        'matrix']) == 2
    assert 'policy_file = policy.yaml' in capsys.readouterr().err
