# SPDX-License-Identifier: Apache-2.0
"""What other records have a say in."""

import pytest

from service.domain import checks, errors
from tests.unit import stored

RACK = '''
name: rack
plural: racks
scope: cloud
properties: {name: {type: string}}
required: [name]
'''
HOST = '''
name: host
plural: hosts
properties:
  name: {type: string}
  zone: {type: string}
  serial: {type: string, immutable: true}
  rack_id: {references: rack}
  peer_id: {references: host}
required: [name]
unique: [[zone, name]]
quota: 2
'''
WORK = '''
name: work
plural: works
properties:
  title: {type: string}
  starts_at: {type: string, format: date-time}
  ends_at: {type: string, format: date-time}
exclusive: [{period: [starts_at, ends_at], per: [title]}]
'''
MISSING = '0d1f0b9c-58a8-4c2b-9a44-000000000001'


@pytest.fixture
def world(tmp_path):
    made = stored.world(tmp_path, rack=RACK, host=HOST, work=WORK)
    yield made
    made.engine.dispose()


def at(hour):
    return hour and f'2026-01-01T{hour:02}:00:00.000000Z'


# Immutable

def test_every_immutable_change_is_named_with_its_place(world):
    with pytest.raises(errors.Invalid) as caught:
        checks.immutable(world.shape('host'), {'serial', 'name'}, '/host')
    assert caught.value.violations == (errors.Violation(
        'serial cannot be changed once the host is made', '/host/serial'),)


def test_what_is_not_changed_may_be_immutable(world):
    assert checks.immutable(world.shape('host'), {'name'}, '/host') is None


# References

def test_every_missing_target_is_named_with_its_place(world):
    with pytest.raises(errors.MissingReference) as caught:
        world.make('host', name='a', rack_id=MISSING, peer_id=MISSING)
    assert caught.value.violations == (
        errors.Violation(f'rack_id: no rack has the id {MISSING}',
                         '/host/rack_id'),
        errors.Violation(f'peer_id: no host has the id {MISSING}',
                         '/host/peer_id'))


def test_a_cloud_record_may_be_referred_to_from_any_project(world):
    rack = world.make('rack', name='r1')
    made = world.make('host', project='other', name='a', rack_id=rack['id'])
    assert made['rack_id'] == rack['id']


def test_a_record_of_another_project_is_not_there(world):
    """Not even for an administrator, who could reach it."""
    peer = world.make('host', project='other', name='a')
    with pytest.raises(errors.MissingReference):
        world.make('host', name='b', peer_id=peer['id'])


def test_a_record_may_refer_to_itself(world):
    made = world.make('host', name='a')
    changed = world.change('host', made['id'], peer_id=made['id'])
    assert changed['peer_id'] == made['id']


# Unique

def test_another_with_the_same_values_is_refused_by_their_names(world):
    world.make('host', name='a', zone='z')
    with pytest.raises(errors.NotUnique) as caught:
        world.make('host', name='a', zone='z')
    assert str(caught.value) == 'Another host has the same zone and name.'


def test_null_is_like_nothing_else(world):
    world.make('host', name='a')
    assert world.make('host', name='a')['generation'] == 1


def test_a_change_of_half_a_key_is_looked_at_with_the_other_half(world):
    world.make('host', name='a', zone='z')
    other = world.make('host', name='a', zone='y')
    with pytest.raises(errors.NotUnique):
        world.change('host', other['id'], zone='z')


# Periods

@pytest.mark.parametrize(('start', 'end'), [
    (9, 11), (10, 12), (11, 12), (9, 13), (11, 13), (9, None), (None, 11),
    (None, None), (10, None)])
def test_a_period_that_is_held_in_part_is_refused(world, start, end):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    with pytest.raises(errors.Overlapping) as caught:
        world.make('work', title='a', starts_at=at(start), ends_at=at(end))
    assert str(caught.value) == (
        'Another work holds a period that overlaps starts_at and ends_at '
        'for the same title.')


@pytest.mark.parametrize(('start', 'end'), [
    (8, 10), (12, 13), (12, None), (None, 10)])
def test_a_period_begins_when_another_ends(world, start, end):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', title='a', starts_at=at(start), ends_at=at(end))


@pytest.mark.parametrize('title', ['b', None])
def test_periods_of_different_things_do_not_meet(world, title):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', title=title, starts_at=at(10), ends_at=at(12))


def test_periods_of_different_projects_do_not_meet(world):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', project='other', title='a', starts_at=at(10),
               ends_at=at(12))


def test_a_record_does_not_overlap_itself(world):
    made = world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.change('work', made['id'], ends_at=at(13))


# Quota

def test_a_project_has_as_many_as_it_may(world):
    world.make('host', name='a')
    world.make('host', name='b')
    with pytest.raises(errors.QuotaExceeded) as caught:
        world.make('host', name='c')
    assert str(caught.value) == (
        'The project may have 2 hosts and has 2; 1 more cannot be made.')


def test_each_project_of_a_list_is_counted_by_itself(world):
    new = [world.new('host', project, name=name)
              for project in ('one', 'two') for name in 'ab']
    made = world.records.create(world.shape('host'), stored.ADMIN, new)
    assert len(made) == 4


def test_a_list_is_counted_as_a_whole(world):
    new = [world.new('host', name=name) for name in 'abc']
    with pytest.raises(errors.QuotaExceeded):
        world.records.create(world.shape('host'), stored.ADMIN, new)
    assert world.names('host') == []
