# SPDX-License-Identifier: Apache-2.0
"""pileus-manage policy matrix says what the service would decide.

That it does is ``tests/functional/access/test_matrix.py``, call by call.
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
def asked(tmp_path, capsys):
    """The matrix of a type of a scope, by action, after a policy file: who
    is told what."""
    def ask(scope, policy='', said='allowed'):
        (tmp_path / 'resources.d').mkdir(exist_ok=True)
        (tmp_path / 'resources.d' / 'book.yaml').write_text(BOOK % scope)
        (tmp_path / 'policy.yaml').write_text(policy)
        assert manage.main(['--config-dir', str(tmp_path), 'policy',
                            'matrix', '--format', 'json']) == 0
        rows = json.loads(capsys.readouterr().out)
        return {row['rule'].partition(':')[2]: [
            persona for persona, cell in row.items() if cell == said]
            for row in rows}
    return ask


OWN = ['admin', 'manager', 'member', 'reader']
EVERYWHERE = ['system_admin', 'system_reader']


def test_in_a_project_readers_read_and_members_write(asked):
    said = asked('project')
    assert said['books:show'] == OWN + EVERYWHERE
    assert said['books:patch'] == ['admin', 'manager', 'member',
                                   'system_admin']
    assert said['books:create'] == ['admin', 'manager', 'member',
                                    'other_member', 'system_admin']
    assert said['books:create_any'] == ['admin', 'system_admin']
    assert said['books:list_any'] == ['admin', *EVERYWHERE]


def test_from_another_project_what_one_might_do_at_home_is_hidden(asked):
    said = asked('project', said='hidden')
    assert said['books:show'] == ['other_member', 'other_reader']
    assert said['books:patch'] == ['other_member']
    assert said['books:list'] == said['books:create'] == []


def test_what_is_the_clouds_only_administrators_write(asked):
    said = asked('cloud')
    assert said['books:show'] == [
        *OWN, 'other_member', 'other_reader', *EVERYWHERE, 'no_project']
    assert said['books:patch'] == ['admin', 'system_admin']
    assert 'books:create_any' not in said


def test_a_put_needs_two_rules(asked):
    said = asked('project', '"pileus:books:create": "role:member"')
    assert said['books:replace'] == ['member']
    said = asked('project', '"pileus:books:replace": "role:reader"')
    assert said['books:replace'] == []


def test_quotas_are_denied_to_other_projects(asked):
    said = asked('project', said='denied')
    assert 'other_reader' in said['quotas:show']
    assert asked('project')['quotas:show'] == OWN + EVERYWHERE


def test_a_type_file_overrides_the_default(asked):
    assert asked('project')['books:delete'] == ['admin', 'system_admin']


def test_a_policy_file_overrides_both(asked):
    said = asked('project', '"pileus:books:delete": "role:reader"')
    assert said['books:delete'] == ['reader']


def test_a_table_is_for_people(asked, tmp_path, capsys):
    asked('project')
    assert manage.main(['--config-dir', str(tmp_path), 'policy',
                        'matrix']) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ['RULE', 'ADMIN', 'MANAGER']
    assert first.split()[:2] == ['pileus:reader', 'allowed']


def test_a_policy_file_that_is_none_is_named(tmp_path, capsys):
    (tmp_path / 'resources.d').mkdir()
    (tmp_path / 'policy.yaml').write_text('- not a mapping')
    assert manage.main(['--config-dir', str(tmp_path), 'policy',
                        'matrix']) == 2
    assert 'policy.yaml: line 1: the file is not' in capsys.readouterr().err
