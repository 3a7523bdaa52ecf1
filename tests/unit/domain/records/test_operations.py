# SPDX-License-Identifier: Apache-2.0
"""The operations on records, and the revisions that they add."""

import pytest
import sqlalchemy as sa

from service.domain import errors
from service.domain.caller import Caller
from service.domain.query import list_query
from service.domain.records.preconditions import Precondition, state_token
from tests.unit import stored
from tests.unit.stored import UNCONDITIONAL

DESK = '''
name: desk
plural: desks
properties:
  name: {type: string}
  size: {type: integer, default: 1}
  labels: {type: object}
required: [name]
unique: [[name]]
'''
ID = '0d1f0b9c-58a8-4c2b-9a44-000000000001'
THEM = Caller('theirs', 'eve', frozenset({'member'}), False)


@pytest.fixture
def desks(tmp_path):
    opened = stored.world(tmp_path, desk=DESK)
    yield opened
    opened.engine.dispose()


def replace(desks, id=ID, caller=stored.MEMBER,
            precondition=UNCONDITIONAL, dry_run=False, **values):
    return desks.records.replace(
        desks.shape('desk'), caller, id, precondition,
        lambda: desks.new('desk', caller.project_id, **values),
        lambda record: values, '/desk', dry_run=dry_run)


def page(desks, caller=stored.MEMBER, **parameters):
    return desks.records.list(desks.type('desk'), caller,
                              list_query.Query(**parameters))


def names(result):
    return [record['name'] for record in result.records]


# Create

def test_a_new_record_has_generation_1(desks):
    desk = desks.make('desk', name='a')
    assert (desk['generation'], desk['project_id'], desk['size'],
            desk['tags'], desk['metadata']) == (1, 'demo', 1, [], {})
    assert desk['created_at'] == desk['updated_at']


def test_a_created_record_can_be_read(desks):
    desk = desks.make('desk', name='a', labels={'a': [1, 2.5, None]},
                      tags=['é', 'a'], metadata={'k': 'v'})
    assert desks.records.show(desks.type('desk'), stored.MEMBER,
                              desk['id']) == desk


def test_a_list_is_created_completely_or_not_at_all(desks):
    new = [desks.new('desk', name=name) for name in ('a', 'b', 'a')]
    with pytest.raises(errors.NotUnique):
        desks.records.create(desks.shape('desk'), stored.MEMBER, new)
    assert (desks.names('desk'), desks.revisions()) == ([], [])


def test_the_revisions_of_a_list_are_in_its_order(desks):
    new = [desks.new('desk', name=name) for name in 'ab']
    created = desks.records.create(desks.shape('desk'), stored.MEMBER, new)
    columns = ('number', 'action', 'record_id', 'record_generation',
               'user_id', 'request_id', 'project_id')
    assert [tuple(revision[column] for column in columns)
            for revision in desks.revisions()] == [
        (1, 'create', created[0]['id'], 1, 'ada', 'req-2', 'demo'),
        (2, 'create', created[1]['id'], 1, 'ada', 'req-2', 'demo')]


def test_a_revision_has_the_record_after_the_write(desks):
    desk = desks.make('desk', name='a')
    after = desks.change('desk', desk['id'], name='b')
    desks.delete('desk', desk['id'])
    assert [(revision['action'], revision['document'])
            for revision in desks.revisions()] == [
        ('create', desk), ('update', after), ('delete', after)]


# Change

def test_a_change_updates_generation_and_time(desks):
    desk = desks.make('desk', name='a')
    after = desks.change('desk', desk['id'], name='b')
    assert (after['name'], after['generation']) == ('b', 2)
    assert after['updated_at'] > desk['updated_at']
    assert after['created_at'] == desk['created_at']


def test_a_write_of_the_present_values_changes_nothing(desks):
    desk = desks.make('desk', name='a', labels={'b': 1, 'a': 2})
    after = desks.change('desk', desk['id'], name='a',
                         labels={'a': 2, 'b': 1})
    assert after == desk
    assert len(desks.revisions()) == 1


def test_1_and_true_differ_inside_an_object(desks):
    desk = desks.make('desk', name='a', labels={'a': 1})
    after = desks.change('desk', desk['id'], labels={'a': True})
    assert after['generation'] == 2


def test_a_write_based_on_an_older_state_is_refused(desks):
    desk = desks.make('desk', name='a')
    old = Precondition(tokens=frozenset([state_token(desk)]))
    desks.change('desk', desk['id'], name='b')
    with pytest.raises(errors.Stale):
        desks.records.change(desks.shape('desk'), stored.MEMBER, desk['id'],
                             old, lambda record: {'name': 'c'}, '/desk')
    assert desks.names('desk') == ['b']


def test_a_record_created_again_under_an_id_is_another_record(desks):
    first, _ = replace(desks, name='a')
    desks.delete('desk', ID)
    replace(desks, name='a')
    with pytest.raises(errors.Stale):
        replace(desks, name='b', precondition=Precondition(
            tokens=frozenset([state_token(first)])))


# Replace

def test_a_replace_creates_a_missing_record(desks):
    record, created = replace(desks, name='a')
    assert (created, record['id'], record['generation']) == (True, ID, 1)
    record, created = replace(desks, name='b')
    assert (created, record['name'], record['generation']) == (False, 'b', 2)


