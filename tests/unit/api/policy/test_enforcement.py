# SPDX-License-Identifier: Apache-2.0
"""The policy: defaults, rules of type files, and the operator's files."""

import itertools

import pytest

from api.policy import enforcement
from api.policy.enforcement import QUOTA_RULES, Policy, defaults, name
from api.policy.files import PolicyFiles
from service.domain import errors
from service.domain.caller import Caller
from service.domain.typefiles.vocabulary import ACTIONS
from service.errors import StartError
from tests.unit import stored

TYPES = stored.catalogue(
    host='name: host\nplural: hosts\nproperties: {}\n',
    rack='name: rack\nplural: racks\nscope: cloud\nproperties: {}\n',
    odd='name: odd\nplural: odds\nproperties: {}\n'
        'policy: {create: "role:odd", delete: "!", patch: "role:odd"}\n')
READS = {'list', 'show', 'show_tags', 'show_metadata', 'list_revisions',
         'show_revision'}
EVERYWHERE = {'create_any', 'list_any'}


def caller(*roles, project='demo', system=None):
    return Caller(project, 'ada', frozenset(roles), False,
                  system_scope=system)


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


def allowed(rules, user, kind):
    return {action for action in ACTIONS
            if rules.allows(user, name(TYPES.types[kind], action))}


@pytest.mark.parametrize(('roles', 'kind', 'may'), [
    ([], 'host', set()), (['other'], 'host', set()),
    (['service'], 'host', set()),
    (['reader'], 'host', READS),
    (['member'], 'host', set(ACTIONS) - EVERYWHERE),
    (['manager'], 'host', set(ACTIONS) - EVERYWHERE),
    (['admin'], 'host', set(ACTIONS)),
    ([], 'rack', set()), (['reader'], 'rack', READS),
    (['member'], 'rack', READS), (['admin'], 'rack', set(ACTIONS))])
def test_each_role_has_its_default_permissions(rules, roles, kind, may):
    assert allowed(rules, caller(*roles), kind) == may


@pytest.mark.parametrize(('role', 'may'), [
    ('reader', set()), ('member', set()), ('admin', set(ACTIONS))])
def test_a_caller_without_a_project_owns_nothing(rules, role, may):
    """A08: two missing projects are not the same project."""
    assert allowed(rules, caller(role, project=None), 'host') == may


@pytest.mark.parametrize('rule', [
    'project_id:%(project_id)s', 'user_id:%(user_id)s',
    'rule:pileus:member and project_id:%(project_id)s',
    'not role:x and project_id:%(project_id)s'])
def test_no_rule_matches_two_missing_projects(tmp_path, rule):
    """A08: however an operator's rule compares them."""
    rules = policy(tmp_path, f'"pileus:hosts:create": "{rule}"\n')
    nobody = Caller(None, None, frozenset({'member'}), False)
    assert 'create' not in allowed(rules, nobody, 'host')
    assert 'create' in allowed(rules, caller('member'), 'host')


@pytest.mark.parametrize(('role', 'kind', 'may'), [
    ('reader', 'host', READS | {'list_any'}),
    ('member', 'host', READS | {'list_any'}),
    ('admin', 'host', set(ACTIONS)),
    ('other', 'host', set()),
    ('reader', 'rack', READS | {'list_any'})])
def test_a_reader_of_the_system_reads_everything_and_writes_nothing(
        rules, role, kind, may):
    user = caller(role, project=None, system='all')
    assert allowed(rules, user, kind) == may


@pytest.mark.parametrize(('user', 'may'), [
    (caller('reader'), {'show'}), (caller('other'), set()),
    (caller('member'), {'show'}), (caller('admin'), set(QUOTA_RULES)),
    (caller('reader', project=None), set()),
    (caller('reader', project=None, system='all'), {'show'})])
def test_quotas_are_shown_to_their_project_and_set_by_administrators(
        rules, user, may):
    assert {verb for verb, rule in QUOTA_RULES.items()
            if rules.allows(user, rule)} == may


def test_a_type_file_can_set_rules(rules):
    assert 'create' in allowed(rules, caller('odd'), 'odd')
    assert 'delete' not in allowed(rules, caller('admin'), 'odd')


