# SPDX-License-Identifier: Apache-2.0
"""What may be done with records, and what each deed leaves behind."""

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
    made = stored.world(tmp_path, desk=DESK)
    yield made
    made.engine.dispose()


def replace(desks, id=ID, caller=stored.MEMBER, seen=UNCONDITIONAL,
            dry_run=False,
            **values):
    return desks.records.replace(
        desks.shape('desk'), caller, id, seen,
        lambda: desks.new('desk', caller.project_id, **values),
        lambda record: values, '/desk', dry_run=dry_run)


def page(desks, caller=stored.MEMBER, **asked):
    return desks.records.list(desks.type('desk'), caller,
                              list_query.Query(**asked))


def named(found):
    return [one['name'] for one in found.records]


# Create

def test_a_new_record_is_the_first_of_its_generation(desks):
    made = desks.make('desk', name='a')
    assert (made['generation'], made['project_id'], made['size'],
            made['tags'], made['metadata']) == (1, 'demo', 1, [], {})
    assert made['created_at'] == made['updated_at']


def test_what_was_made_is_what_is_read(desks):
    made = desks.make('desk', name='a', labels={'a': [1, 2.5, None]},
                      tags=['é', 'a'], metadata={'k': 'v'})
    assert desks.records.show(desks.type('desk'), stored.MEMBER,
                              made['id']) == made


def test_a_list_is_made_whole_or_not_at_all(desks):
    new = [desks.new('desk', name=name) for name in ('a', 'b', 'a')]
    with pytest.raises(errors.NotUnique):
        desks.records.create(desks.shape('desk'), stored.MEMBER, new)
    assert (desks.names('desk'), desks.revisions()) == ([], [])


def test_every_record_of_a_list_has_a_revision_in_its_order(desks):
    new = [desks.new('desk', name=name) for name in 'ab']
    made = desks.records.create(desks.shape('desk'), stored.MEMBER, new)
    assert [(one['number'], one['action'], one['record_id'],
             one['record_generation'], one['user_id'], one['request_id'],
             one['project_id']) for one in desks.revisions()] == [
        (1, 'create', made[0]['id'], 1, 'ada', 'req-2', 'demo'),
        (2, 'create', made[1]['id'], 1, 'ada', 'req-2', 'demo')]


def test_a_revision_holds_the_record_after_the_deed(desks):
    made = desks.make('desk', name='a')
    after = desks.change('desk', made['id'], name='b')
    desks.delete('desk', made['id'])
    told = [(one['action'], one['document']) for one in desks.revisions()]
    assert told == [('create', made), ('update', after), ('delete', after)]


# Change

def test_a_change_moves_generation_and_time(desks):
    made = desks.make('desk', name='a')
    after = desks.change('desk', made['id'], name='b')
    assert (after['name'], after['generation']) == ('b', 2)
    assert after['updated_at'] > made['updated_at']
    assert after['created_at'] == made['created_at']


def test_asking_for_what_is_so_already_changes_nothing(desks):
    made = desks.make('desk', name='a', labels={'b': 1, 'a': 2})
    after = desks.change('desk', made['id'], name='a',
                         labels={'a': 2, 'b': 1})
    assert after == made
    assert len(desks.revisions()) == 1


def test_one_and_true_are_not_the_same_inside_an_object(desks):
    made = desks.make('desk', name='a', labels={'a': 1})
    after = desks.change('desk', made['id'], labels={'a': True})
    assert after['generation'] == 2


def test_a_writer_that_saw_an_older_state_is_told_so(desks):
    made = desks.make('desk', name='a')
    seen = Precondition(tokens=frozenset([state_token(made)]))
    desks.change('desk', made['id'], name='b')
    with pytest.raises(errors.Stale):
        desks.records.change(desks.shape('desk'), stored.MEMBER, made['id'],
                             seen, lambda record: {'name': 'c'}, '/desk')
    assert desks.names('desk') == ['b']


def test_a_record_made_anew_under_an_id_is_another(desks):
    first, _ = replace(desks, name='a')
    desks.delete('desk', ID)
    replace(desks, name='a')
    with pytest.raises(errors.Stale):
        replace(desks, name='b',
                seen=Precondition(tokens=frozenset([state_token(first)])))


# Replace

def test_a_replacement_makes_what_is_not_there(desks):
    record, made = replace(desks, name='a')
    assert (made, record['id'], record['generation']) == (True, ID, 1)
    record, made = replace(desks, name='b')
    assert (made, record['name'], record['generation']) == (False, 'b', 2)


def test_an_id_that_stands_in_another_project_is_taken(desks):
    replace(desks, name='a')
    with pytest.raises(errors.IdTaken):
        replace(desks, name='a', caller=THEM)


def test_an_administrator_replaces_in_any_project(desks):
    replace(desks, name='a', caller=THEM)
    record, made = replace(desks, name='b', caller=stored.ADMIN)
    assert (made, record['project_id']) == (False, 'theirs')


# Whose records

