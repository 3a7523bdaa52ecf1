# SPDX-License-Identifier: Apache-2.0
"""A record goes: what goes with it, what stays without it, what forbids it."""

import pytest

from service.domain import errors
from service.domain.caller import Caller
from tests.unit import stored

NODE = '''
name: node
plural: nodes
properties:
  name: {type: string}
  parent_id: {references: node, on_delete: cascade}
  friend_id: {references: node, on_delete: set_null}
required: [name]
'''
LOCK = '''
name: lock
plural: locks
properties:
  name: {type: string}
  node_id: {references: node}
required: [name]
'''
#: Goes with its node, and yet would keep it from going.
LEAF = '''
name: leaf
plural: leaves
properties:
  name: {type: string}
  node_id: {references: node, on_delete: cascade}
  other_id: {references: node}
required: [name]
'''


def world(tmp_path, **options):
    return stored.world(tmp_path, node=NODE, lock=LOCK, leaf=LEAF, **options)


@pytest.fixture
def nodes(tmp_path):
    made = world(tmp_path)
    yield made
    made.engine.dispose()


def chain(nodes, names):
    """Each hangs on the one before it."""
    before = None
    for name in names:
        made = nodes.make('node', name=name, parent_id=before)
        before = made['id']
        yield made


def test_what_hangs_on_a_record_goes_with_it(nodes):
    first, *_ = chain(nodes, 'abcd')
    nodes.make('node', name='e')
    nodes.delete('node', first['id'])
    assert nodes.names('node') == ['e']


def test_each_that_went_has_a_revision_of_its_own(nodes):
    first, *_ = chain(nodes, 'abc')
    nodes.delete('node', first['id'])
    told = [(one['action'], one['document']['name'], one['user_id'])
            for one in nodes.revisions()[3:]]
    assert told == [('delete', 'c', 'root'), ('delete', 'b', 'root'),
                    ('delete', 'a', 'root')]


def test_a_ring_goes_at_once(nodes):
    first, _, last = chain(nodes, 'abc')
    nodes.change('node', first['id'], parent_id=last['id'])
    nodes.delete('node', last['id'])
    assert nodes.names('node') == []


def test_a_record_that_hangs_on_itself_goes(nodes):
    made = nodes.make('node', name='a')
    nodes.change('node', made['id'], parent_id=made['id'],
                 friend_id=made['id'])
    nodes.delete('node', made['id'])
    assert nodes.names('node') == []


def test_what_only_points_at_a_record_stays_and_is_changed(nodes):
    made = nodes.make('node', name='a')
    friend = nodes.make('node', name='b', friend_id=made['id'])
    nodes.delete('node', made['id'])
    after = nodes.records.show(nodes.type('node'), stored.ADMIN,
                               friend['id'])
    assert (after['friend_id'], after['generation']) == (None, 2)
    assert after['updated_at'] > friend['updated_at']
    told = [(one['action'], one['document']['name'])
            for one in nodes.revisions()[2:]]
    assert told == [('update', 'b'), ('delete', 'a')]


def test_what_both_hangs_and_points_goes(nodes):
    made = nodes.make('node', name='a')
    nodes.make('node', name='b', parent_id=made['id'], friend_id=made['id'])
    nodes.delete('node', made['id'])
    assert nodes.names('node') == []
    assert [one['action'] for one in nodes.revisions()] == [
        'create', 'create', 'delete', 'delete']


def test_a_reference_that_restricts_is_named(nodes):
    made = nodes.make('node', name='a')
    lock = nodes.make('lock', name='l', node_id=made['id'])
    with pytest.raises(errors.StillReferred) as caught:
        nodes.delete('node', made['id'])
    assert str(caught.value) == (
        f'The node {made["id"]} is still referred to by lock {lock["id"]}; '
        'delete or change the referring records first.')


def test_one_that_restricts_deep_in_a_cascade_keeps_all(nodes):
    first, _, last = chain(nodes, 'abc')
    nodes.make('lock', name='l', node_id=last['id'])
    with pytest.raises(errors.StillReferred):
        nodes.delete('node', first['id'])
    assert nodes.names('node') == ['a', 'b', 'c']
    assert {one['action'] for one in nodes.revisions()} == {'create'}


def test_one_that_restricts_but_goes_as_well_forbids_nothing(nodes):
    made = nodes.make('node', name='a')
    nodes.make('leaf', name='l', node_id=made['id'], other_id=made['id'])
    nodes.delete('node', made['id'])
    assert nodes.names('leaf') == []


def test_a_refusal_names_three_and_counts_the_rest(nodes):
    made = nodes.make('node', name='a')
    for number in range(5):
        nodes.make('lock', name=str(number), node_id=made['id'])
    with pytest.raises(errors.StillReferred) as caught:
        nodes.delete('node', made['id'])
    told = str(caught.value)
    assert told.count('lock ') == 3
    assert told.endswith(
        ' and 2 more; delete or change the referring records first.')


def test_a_refusal_tells_only_the_number_of_what_is_not_the_callers(
        tmp_path):
    rack = 'name: rack\nplural: racks\nscope: cloud\nproperties: {}\n'
    host = ('name: host\nplural: hosts\n'
            'properties: {rack_id: {references: rack}}\n')
    made = stored.world(tmp_path, rack=rack, host=host)
    target = made.make('rack')
    made.make('host', project='theirs', rack_id=target['id'])
    ours = Caller('ours', 'ada', frozenset({'rack_admin'}), False)
    with pytest.raises(errors.StillReferred) as caught:
        made.delete('rack', target['id'], ours)
    assert str(caught.value) == (
        f'The rack {target["id"]} is still referred to by one record; '
        'delete or change the referring records first.')
    made.engine.dispose()


@pytest.mark.parametrize('how', ['parent_id', 'friend_id'])
def test_more_than_the_limit_is_refused_and_the_limit_is_not(tmp_path, how):
    made = world(tmp_path, max_cascade=2)
    first = made.make('node', name='a')
    for name in 'bcd':
        last = made.make('node', name=name, **{how: first['id']})
    with pytest.raises(errors.Conflict) as caught:
        made.delete('node', first['id'])
    assert str(caught.value) == (
        'Deleting this would change more than 2 records that refer to it; '
        'delete some of those first.')
    made.delete('node', last['id'])
    made.delete('node', first['id'])
    assert 'a' not in made.names('node')
    made.engine.dispose()


def test_the_limit_counts_a_record_once_however_it_refers(tmp_path):
    made = world(tmp_path, max_cascade=1)
    first = made.make('node', name='a')
    made.make('node', name='b', parent_id=first['id'], friend_id=first['id'])
    made.delete('node', first['id'])
    assert made.names('node') == []
    made.engine.dispose()