def test_an_id_of_another_project_is_taken(desks):
    replace(desks, name='a')
    with pytest.raises(errors.IdTaken):
        replace(desks, name='a', caller=THEM)


def test_an_administrator_can_replace_a_record_of_any_project(desks):
    replace(desks, name='a', caller=THEM)
    record, created = replace(desks, name='b', caller=stored.ADMIN)
    assert (created, record['project_id']) == (False, 'theirs')


# Projects

@pytest.mark.parametrize('action', ['show', 'change', 'delete'])
def test_a_record_of_another_project_is_not_found(desks, action):
    desk = desks.make('desk', name='a')
    actions = {
        'show': lambda id: desks.records.show(desks.type('desk'), THEM, id),
        'change': lambda id: desks.records.change(
            desks.shape('desk'), THEM, id, UNCONDITIONAL, dict, '/desk'),
        'delete': lambda id: desks.delete('desk', id, THEM)}
    texts = []
    for id in (desk['id'], ID):
        with pytest.raises(errors.NotFound) as caught:
            actions[action](id)
        texts.append(str(caught.value).replace(id, 'ID'))
    assert texts == ['No desk has the id ID.'] * 2


def test_a_list_has_only_the_callers_project_by_default(desks):
    desks.make('desk', name='a')
    desks.make('desk', project='theirs', name='b')
    assert names(page(desks)) == ['a']
    assert names(page(desks, caller=THEM)) == ['b']
    assert sorted(names(page(desks, all_projects=True))) == ['a', 'b']


def test_a_caller_without_a_project_sees_no_records(desks):
    desks.make('desk', name='a')
    caller = Caller(None, 'ada', frozenset({'member'}), False)
    assert names(page(desks, caller=caller)) == []


# Dry runs

@pytest.mark.parametrize('action', ['create', 'replace', 'change', 'delete'])
def test_a_dry_run_writes_nothing(desks, action):
    desk = desks.make('desk', name='a')
    before = desks.revisions()
    shape, caller = desks.shape('desk'), stored.MEMBER
    {'create': lambda: desks.records.create(
        shape, caller, [desks.new('desk', name='b')], dry_run=True),
     'replace': lambda: replace(desks, name='b', dry_run=True),
     'change': lambda: desks.records.change(
         shape, caller, desk['id'], UNCONDITIONAL,
         lambda record: {'name': 'b'}, '/desk', dry_run=True),
     'delete': lambda: desks.records.delete(
         shape.declared, caller, desk['id'], UNCONDITIONAL,
         dry_run=True)}[action]()
    assert (desks.names('desk'), desks.revisions()) == (['a'], before)


def test_a_dry_run_returns_the_record_as_it_would_be(desks):
    desk = desks.make('desk', name='a')
    after = desks.records.change(
        desks.shape('desk'), stored.MEMBER, desk['id'], UNCONDITIONAL,
        lambda record: {'name': 'b'}, '/desk', dry_run=True)
    assert (after['name'], after['generation']) == ('b', 2)


def test_a_dry_run_fails_as_the_write_would(desks):
    desks.make('desk', name='a')
    with pytest.raises(errors.NotUnique):
        desks.records.create(desks.shape('desk'), stored.MEMBER,
                             [desks.new('desk', name='a')], dry_run=True)


# Lists

def names_of_pages(desks, **parameters):
    """Yield the names of each page, and the marker of the previous page."""
    marker = None
    while True:
        result = page(desks, marker=marker, **parameters)
        yield ''.join(names(result)), result.previous
        if not result.more:
            return
        marker = result.records[-1]['id']


BY_NAME = (list_query.SortKey('name', False), list_query.SortKey('id', False))


def test_pages_have_each_record_once_and_the_previous_marker(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abcdefg'}
    assert list(names_of_pages(desks, sort=BY_NAME, limit=2)) == [
        ('ab', None), ('cd', ''), ('ef', ids['b']), ('g', ids['d'])]


def test_the_previous_page_ends_where_the_page_begins(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abcdef'}
    last = page(desks, sort=BY_NAME, limit=2, marker=ids['e'])
    before = page(desks, sort=BY_NAME, limit=2, marker=last.previous)
    assert (names(before), names(last)) == (['d', 'e'], ['f'])


def test_a_marker_stays_valid_after_its_record_is_deleted(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abc'}
    desks.delete('desk', ids['b'])
    result = page(desks, sort=BY_NAME, marker=ids['b'])
    assert (names(result), result.previous) == (['c'], '')


def test_a_marker_at_the_end_gives_an_empty_page(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'ab'}
    result = page(desks, sort=BY_NAME, marker=ids['b'])
    assert (names(result), result.more, result.previous) == ([], False, '')


def test_unknown_and_foreign_markers_get_the_same_error(desks):
    theirs = desks.make('desk', project='theirs', name='a')['id']
    violations = []
    for marker in (theirs, ID):
        with pytest.raises(errors.Invalid) as caught:
            page(desks, marker=marker)
        violations.append(caught.value.violations)
    assert violations[0] == violations[1]


def test_revisions_are_numbered_without_a_gap(desks):
    desk = desks.make('desk', name='a')
    with pytest.raises(errors.NotUnique):
        desks.make('desk', name='a')
    desks.delete('desk', desk['id'])
    assert [revision['number'] for revision in desks.revisions()] == [1, 2]
    assert desks.rows(sa.select(desks.tables.core.counter.c.n)) == [2]
