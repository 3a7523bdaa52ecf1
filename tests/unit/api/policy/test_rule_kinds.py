# SPDX-License-Identifier: Apache-2.0
"""What a policy rule may ask: of the caller, and nothing else."""

import pytest
from oslo_policy import _checks

from api.policy.enforcement import CHECK_SECONDS, Policy
from service.domain.caller import Caller
from service.errors import StartError
from tests.unit import stored

HOST = 'name: host\nplural: hosts\nproperties: {}\n'
TYPES = stored.catalogue(host=HOST)
ADA = Caller('demo', 'ada', frozenset({'member'}), False)
RULE = 'pileus:hosts:create'
GOOD = f'"{RULE}": "role:member"\n'

#: Rules that would fail the request that asks them.
UNASKABLE = [
    ('http://judge/may', '"http://judge/may" is not a check of the caller; '
     'valid checks are role, rule, project_id, user_id, roles, '
     'system_scope'),
    ('https://judge/may', '"https://judge/may" is not a check'),
    ('role:member or not http://judge/%(user_id)s',
     '"http://judge/%(user_id)s" is not a check'),
    ('role:100%', '"role:100%" cannot be evaluated'),
    ('role:%(project_id)d', '"role:%(project_id)d" cannot be evaluated'),
    ('project_id:%(project_id',
     '"project_id:%(project_id" cannot be evaluated'),
    ('user_id.name:ada', '"user_id.name:ada" cannot be evaluated'),
    ('1a:x', '"1a:x" cannot be evaluated'),
]


def policy(tmp_path, file, types=TYPES, **clocks):
    (tmp_path / 'policy.yaml').write_text(file)
    return Policy(stored.conf(tmp_path), types, **clocks)


@pytest.mark.parametrize(('rule', 'told'), UNASKABLE)
def test_a_rule_that_cannot_be_asked_stops_the_start(tmp_path, rule, told):
    """A09: by file and line, in one line."""
    with pytest.raises(StartError) as caught:
        policy(tmp_path, f'\n"{RULE}": "{rule}"\n')
    assert f'policy.yaml: line 2: {RULE}: {told}' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('rule', 'told'), UNASKABLE)
def test_and_leaves_the_rules_as_they_were(tmp_path, caplog, rule, told):
    """A09: while the service runs; no request fails, and the log tells."""
    now = [0.0]
    rules = policy(tmp_path, GOOD, clock=lambda: now[0], wall=lambda: 0.0)
    (tmp_path / 'policy.yaml').write_text(f'"{RULE}": "{rule}"\n')
    for _ in range(3):
        now[0] += CHECK_SECONDS
        assert rules.allows(ADA, RULE)
    (line,) = [one.getMessage() for one in caplog.records
               if one.name == 'api.policy.enforcement'
               and one.levelname == 'ERROR']
    assert f'policy.yaml: line 1: {RULE}: {told}' in line


@pytest.mark.parametrize(('rule', 'told'), UNASKABLE)
def test_a_types_own_rule_may_ask_no_more(tmp_path, rule, told):
    types = stored.catalogue(host=f'{HOST}policy: {{create: "{rule}"}}\n')
    with pytest.raises(StartError) as caught:
        policy(tmp_path, '', types)
    assert str(caught.value).startswith(f'the policy rule {RULE}: {told}')


def test_nor_a_check_that_an_installed_package_brings(tmp_path, monkeypatch):
    class Field(_checks.Check):
        def __call__(self, *asked):
            raise AssertionError
    monkeypatch.setitem(_checks.registered_checks, 'field', Field)
    with pytest.raises(StartError) as caught:
        policy(tmp_path, f'"{RULE}": "field:hosts:name"\n')
    assert 'line 1: pileus:hosts:create: "field:hosts:name" is not a check' \
        in str(caught.value)


@pytest.mark.parametrize('rule', [
    'role:%(user_id)s', 'user_id:%(user_id)s', "'ada':%(user_id)s",
    'role:50%%', 'None:x', 'system_scope:all'])
def test_what_can_be_asked_is_asked(tmp_path, rule):
    rules = policy(tmp_path, f'"{RULE}": "{rule} or role:member"\n')
    assert rules.allows(ADA, RULE)


def warned(caplog):
    return [one.getMessage() for one in caplog.records
            if one.name == 'api.policy.enforcement'
            and one.levelname == 'WARNING']


NEVER = stored.catalogue(host=f'{HOST}policy: {{create: "rol:x"}}\n')


def test_what_a_type_asks_in_vain_is_warned_of(tmp_path, caplog):
    """A09: as it is where a file does."""
    policy(tmp_path, '', NEVER)
    assert warned(caplog) == [
        f'Policy: the policy rule {RULE}: checks rol, which no caller has; '
        f'valid checks are role, rule, project_id, user_id, roles, '
        f'system_scope.']


def test_but_not_where_a_file_says_otherwise(tmp_path, caplog):
    policy(tmp_path, GOOD, NEVER)
    assert warned(caplog) == []


def test_nor_does_it_keep_a_file_from_coming_into_force(tmp_path, caplog):
    """The file has no part in it."""
    now = [0.0]
    rules = policy(tmp_path, GOOD, NEVER, clock=lambda: now[0],
                   wall=lambda: 0.0)
    (tmp_path / 'policy.yaml').write_text('{}')
    for _ in range(3):
        now[0] += CHECK_SECONDS
        allowed = rules.allows(ADA, RULE)
    assert not allowed
    (line,) = warned(caplog)
    assert 'checks rol' in line


@pytest.mark.parametrize(('rule', 'told'), [
    ('@', 'allows everybody'),
    ('@ and not !', 'allows callers without a role'),
    ('role:x or @', 'allows everybody'), ('@ and @', 'allows everybody'),
    ('not role:member', 'allows callers without a role'),
    ('not role:member or role:admin', 'allows callers without a role'),
    ('not role:x or not role:member', 'allows callers without a role'),
    ('@ and not role:member', 'allows callers without a role')])
def test_only_what_lets_in_everybody_is_said_to(
        tmp_path, caplog, rule, told):
    """A09: what keeps members out does not, though it lets in nobodies."""
    policy(tmp_path, f'"{RULE}": "{rule}"\n')
    (line,) = warned(caplog)
    assert line.endswith(f'line 1: {RULE}: {told}.')
