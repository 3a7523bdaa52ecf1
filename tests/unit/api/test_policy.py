# SPDX-License-Identifier: Apache-2.0
"""Who may do what: the defaults, a type's own rules, the operator's file."""

import pytest

from api.policy import Policy, defaults, name
from service.domain import errors
from service.domain.caller import Caller
from service.domain.words import ACTIONS
from service.errors import StartError
from tests.unit import stored

TYPES = stored.catalogue(
    host='name: host\nplural: hosts\nproperties: {}\n',
    rack='name: rack\nplural: racks\nscope: cloud\nproperties: {}\n',
    odd='name: odd\nplural: odds\nproperties: {}\n'
        'policy: {create: "role:odd", delete: "!"}\n')
READS = {'list', 'show'}
EVERYWHERE = {'create_any', 'list_any'}


def caller(*roles, project='demo'):
    return Caller(project, 'ada', frozenset(roles), False)


def policy(tmp_path, file=None):
    if file is None:
        return Policy(stored.conf(tmp_path), TYPES)
    path = tmp_path / 'policy.yaml'
    path.write_text(file)
    return Policy(stored.conf(tmp_path, oslo_policy={'policy_file': path}),
                  TYPES)


@pytest.fixture(scope='module')
def rules(tmp_path_factory):
    return policy(tmp_path_factory.mktemp('policy'))


def allowed(rules, who, kind):
    return {action for action in ACTIONS
            if rules.allows(who, name(TYPES.types[kind], action))}


@pytest.mark.parametrize(('roles', 'kind', 'may'), [
    ([], 'host', set()), (['other'], 'host', set()),
    (['reader'], 'host', READS),
    (['member'], 'host', set(ACTIONS) - EVERYWHERE),
    (['manager'], 'host', set(ACTIONS) - EVERYWHERE),
    (['admin'], 'host', set(ACTIONS)),
    ([], 'rack', set()), (['reader'], 'rack', READS),
    (['member'], 'rack', READS), (['admin'], 'rack', set(ACTIONS))])
def test_what_a_role_may_do_by_default(rules, roles, kind, may):
    assert allowed(rules, caller(*roles), kind) == may


@pytest.mark.parametrize(('role', 'may'), [
    ('reader', set()), ('member', set()), ('admin', set(ACTIONS))])
def test_without_a_project_nothing_is_ones_own(rules, role, may):
    """Two that are both None are not the same project."""
    assert allowed(rules, caller(role, project=None), 'host') == may


def test_a_type_may_have_rules_of_its_own(rules):
    assert allowed(rules, caller('odd'), 'odd') == {'create'}
    assert 'delete' not in allowed(rules, caller('admin'), 'odd')


def test_what_is_not_allowed_is_told_by_its_rule(rules):
    with pytest.raises(errors.Forbidden) as caught:
        rules.check(caller('reader'), 'pileus:hosts:create')
    assert str(caught.value) == (
        'The policy rule pileus:hosts:create does not allow this.')


def test_the_operators_file_wins(tmp_path):
    rules = policy(tmp_path, '"pileus:hosts:create": "role:builder"\n')
    assert 'create' in allowed(rules, caller('builder'), 'host')
    assert 'create' not in allowed(rules, caller('admin'), 'host')


@pytest.mark.parametrize('file', ['[', '"pileus:hosts:create": [', 'x: {'])
def test_a_broken_file_stops_the_start_by_its_name(tmp_path, file):
    with pytest.raises(StartError) as caught:
        policy(tmp_path, file)
    assert 'policy.yaml' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('file', 'told'), [
    ('"pileus:hosts:crate": "role:x"', 'pileus:hosts:crate that nothing'),
    ('"pileus:hosts:create": "@"', 'pileus:hosts:create allows everybody')])
def test_a_rule_that_nobody_means_is_warned_of(tmp_path, caplog, file, told):
    policy(tmp_path, file)
    assert told in caplog.text


def test_every_action_of_every_type_has_a_rule_with_a_description():
    found = {one.name: one for one in defaults(TYPES)}
    for declared in TYPES.live:
        for action in ACTIONS:
            assert found[name(declared, action)].description


def test_callers_of_thousands_of_roles_are_not_remembered(tmp_path):
    """A header holds that many, and each set of them half a megabyte."""
    rules = policy(tmp_path)
    for number in range(20):
        many = [f'r{number}-{one}' for one in range(100)]
        assert 'create' not in allowed(rules, caller(*many), 'host')
        assert 'create' in allowed(rules, caller('member', *many), 'host')
    assert rules._decide.cache_info().currsize == 0
