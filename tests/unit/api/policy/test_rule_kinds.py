# SPDX-License-Identifier: Apache-2.0
"""Policy rules can check attributes of the caller, and nothing else."""

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

#: Rules that would fail each request that evaluates them.
UNUSABLE = [
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


@pytest.mark.parametrize(('rule', 'message'), UNUSABLE)
def test_a_check_that_cannot_be_evaluated_stops_the_start(
        tmp_path, rule, message):
    """A09: the error names file and line, in one line."""
    with pytest.raises(StartError) as caught:
        policy(tmp_path, f'\n"{RULE}": "{rule}"\n')
    assert f'policy.yaml: line 2: {RULE}: {message}' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('rule', 'message'), UNUSABLE)
def test_a_check_that_cannot_be_evaluated_leaves_the_previous_rules_in_force(
        tmp_path, caplog, rule, message):
    """A09: no request fails, and the log has the mistake."""
    now = [0.0]
    rules = policy(tmp_path, GOOD, clock=lambda: now[0], wall=lambda: 0.0)
    (tmp_path / 'policy.yaml').write_text(f'"{RULE}": "{rule}"\n')
    for _ in range(3):
        now[0] += CHECK_SECONDS
        assert rules.allows(ADA, RULE)
    (line,) = [record.getMessage() for record in caplog.records
               if record.name == 'api.policy.enforcement'
               and record.levelname == 'ERROR']
    assert f'policy.yaml: line 1: {RULE}: {message}' in line


@pytest.mark.parametrize(('rule', 'message'), UNUSABLE)
def test_a_type_file_may_use_the_same_checks_only(tmp_path, rule, message):
    types = stored.catalogue(host=f'{HOST}policy: {{create: "{rule}"}}\n')
    with pytest.raises(StartError) as caught:
        policy(tmp_path, '', types)
    assert str(caught.value).startswith(f'the policy rule {RULE}: {message}')


def test_a_check_of_an_installed_package_is_refused(tmp_path, monkeypatch):
    class Field(_checks.Check):
        def __call__(self, *args):
            raise AssertionError
    monkeypatch.setitem(_checks.registered_checks, 'field', Field)
    with pytest.raises(StartError) as caught:
        policy(tmp_path, f'"{RULE}": "field:hosts:name"\n')
    assert 'line 1: pileus:hosts:create: "field:hosts:name" is not a check' \
        in str(caught.value)


@pytest.mark.parametrize('rule', [
    'role:%(user_id)s', 'user_id:%(user_id)s', "'ada':%(user_id)s",
    'role:50%%', 'None:x', 'system_scope:all'])
def test_valid_checks_are_evaluated(tmp_path, rule):
    rules = policy(tmp_path, f'"{RULE}": "{rule} or role:member"\n')
    assert rules.allows(ADA, RULE)


def warned(caplog):
    return [record.getMessage() for record in caplog.records
            if record.name == 'api.policy.enforcement'
            and record.levelname == 'WARNING']


NEVER = stored.catalogue(host=f'{HOST}policy: {{create: "rol:x"}}\n')


def test_an_impossible_check_in_a_type_file_is_logged_as_a_warning(
        tmp_path, caplog):
    """A09: as in a policy file."""
    policy(tmp_path, '', NEVER)
    assert warned(caplog) == [
        f'Policy: the policy rule {RULE}: checks rol, which no caller has; '
        f'valid checks are role, rule, project_id, user_id, roles, '
        f'system_scope.']


def test_there_is_no_warning_if_a_policy_file_replaces_the_check(
        tmp_path, caplog):
    policy(tmp_path, GOOD, NEVER)
    assert warned(caplog) == []


def test_a_warning_about_a_type_file_does_not_block_a_policy_file(
        tmp_path, caplog):
    """The policy file does not contain the rule."""
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


@pytest.mark.parametrize(('rule', 'message'), [
    ('@', 'allows everybody'),
    ('@ and not !', 'allows callers without a role'),
    ('role:x or @', 'allows everybody'), ('@ and @', 'allows everybody'),
    ('not role:member', 'allows callers without a role'),
    ('not role:member or role:admin', 'allows callers without a role'),
    ('not role:x or not role:member', 'allows callers without a role'),
    ('@ and not role:member', 'allows callers without a role')])
def test_warnings_distinguish_everybody_from_callers_without_a_role(
        tmp_path, caplog, rule, message):
    """A09: a rule that refuses members does not allow everybody."""
    policy(tmp_path, f'"{RULE}": "{rule}"\n')
    (line,) = warned(caplog)
    assert line.endswith(f'line 1: {RULE}: {message}.')
