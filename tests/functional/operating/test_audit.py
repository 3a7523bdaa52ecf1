# SPDX-License-Identifier: Apache-2.0
"""The audit log: one line for each deed that was done, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.functional.harness.daemon import Daemon, config_dir

TYPES = {'rack': '''
name: rack
plural: racks
properties:
  name: {type: string}
unique: [[name]]
''', 'host': '''
name: host
plural: hosts
properties:
  rack_id: {references: rack, on_delete: cascade}
'''}
GLOBAL = 'req-11111111-2222-4333-8444-555555555555'
WHO = {'X-User-Id': 'ada', 'X-Project-Id': 'alpha', 'X-Roles': 'member',
       'X-Openstack-Request-Id': GLOBAL}

Told = Callable[[], list[dict[str, str]]]


@pytest.fixture(scope='module')
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(config_dir(tmp_path_factory.mktemp('audit'),
                           TYPES)) as running:
        yield running


@pytest.fixture
def told(serving: Daemon) -> Told:
    """The audit lines since the test began, each as its words."""
    before = len(serving.output)

    def read() -> list[dict[str, str]]:
        lines = serving.output[before:].splitlines()
        words = (line.partition('] audit ')[2].split(' ') for line in lines
                 if ' pileus.audit ' in line)
        return [dict(word.split('=', 1) for word in one) for one in words]
    return read


def make(serving: Daemon, path: str, **values: object) -> dict:
    name = path[:-1]
    made = serving.request('POST', f'/v1/{path}', {name: values}, WHO)
    assert made.status == 201
    return {**made.json[name],
            'request_id': made.headers['X-Openstack-Request-Id']}


def test_a_line_says_who_did_what_to_which_record(serving, told):
    made = make(serving, 'racks', name='a')
    assert told() == [{
        'action': 'create', 'type': 'rack', 'id': made['id'],
        'generation': '1', 'project_id': 'alpha', 'user_id': 'ada',
        'request_id': made['request_id'], 'global_request_id': GLOBAL,
        'by_project': 'alpha', 'roles': 'member'}]


def test_what_goes_with_a_record_has_lines_of_its_own(serving, told):
    rack = make(serving, 'racks', name='b')
    hosts = [make(serving, 'hosts', rack_id=rack['id']) for _ in range(2)]
    serving.request('DELETE', f'/v1/racks/{rack["id"]}', None, WHO)
    deleted = [one for one in told() if one['action'] == 'delete']
    assert {one['id'] for one in deleted} == {
        rack['id'], *(one['id'] for one in hosts)}
    assert len({one['request_id'] for one in deleted}) == 1


def test_each_record_of_a_bulk_has_its_line(serving, told):
    made = serving.request('POST', '/v1/hosts', {'hosts': [{}, {}, {}]}, WHO)
    assert [one['id'] for one in told()] == [
        one['id'] for one in made.json['hosts']]


def test_what_was_not_done_is_not_told(serving, told):
    rack = make(serving, 'racks', name='c')
    address = f'/v1/racks/{rack["id"]}'
    for method, path, body, status in (
            ('POST', '/v1/racks', {'rack': {'name': 'c'}}, 409),
            ('POST', '/v1/racks', {'rack': {'name': 1}}, 400),
            ('POST', '/v1/racks?dry_run=true', {'rack': {'name': 'd'}}, 200),
            ('DELETE', f'{address}?dry_run=true', None, 204),
            ('PATCH', address, {'rack': {'name': 'c'}}, 200),
            ('GET', address, None, 200)):
        assert serving.request(method, path, body, WHO).status == status
    assert [one['action'] for one in told()] == ['create']


def test_a_reply_that_is_given_again_is_no_deed(serving, told):
    for _ in range(2):
        again = serving.request('POST', '/v1/racks', {'rack': {'name': 'e'}},
                                {**WHO, 'Idempotency-Key': 'k-1'})
        assert again.status == 201
    assert len(told()) == 1


def test_tags_and_metadata_are_changes_of_their_record(serving, told):
    rack = make(serving, 'racks', name='f')
    address = f'/v1/racks/{rack["id"]}'
    serving.request('PUT', f'{address}/tags/fast', None, WHO)
    serving.request('PUT', f'{address}/metadata/a', {'value': 'b'}, WHO)
    assert [(one['action'], one['generation']) for one in told()] == [
        ('create', '1'), ('update', '2'), ('update', '3')]


def test_an_administrator_elsewhere_is_told_apart(serving, told):
    rack = make(serving, 'racks', name='g')
    serving.request('DELETE', f'/v1/racks/{rack["id"]}', None, {
        'X-User-Id': 'root', 'X-Project-Id': 'cloud', 'X-Roles': 'admin'})
    [line] = [one for one in told() if one['action'] == 'delete']
    assert (line['user_id'], line['by_project'], line['roles'],
            line['project_id']) == ('root', 'cloud', 'admin', 'alpha')


def test_quotas_are_audited_too(serving, told):
    admin = {**WHO, 'X-Roles': 'admin'}
    serving.request('PUT', '/v1/quotas/beta', {'quota': {'hosts': 7}}, admin)
    serving.request('DELETE', '/v1/quotas/beta', None, admin)
    first, second = told()
    assert (first['action'], first['type'], first['project_id'],
            first['generation'], first['user_id'], first['limit.host'],
            first['global_request_id']) == (
                'create', 'quota', 'beta', '1', 'ada', '7', GLOBAL)
    assert 'limit.rack' not in first
    assert (second['action'], second['generation'], second['limit.host']) == (
        'delete', '2', 'default')
    assert first['id'] == second['id']


def test_limits_that_are_so_already_are_no_deed(serving, told):
    admin = {**WHO, 'X-Roles': 'admin'}
    for method, body in (('PUT', {'quota': {'hosts': 7}}),
                         ('PUT', {'quota': {'hosts': 7}}),
                         ('PATCH', {'quota': {'hosts': 7, 'racks': None}}),
                         ('PATCH', {'quota': {'hosts': 8}}),
                         ('DELETE', None), ('DELETE', None)):
        serving.request(method, '/v1/quotas/gamma', body, admin)
    assert [(one['action'], one['limit.host']) for one in told()] == [
        ('create', '7'), ('update', '8'), ('delete', 'default')]


def test_a_user_cannot_write_a_line_of_its_own(serving, told):
    """L04: nor a word of one."""
    name = 'eve roles=admin'
    made = serving.request('POST', '/v1/racks', {'rack': {'name': 'h'}},
                           {**WHO, 'X-User-Id': name})
    assert made.status == 201
    [line] = told()
    assert line['user_id'] == 'eve\\u0020roles=admin'
    assert line['roles'] == 'member'
