# SPDX-License-Identifier: Apache-2.0
"""Immutable properties, references, unique values, periods and quotas."""

import pytest

from service.domain import errors
from service.domain.records import references
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
exclusive: [{period: [starts_at, ends_at], over: [title]}]
'''
STAY = '''
name: stay
plural: stays
properties:
  starts_at: {type: string, format: date-time}
  ends_at: {type: string, format: date-time}
  state: {type: string, enum: [planned, running, done], default: planned}
  paid: {type: boolean}
exclusive:
  period: [starts_at, ends_at]
  when: {state: [planned, running], paid: [true]}
'''
MISSING = '0d1f0b9c-58a8-4c2b-9a44-000000000001'


@pytest.fixture
def world(tmp_path):
    opened = stored.world(tmp_path, rack=RACK, host=HOST, work=WORK,
                          stay=STAY)
    yield opened
    opened.engine.dispose()


def at(hour):
    return hour and f'2026-01-01T{hour:02}:00:00.000000Z'


# Immutable

def test_every_change_of_an_immutable_property_is_reported(world):
    with pytest.raises(errors.Invalid) as caught:
        references.check_immutable(world.shape('host'), {'serial', 'name'},
                                   '/host')
    assert caught.value.violations == (errors.Violation(
        'serial cannot be changed after the host is created', '/host/serial'),)


def test_an_unchanged_immutable_property_is_accepted(world):
    assert references.check_immutable(world.shape('host'), {'name'},
                                      '/host') is None


# References

def test_every_missing_target_is_reported_with_its_pointer(world):
    with pytest.raises(errors.MissingReference) as caught:
        world.make('host', name='a', rack_id=MISSING, peer_id=MISSING)
    assert caught.value.violations == (
        errors.Violation(f'rack_id: no rack has the id {MISSING}',
                         '/host/rack_id'),
        errors.Violation(f'peer_id: no host has the id {MISSING}',
                         '/host/peer_id'))


def test_records_of_any_project_may_refer_to_a_cloud_record(world):
    rack = world.make('rack', name='r1')
    created = world.make('host', project='other', name='a', rack_id=rack['id'])
    assert created['rack_id'] == rack['id']


def test_a_reference_to_another_project_is_refused(world):
    """An administrator, who can read the target, is refused too."""
    peer = world.make('host', project='other', name='a')
    with pytest.raises(errors.MissingReference):
        world.make('host', name='b', peer_id=peer['id'])


def test_a_record_may_refer_to_itself(world):
    created = world.make('host', name='a')
    changed = world.change('host', created['id'], peer_id=created['id'])
    assert changed['peer_id'] == created['id']


# Unique

def test_equal_unique_values_are_refused_by_property_names(world):
    first = world.make('host', name='a', zone='z')
    with pytest.raises(errors.NotUnique) as caught:
        world.make('host', name='a', zone='z')
    assert str(caught.value) == (
        f'Another host has the same zone and name: {first["id"]}.')


def test_the_id_of_a_record_that_the_caller_may_not_see_is_not_named(world):
    """D26: a policy rule allows creation in a project that is not visible."""
    world.make('host', project='other', name='a', zone='z')
    with pytest.raises(errors.NotUnique) as caught:
        world.records.create(world.shape('host'), stored.MEMBER, [
            world.new('host', 'other', name='a', zone='z')])
    assert str(caught.value) == 'Another host has the same zone and name.'


def test_a_conflicting_item_of_a_list_is_named(world):
    first = world.make('host', name='a', zone='z')
    with pytest.raises(errors.NotUnique) as caught:
        world.records.create(world.shape('host'), stored.ADMIN, [
            world.new('host', name=name, zone='z')._replace(
                pointer=f'/hosts/{index}')
            for index, name in enumerate('a', 1)])
    assert caught.value.violations == (errors.Violation(
        f'Another host has the same zone and name: {first["id"]}.',
        '/hosts/1'),)


def test_two_items_of_a_list_may_conflict_with_each_other(world):
    with pytest.raises(errors.NotUnique) as caught:
        world.records.create(world.shape('host'), stored.ADMIN, [
            world.new('host', name='a', zone='z')._replace(
                pointer=f'/hosts/{index}') for index in range(2)])
    assert caught.value.violations == (errors.Violation(
        'Another host has the same zone and name: /hosts/0 in this request.',
        '/hosts/1'),)


def test_unique_values_are_compared_within_a_project(world):
    created = world.records.create(world.shape('host'), stored.ADMIN, [
        world.new('host', project, name='a', zone='z')
        for project in ('one', 'two')])
    assert [record['project_id'] for record in created] == ['one', 'two']


def test_null_is_never_a_duplicate(world):
    world.make('host', name='a')
    assert world.make('host', name='a')['generation'] == 1


def test_a_change_of_one_column_is_checked_with_the_others_of_the_tuple(world):
    world.make('host', name='a', zone='z')
    other = world.make('host', name='a', zone='y')
    with pytest.raises(errors.NotUnique):
        world.change('host', other['id'], zone='z')


# Periods

@pytest.mark.parametrize(('start', 'end'), [
    (9, 11), (10, 12), (11, 12), (9, 13), (11, 13), (9, None), (None, 11),
    (None, None), (10, None)])
def test_an_overlapping_period_is_refused(world, start, end):
    first = world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    with pytest.raises(errors.Overlapping) as caught:
        world.make('work', title='a', starts_at=at(start), ends_at=at(end))
    assert str(caught.value) == (
        'Another work holds a period that overlaps starts_at and ends_at '
        f'for the same title: {first["id"]}.')


@pytest.mark.parametrize(('start', 'end'), [
    (8, 10), (12, 13), (12, None), (None, 10)])
def test_a_period_may_begin_when_another_ends(world, start, end):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', title='a', starts_at=at(start), ends_at=at(end))


@pytest.mark.parametrize('title', ['b', None])
def test_periods_with_different_values_of_over_do_not_conflict(world, title):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', title=title, starts_at=at(10), ends_at=at(12))


def test_periods_of_different_projects_do_not_conflict(world):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.make('work', project='other', title='a', starts_at=at(10),
               ends_at=at(12))


def test_a_record_does_not_conflict_with_itself(world):
    created = world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    world.change('work', created['id'], ends_at=at(13))


@pytest.mark.parametrize('periods', [
    [(9, 11), (10, 12)], [(10, None), (8, 11)], [(None, 11), (10, 12)],
    [(8, 20), (9, 10), (11, 12)], [(9, 10), (11, 12), (None, None)]])
def test_two_periods_of_a_list_may_conflict_with_each_other(world, periods):
    with pytest.raises(errors.Overlapping) as caught:
        works(world, periods)
    assert 'for the same title: /works/' in str(caught.value)
    assert str(caught.value).endswith(' in this request.')


@pytest.mark.parametrize('periods', [
    [(9, 10), (10, 12), (12, None), (None, 9)], [(10, 11), (9, 10)]])
def test_adjacent_periods_of_a_list_are_accepted(world, periods):
    assert len(works(world, periods)) == len(periods)


def test_a_conflicting_period_of_a_list_is_named(world):
    world.make('work', title='a', starts_at=at(10), ends_at=at(12))
    with pytest.raises(errors.Overlapping) as caught:
        works(world, [(8, 9), (9, 10), (11, 13), (14, 15)])
    assert caught.value.violations[0].pointer == '/works/2'


def works(world, periods):
    return world.records.create(world.shape('work'), stored.ADMIN, [
        world.new('work', title='a', starts_at=at(start), ends_at=at(end)
                  )._replace(pointer=f'/works/{index}')
        for index, (start, end) in enumerate(periods)])


@pytest.mark.parametrize(('state', 'paid'), [
    ('done', True), ('planned', False), ('planned', None)])
def test_a_rule_applies_only_if_all_conditions_of_when_hold(
        world, state, paid):
    world.make('stay', starts_at=at(10), state=state, paid=paid)
    second = world.make('stay', starts_at=at(10), state='planned', paid=True)
    world.make('stay', starts_at=at(10), state=state, paid=paid)
    with pytest.raises(errors.Overlapping) as caught:
        world.make('stay', starts_at=at(11), state='running', paid=True)
    assert str(caught.value) == (
        'Another stay holds a period that overlaps starts_at and ends_at: '
        f'{second["id"]}.')


def test_a_change_that_makes_the_rule_apply_is_checked(world):
    first = world.make('stay', starts_at=at(10), paid=True)
    other = world.make('stay', starts_at=at(10), paid=False)
    with pytest.raises(errors.Overlapping):
        world.change('stay', other['id'], paid=True)
    world.change('stay', first['id'], state='done')
    assert world.change('stay', other['id'], paid=True)['paid']


# Quota

def test_a_project_cannot_exceed_its_quota(world):
    world.make('host', name='a')
    world.make('host', name='b')
    with pytest.raises(errors.QuotaExceeded) as caught:
        world.make('host', name='c')
    assert str(caught.value) == (
        'The project has 2 of at most 2 hosts; the request would create 1 '
        'more.')


def test_each_project_of_a_list_is_counted_separately(world):
    new = [world.new('host', project, name=name)
           for project in ('one', 'two') for name in 'ab']
    created = world.records.create(world.shape('host'), stored.ADMIN, new)
    assert len(created) == 4


def test_a_list_is_counted_as_a_whole(world):
    new = [world.new('host', name=name) for name in 'abc']
    with pytest.raises(errors.QuotaExceeded):
        world.records.create(world.shape('host'), stored.ADMIN, new)
    assert world.names('host') == []