@pytest.mark.parametrize('deed', ['show', 'change', 'delete'])
def test_a_record_of_another_project_is_not_there(desks, deed):
    made = desks.make('desk', name='a')
    deeds = {
        'show': lambda id: desks.records.show(desks.type('desk'), THEM, id),
        'change': lambda id: desks.records.change(
            desks.shape('desk'), THEM, id, UNCONDITIONAL, dict, '/desk'),
        'delete': lambda id: desks.delete('desk', id, THEM)}
    told = []
    for id in (made['id'], ID):
        with pytest.raises(errors.NotFound) as caught:
            deeds[deed](id)
        told.append(str(caught.value).replace(id, 'ID'))
    assert told == ['No desk has the id ID.'] * 2


def test_a_list_is_of_the_callers_project_unless_all_are_asked_for(desks):
    desks.make('desk', name='a')
    desks.make('desk', project='theirs', name='b')
    assert named(page(desks)) == ['a']
    assert named(page(desks, caller=THEM)) == ['b']
    assert sorted(named(page(desks, all_projects=True))) == ['a', 'b']


def test_a_caller_without_a_project_has_no_records(desks):
    desks.make('desk', name='a')
    nobody = Caller(None, 'ada', frozenset({'member'}), False)
    assert named(page(desks, caller=nobody)) == []


# Dry runs

@pytest.mark.parametrize('deed', ['create', 'replace', 'change', 'delete'])
def test_a_dry_run_leaves_nothing(desks, deed):
    made = desks.make('desk', name='a')
    before = desks.revisions()
    shape, caller = desks.shape('desk'), stored.MEMBER
    {'create': lambda: desks.records.create(
        shape, caller, [desks.new('desk', name='b')], dry_run=True),
     'replace': lambda: replace(desks, name='b', dry_run=True),
     'change': lambda: desks.records.change(
         shape, caller, made['id'], UNCONDITIONAL,
         lambda record: {'name': 'b'},
         '/desk', dry_run=True),
     'delete': lambda: desks.records.delete(
         shape.declared, caller, made['id'], UNCONDITIONAL,
         dry_run=True)}[deed]()
    assert (desks.names('desk'), desks.revisions()) == (['a'], before)


def test_a_dry_run_tells_what_would_be(desks):
    made = desks.make('desk', name='a')
    after = desks.records.change(
        desks.shape('desk'), stored.MEMBER, made['id'], UNCONDITIONAL,
        lambda record: {'name': 'b'}, '/desk', dry_run=True)
    assert (after['name'], after['generation']) == ('b', 2)


def test_a_dry_run_fails_as_the_deed_would(desks):
    desks.make('desk', name='a')
    with pytest.raises(errors.NotUnique):
        desks.records.create(desks.shape('desk'), stored.MEMBER,
                             [desks.new('desk', name='a')], dry_run=True)


# Lists

def names_of_pages(desks, **asked):
    """Every page, from the first on, with the marker of the one before."""
    marker = None
    while True:
        found = page(desks, marker=marker, **asked)
        yield ''.join(named(found)), found.previous
        if not found.more:
            return
        marker = found.records[-1]['id']


BY_NAME = (list_query.SortKey('name', False), list_query.SortKey('id', False))


def test_pages_hold_each_record_once_and_know_the_page_before(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abcdefg'}
    told = list(names_of_pages(desks, sort=BY_NAME, limit=2))
    assert told == [('ab', None), ('cd', ''), ('ef', ids['b']),
                    ('g', ids['d'])]


def test_the_page_before_ends_where_the_page_begins(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abcdef'}
    last = page(desks, sort=BY_NAME, limit=2, marker=ids['e'])
    before = page(desks, sort=BY_NAME, limit=2, marker=last.previous)
    assert (named(before), named(last)) == (['d', 'e'], ['f'])


def test_a_marker_works_on_when_its_record_is_gone(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'abc'}
    desks.delete('desk', ids['b'])
    found = page(desks, sort=BY_NAME, marker=ids['b'])
    assert (named(found), found.previous) == (['c'], '')


def test_a_marker_past_the_end_finds_nothing(desks):
    ids = {name: desks.make('desk', name=name)['id'] for name in 'ab'}
    found = page(desks, sort=BY_NAME, marker=ids['b'])
    assert (named(found), found.more, found.previous) == ([], False, '')


def test_a_marker_that_is_unknown_or_of_another_project_is_one_error(desks):
    theirs = desks.make('desk', project='theirs', name='a')['id']
    told = []
    for marker in (theirs, ID):
        with pytest.raises(errors.Invalid) as caught:
            page(desks, marker=marker)
        told.append(caught.value.violations)
    assert told[0] == told[1]


def test_revisions_are_numbered_without_a_gap(desks):
    made = desks.make('desk', name='a')
    with pytest.raises(errors.NotUnique):
        desks.make('desk', name='a')
    desks.delete('desk', made['id'])
    assert [one['number'] for one in desks.revisions()] == [1, 2]
    assert desks.rows(sa.select(desks.tables.core.counter.c.n)) == [2]