def test_tags_and_metadata_follow_the_rules_of_the_record(rules):
    """Unless they have rules of their own."""
    assert allowed(rules, caller('odd'), 'odd') == {
        'create', 'patch', 'update_tags', 'update_metadata'}


@pytest.mark.parametrize('action', [
    'show_tags', 'update_tags', 'show_metadata', 'update_metadata',
    'list_revisions', 'show_revision', 'revert'])
def test_tags_metadata_and_revisions_can_have_rules_of_their_own(
        tmp_path, action):
    rules = policy(tmp_path, f'"pileus:hosts:{action}": "role:tagger"\n')
    assert allowed(rules, caller('tagger'), 'host') == {action}
    assert action not in allowed(rules, caller('admin'), 'host')


def test_a_refusal_names_the_rule(rules):
    with pytest.raises(errors.Forbidden) as caught:
        rules.check(caller('reader'), 'pileus:hosts:create')
    assert str(caught.value) == (
        'The policy rule pileus:hosts:create does not allow this request.')


def test_the_policy_file_overrides_the_defaults(tmp_path):
    rules = policy(tmp_path, '"pileus:hosts:create": "role:builder"\n')
    assert 'create' in allowed(rules, caller('builder'), 'host')
    assert 'create' not in allowed(rules, caller('admin'), 'host')


def test_the_last_file_of_policy_d_overrides_all_others(tmp_path):
    (tmp_path / 'policy.yaml').write_text(
        '"pileus:hosts:create": "role:a"\n"pileus:hosts:patch": "role:a"\n')
    (tmp_path / 'policy.d').mkdir()
    for file in ('10-b', '20-c', '.30-d'):
        (tmp_path / 'policy.d' / f'{file}.yaml').write_text(
            f'"pileus:hosts:create": "role:{file[-1]}"\n')
    rules = policy(tmp_path)
    assert rules.text('pileus:hosts:create') == 'role:c'
    assert rules.text('pileus:hosts:patch') == 'role:a'


@pytest.mark.parametrize(('file', 'message'), [
    ('# first\n[', 'line 2: '),
    ('"pileus:hosts:create": [', 'line 1: '),
    ('x: {', 'line 1: '),
    ('- "role:x"',
     'line 1: the file is not a mapping of rule names to checks'),
    ('\n"pileus:hosts:create":', 'line 2: pileus:hosts:create: a rule needs'),
    ('"pileus:hosts:create": true', 'line 1: pileus:hosts:create: a rule'),
    ('"pileus:hosts:create": [["role:x"]]', 'a rule needs a name and a check'),
    ('1: "role:x"', 'line 1: 1: a rule needs a name'),
    ('"pileus:hosts:create": "role:x or"', 'not valid policy language'),
    ('"pileus:hosts:create": "role:x and nobody"', 'policy language'),
    ('"pileus:hosts:create": "!role:x or role"', 'policy language'),
    ('"pileus:hosts:create": "! or nobody"', 'policy language'),
    ('"pileus:hosts:create": "! or"', 'policy language'),
    ('"pileus:hosts:create": "rule:pileus:menber"',
     'line 1: pileus:hosts:create: there is no rule pileus:menber'),
    ('"pileus:hosts:create": "not rule:pileus:menber"', 'there is no rule'),
    ('"pileus:admin": "rule:pileus:own_member"',
     'line 1: pileus:admin: the rule refers to itself')])
def test_an_invalid_file_stops_the_start_and_is_named(tmp_path, file, message):
    with pytest.raises(StartError) as caught:
        policy(tmp_path, file)
    assert 'policy.yaml: ' in str(caught.value)
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_configured_policy_file_must_exist(tmp_path):
    with pytest.raises(StartError) as caught:
        Policy(stored.conf(tmp_path, oslo_policy={
            'policy_file': 'rules.yaml'}), TYPES)
    assert str(caught.value) == ('[oslo_policy] policy_file = rules.yaml: '
                                 'there is no such file')


