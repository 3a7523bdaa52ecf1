# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix prints what the policy decides.

``tests/functional/access/test_matrix.py`` compares each cell with the answer
of a service.
"""

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
def matrix(tmp_path, capsys):
    """The personas with an outcome, by action, for a type and a policy file.
    """
    def ask(scope, policy='', outcome='allowed'):
        (tmp_path / 'resources.d').mkdir(exist_ok=True)
        (tmp_path / 'resources.d' / 'book.yaml').write_text(BOOK % scope)
        (tmp_path / 'policy.yaml').write_text(policy)
        assert manage.main(['--config-dir', str(tmp_path), 'policy',
                            'matrix', '--format', 'json']) == 0
        rows = json.loads(capsys.readouterr().out)
        return {row['rule'].partition(':')[2]: [
            persona for persona, cell in row.items() if cell == outcome]
                for row in rows}
    return ask


OWN = ['admin', 'manager', 'member', 'reader']
EVERYWHERE = ['system_admin', 'system_reader']


def test_in_a_project_readers_read_and_members_write(matrix):
    rules = matrix('project')
    assert rules['books:show'] == OWN + EVERYWHERE
    assert rules['books:patch'] == ['admin', 'manager', 'member',
                                    'system_admin']
    assert rules['books:create'] == ['admin', 'manager', 'member',
                                     'other_member', 'system_admin']
    assert rules['books:create_any'] == ['admin', 'system_admin']
    assert rules['books:list_any'] == ['admin', *EVERYWHERE]


def test_records_are_hidden_from_callers_allowed_the_same_in_another_project(
        matrix):
    rules = matrix('project', outcome='hidden')
    assert rules['books:show'] == ['other_member', 'other_reader']
    assert rules['books:patch'] == ['other_member']
    assert rules['books:list'] == rules['books:create'] == []


def test_only_administrators_write_records_of_the_cloud(matrix):
    rules = matrix('cloud')
    assert rules['books:show'] == [
        *OWN, 'other_member', 'other_reader', *EVERYWHERE, 'no_project']
    assert rules['books:patch'] == ['admin', 'system_admin']
    assert 'books:create_any' not in rules


def test_a_put_needs_two_rules(matrix):
    rules = matrix('project', '"pileus:books:create": "role:member"')
    assert rules['books:replace'] == ['member']
    rules = matrix('project', '"pileus:books:replace": "role:reader"')
    assert rules['books:replace'] == []


def test_quotas_are_denied_to_other_projects(matrix):
    rules = matrix('project', outcome='denied')
    assert 'other_reader' in rules['quotas:show']
    assert matrix('project')['quotas:show'] == OWN + EVERYWHERE


def test_a_type_file_overrides_the_default(matrix):
    assert matrix('project')['books:delete'] == ['admin', 'system_admin']


def test_a_policy_file_overrides_both(matrix):
    rules = matrix('project', '"pileus:books:delete": "role:reader"')
    assert rules['books:delete'] == ['reader']


def test_the_default_format_is_a_table(matrix, tmp_path, capsys):
    matrix('project')
    assert manage.main(['--config-dir', str(tmp_path), 'policy',
                        'matrix']) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ['RULE', 'ADMIN', 'MANAGER']
    assert first.split()[:2] == ['pileus:reader', 'allowed']


def test_an_invalid_policy_file_is_named(tmp_path, capsys):
    (tmp_path / 'resources.d').mkdir()
    (tmp_path / 'policy.yaml').write_text('- not a mapping')
    assert manage.main(['--config-dir', str(tmp_path), 'policy',
                        'matrix']) == 2
    assert 'policy.yaml: line 1: the file is not' in capsys.readouterr().err
