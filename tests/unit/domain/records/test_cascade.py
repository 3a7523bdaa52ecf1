# SPDX-License-Identifier: Apache-2.0
"""Deletion of a record: cascades, cleared references and restrictions."""

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
#: Cascades from its node, and also restricts the deletion of a node.
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
    opened = world(tmp_path)
    yield opened
    opened.engine.dispose()


def chain(nodes, names):
    """Create nodes, each with the previous one as its parent."""
    parent_id = None
    for name in names:
        node = nodes.make('node', name=name, parent_id=parent_id)
        parent_id = node['id']
        yield node


def test_a_deletion_cascades_to_referring_records(nodes):
    first, *_ = chain(nodes, 'abcd')
    nodes.make('node', name='e')
    nodes.delete('node', first['id'])
    assert nodes.names('node') == ['e']


def test_each_deleted_record_has_a_revision_of_its_own(nodes):
    first, *_ = chain(nodes, 'abc')
    nodes.delete('node', first['id'])
    assert [(revision['action'], revision['document']['name'],
             revision['user_id']) for revision in nodes.revisions()[3:]] == [
        ('delete', 'c', 'root'), ('delete', 'b', 'root'),
        ('delete', 'a', 'root')]


def test_a_cycle_of_records_is_deleted_together(nodes):
    first, _, last = chain(nodes, 'abc')
    nodes.change('node', first['id'], parent_id=last['id'])
    nodes.delete('node', last['id'])
    assert nodes.names('node') == []


def test_a_record_that_refers_to_itself_can_be_deleted(nodes):
    node = nodes.make('node', name='a')
    nodes.change('node', node['id'], parent_id=node['id'],
                 friend_id=node['id'])
    nodes.delete('node', node['id'])
    assert nodes.names('node') == []


def test_set_null_keeps_the_referring_record_and_clears_the_reference(nodes):
    node = nodes.make('node', name='a')
    friend = nodes.make('node', name='b', friend_id=node['id'])
    nodes.delete('node', node['id'])
    after = nodes.records.show(nodes.type('node'), stored.ADMIN,
                               friend['id'])
    assert (after['friend_id'], after['generation']) == (None, 2)
    assert after['updated_at'] > friend['updated_at']
    assert [(revision['action'], revision['document']['name'])
            for revision in nodes.revisions()[2:]] == [
        ('update', 'b'), ('delete', 'a')]


def test_cascade_takes_precedence_over_set_null(nodes):
    node = nodes.make('node', name='a')
    nodes.make('node', name='b', parent_id=node['id'], friend_id=node['id'])
    nodes.delete('node', node['id'])
    assert nodes.names('node') == []
    assert [revision['action'] for revision in nodes.revisions()] == [
        'create', 'create', 'delete', 'delete']


def test_a_restricting_record_is_named(nodes):
    node = nodes.make('node', name='a')
    lock = nodes.make('lock', name='l', node_id=node['id'])
    with pytest.raises(errors.StillReferred) as caught:
        nodes.delete('node', node['id'])
    assert str(caught.value) == (
        f'The node {node["id"]} is still referred to by lock {lock["id"]}; '
        'delete or change the referring records first.')


def test_a_restriction_deep_in_a_cascade_prevents_the_whole_deletion(nodes):
    first, _, last = chain(nodes, 'abc')
    nodes.make('lock', name='l', node_id=last['id'])
    with pytest.raises(errors.StillReferred):
        nodes.delete('node', first['id'])
    assert nodes.names('node') == ['a', 'b', 'c']
    assert {revision['action'] for revision in nodes.revisions()} == {
        'create'}


def test_a_restricting_record_that_is_deleted_too_restricts_nothing(nodes):
    node = nodes.make('node', name='a')
    nodes.make('leaf', name='l', node_id=node['id'], other_id=node['id'])
    nodes.delete('node', node['id'])
    assert nodes.names('leaf') == []


def test_an_error_names_three_referring_records_and_counts_the_rest(nodes):
    node = nodes.make('node', name='a')
    for number in range(5):
        nodes.make('lock', name=str(number), node_id=node['id'])
    with pytest.raises(errors.StillReferred) as caught:
        nodes.delete('node', node['id'])
    text = str(caught.value)
    assert text.count('lock ') == 3
    assert text.endswith(
        ' and 2 more; delete or change the referring records first.')


def test_an_error_only_counts_records_of_other_projects(tmp_path):
    rack = 'name: rack\nplural: racks\nscope: cloud\nproperties: {}\n'
    host = ('name: host\nplural: hosts\n'
            'properties: {rack_id: {references: rack}}\n')
    opened = stored.world(tmp_path, rack=rack, host=host)
    target = opened.make('rack')
    opened.make('host', project='theirs', rack_id=target['id'])
    ours = Caller('ours', 'ada', frozenset({'rack_admin'}), False)
    with pytest.raises(errors.StillReferred) as caught:
        opened.delete('rack', target['id'], ours)
    assert str(caught.value) == (
        f'The rack {target["id"]} is still referred to by one record; '
        'delete or change the referring records first.')
    opened.engine.dispose()


@pytest.mark.parametrize('reference', ['parent_id', 'friend_id'])
def test_a_deletion_may_change_as_many_records_as_the_limit(tmp_path,
                                                            reference):
    opened = world(tmp_path, max_cascade=2)
    first = opened.make('node', name='a')
    for name in 'bcd':
        last = opened.make('node', name=name, **{reference: first['id']})
    with pytest.raises(errors.Conflict) as caught:
        opened.delete('node', first['id'])
    assert str(caught.value) == (
        'Deleting this record would change more than 2 records that refer '
        'to it; delete some of those records first.')
    opened.delete('node', last['id'])
    opened.delete('node', first['id'])
    assert 'a' not in opened.names('node')
    opened.engine.dispose()


def test_the_limit_counts_a_record_with_two_references_once(tmp_path):
    opened = world(tmp_path, max_cascade=1)
    first = opened.make('node', name='a')
    opened.make('node', name='b', parent_id=first['id'],
                friend_id=first['id'])
    opened.delete('node', first['id'])
    assert opened.names('node') == []
    opened.engine.dispose()