def test_an_invalid_rule_in_a_type_file_stops_the_start(tmp_path):
    types = stored.catalogue(odd='name: odd\nplural: odds\nproperties: {}\n'
                             'policy: {create: "role:"}\n')
    Policy(stored.conf(tmp_path), types)
    types = stored.catalogue(odd='name: odd\nplural: odds\nproperties: {}\n'
                             'policy: {create: "role"}\n')
    with pytest.raises(StartError) as caught:
        Policy(stored.conf(tmp_path), types)
    assert str(caught.value) == ('the policy rule pileus:odds:create: "role" '
                                 'is not valid policy language')


@pytest.mark.parametrize(('file', 'message'), [
    ('"pileus:hosts:crate": "role:x"',
     'line 1: pileus:hosts:crate: no action uses this rule name'),
    ('"pileus:hosts:create": ""',
     'line 1: pileus:hosts:create: an empty check allows everybody'),
    ('"pileus:hosts:create": "@"',
     'line 1: pileus:hosts:create: allows everybody'),
    ('"pileus:hosts:create": "not role:x"', 'create: allows callers without'),
    ('"pileus:hosts:create": "role:x"\n"pileus:hosts:create": "role:y"',
     'line 2: pileus:hosts:create: the rule is already in line 1'),
    ('"pileus:hosts:create": "rol:x"', 'create: checks rol, which no caller'),
    ('"pileus:hosts:create": "user_id:%(owner)s"', 'checks %(owner)s')])
def test_a_suspicious_rule_is_logged_as_a_warning(
        tmp_path, caplog, file, message):
    """A09: the service starts nevertheless."""
    policy(tmp_path, file)
    assert message in caplog.text


@pytest.mark.parametrize('file', [
    '', '# all as it is\n', '{}', '"mine": "role:x"\n'
    '"pileus:hosts:create": "rule:mine or user_id:%(user_id)s"\n',
    '"pileus:hosts:create": "\'demo\':%(project_id)s and role:x"'])
def test_a_reasonable_rule_causes_no_warning(tmp_path, caplog, file):
    policy(tmp_path, file)
    assert caplog.text == ''


def test_every_action_of_every_type_has_a_rule_with_a_description():
    rules_by_name = {rule.name: rule for rule in defaults(TYPES)}
    for declared in TYPES.live:
        for action in ACTIONS:
            assert rules_by_name[name(declared, action)].description


def test_decisions_for_callers_with_many_roles_are_not_cached(tmp_path):
    """A header holds thousands of roles; a set of them takes half a megabyte.
    """
    rules = policy(tmp_path)
    for number in range(20):
        many = [f'r{number}-{index}' for index in range(100)]
        assert 'create' not in allowed(rules, caller(*many), 'host')
        assert 'create' in allowed(rules, caller('member', *many), 'host')
    assert rules._rules._decide.cache_info().currsize == 0


# Files that change while the service runs

class World:
    """A policy whose files are edited; ``later`` makes a check of them due."""

    def __init__(self, tmp_path, file):
        self.path = tmp_path / 'policy.yaml'
        if file is not None:
            self.path.write_text(file)
        self.now = self.wall = 0.0
        self.rules = Policy(stored.conf(tmp_path), TYPES,
                            clock=lambda: self.now, wall=lambda: self.wall)

    def later(self):
        self.now += enforcement.CHECK_SECONDS
        return self.rules.allows(caller('builder'), 'pileus:hosts:create')

    @property
    def open(self):
        """Whether the rule allows the caller after two unchanged checks."""
        return [self.later(), self.later()][1]


GOOD = '"pileus:hosts:create": "role:builder"\n'
OTHER = '"pileus:hosts:create": "role:other"\n'


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, GOOD)


def test_a_changed_file_is_in_force_within_two_checks(world):
    assert world.open
    world.path.write_text(OTHER)
    assert not world.open
    world.path.write_text(GOOD)
    assert world.open


def test_a_file_that_is_being_written_is_not_read_yet(world):
    world.path.write_text(OTHER)
    assert world.later()
    world.path.write_text(OTHER + '# and more\n')
    assert world.later()
    assert not world.later()


def test_an_old_change_is_in_force_at_the_first_check(world):
    """After an idle time, no request meets the old rules."""
    world.path.write_text(OTHER)
    world.wall = world.path.stat().st_ctime + 60
    assert not world.later()


def test_files_are_not_checked_for_each_decision(world):
    world.path.write_text(OTHER)
    for _ in range(3):
        assert world.rules.allows(caller('builder'), 'pileus:hosts:create')


def test_a_new_policy_file_is_found(tmp_path):
    world = World(tmp_path, None)
    assert not world.open
    world.path.write_text(GOOD)
    assert world.open


def test_files_of_policy_d_can_be_added_and_removed(world):
    folder = world.path.with_name('policy.d')
    folder.mkdir()
    (folder / 'one.yaml').write_text(OTHER)
    assert not world.open
    (folder / 'one.yaml').unlink()
    assert world.open


def spoil(path, content):
    if content is None:
        path.unlink()
    elif content is OSError:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(('content', 'message'), [
    (b'"pileus:hosts:create": "role:x', 'policy.yaml: line 1: '),
    (b'- "role:x"', 'line 1: the file is not a mapping'),
    (b'', 'the file is empty; write {}'),
    (b' \n', 'the file is empty; write {}'),
    (b'"pileus:hosts:create": ""',
     'line 1: pileus:hosts:create: an empty check'),
    (b'\n"pileus:hosts:crate": "role:x"', 'line 2: pileus:hosts:crate: no '),
    (b'"pileus:hosts:create": "rule:nobody"', 'there is no rule nobody'),
    (b'"pileus:hosts:create": "role"', 'not valid policy language'),
    (b'"pileus:hosts:create": "rol:x"', 'checks rol'),
    (b'\xff', 'the file is not valid UTF-8'), (b'a: \0', 'policy.yaml: '),
    (b'[' * 5000, 'policy.yaml: '),
    (b'x: 2001-99-99', 'line 1: x: a rule needs a name'),
    (None, 'policy.yaml: the file is missing'), (OSError, 'Is a directory')])
def test_an_invalid_file_leaves_the_previous_rules_in_force(
        world, caplog, content, message):
    """A09: the log names file and line once for each change.

    Once the file is valid, its rules are in force.
    """
    spoil(world.path, content)
    assert all(world.later() for _ in range(5))
    (record,) = [record for record in caplog.records
                 if record.name == 'api.policy.enforcement'
                 and record.levelname == 'ERROR']
    assert message in record.getMessage()
    if world.path.is_dir():
        world.path.rmdir()
    world.path.write_text(OTHER)
    assert not world.open


def test_a_warning_of_the_start_does_not_block_later_changes(tmp_path, caplog):
    """A rule of a removed type must not keep an old file in force."""
    world = World(tmp_path, GOOD + '"pileus:gone:list": "role:x"\n')
    world.path.write_text(OTHER + '"pileus:gone:list": "role:x"\n')
    assert not world.open


@pytest.mark.parametrize('text', [
    '[', '', '"pileus:hosts:create": "role"', '"pileus:hosts:crate": "@"',
    None])
def test_new_types_use_the_last_valid_rules_while_a_file_is_invalid(
        tmp_path, text):
    """The default rules do not come back."""
    (tmp_path / 'policy.yaml').write_text(GOOD)
    conf = stored.conf(tmp_path)
    files = PolicyFiles(conf)
    Policy(conf, TYPES, files=files)
    spoil(tmp_path / 'policy.yaml', None if text is None
          else text.encode())
    ticks = itertools.count(0, enforcement.CHECK_SECONDS)
    rules = Policy(conf, TYPES, files=files, clock=lambda: next(ticks))
    for _ in range(3):
        assert rules.allows(caller('builder'), 'pileus:hosts:create')
    (tmp_path / 'policy.yaml').write_text(OTHER)
    assert [rules.allows(caller('builder'), 'pileus:hosts:create')
            for _ in range(3)][2] is False


def test_a_rule_that_allows_everybody_is_logged_when_it_takes_effect(
        world, caplog):
    world.path.write_text('"pileus:hosts:create": "@"\n')
    assert world.open
    assert 'create: allows everybody' in caplog.text


@pytest.mark.parametrize('text', ['{}', '# nothing\n'])
def test_a_file_without_rules_restores_the_defaults(world, text):
    world.path.write_text(text)
    assert not world.open
    assert world.rules.text('pileus:hosts:create') == 'rule:pileus:own_member'
