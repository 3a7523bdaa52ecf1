# SPDX-License-Identifier: Apache-2.0
"""The audit log has one line for each change, and no other lines."""

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
CALLER = {'X-User-Id': 'ada', 'X-Project-Id': 'alpha', 'X-Roles': 'member',
          'X-Openstack-Request-Id': GLOBAL}

ReadAudit = Callable[[], list[dict[str, str]]]


@pytest.fixture(scope='module')
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(config_dir(tmp_path_factory.mktemp('audit'),
                           TYPES)) as daemon:
        yield daemon


@pytest.fixture
def read_audit(daemon: Daemon) -> ReadAudit:
    """A function that returns the audit lines of the test, as fields."""
    before = len(daemon.output)

    def read() -> list[dict[str, str]]:
        output = daemon.output[before:].splitlines()
        lines = (line.partition('] audit ')[2].split(' ') for line in output
                 if ' pileus.audit ' in line)
        return [dict(field.split('=', 1) for field in line) for line in lines]
    return read


def create(daemon: Daemon, path: str, **values: object) -> dict:
    name = path[:-1]
    created = daemon.request('POST', f'/v1/{path}', {name: values}, CALLER)
    assert created.status == 201
    return {**created.json[name],
            'request_id': created.headers['X-Openstack-Request-Id']}


def test_a_line_has_the_caller_the_action_and_the_record(daemon, read_audit):
    created = create(daemon, 'racks', name='a')
    assert read_audit() == [{
        'action': 'create', 'type': 'rack', 'id': created['id'],
        'generation': '1', 'project_id': 'alpha', 'user_id': 'ada',
        'request_id': created['request_id'], 'global_request_id': GLOBAL,
        'by_project': 'alpha', 'roles': 'member'}]


def test_each_record_of_a_cascade_has_a_line(daemon, read_audit):
    rack = create(daemon, 'racks', name='b')
    hosts = [create(daemon, 'hosts', rack_id=rack['id']) for _ in range(2)]
    daemon.request('DELETE', f'/v1/racks/{rack["id"]}', None, CALLER)
    deleted = [line for line in read_audit() if line['action'] == 'delete']
    assert {line['id'] for line in deleted} == {
        rack['id'], *(line['id'] for line in hosts)}
    assert len({line['request_id'] for line in deleted}) == 1


def test_each_record_of_a_bulk_request_has_a_line(daemon, read_audit):
    created = daemon.request('POST', '/v1/hosts', {'hosts': [{}, {}, {}]},
                             CALLER)
    assert [item['id'] for item in read_audit()] == [
        item['id'] for item in created.json['hosts']]


def test_requests_without_a_change_have_no_line(daemon, read_audit):
    rack = create(daemon, 'racks', name='c')
    url = f'/v1/racks/{rack["id"]}'
    for method, path, body, status in (
            ('POST', '/v1/racks', {'rack': {'name': 'c'}}, 409),
            ('POST', '/v1/racks', {'rack': {'name': 1}}, 400),
            ('POST', '/v1/racks?dry_run=true', {'rack': {'name': 'd'}}, 200),
            ('DELETE', f'{url}?dry_run=true', None, 204),
            ('PATCH', url, {'rack': {'name': 'c'}}, 200),
            ('GET', url, None, 200)):
        assert daemon.request(method, path, body, CALLER).status == status
    assert [line['action'] for line in read_audit()] == ['create']


def test_a_repeated_idempotent_request_has_one_line(daemon, read_audit):
    for _ in range(2):
        reply = daemon.request('POST', '/v1/racks', {'rack': {'name': 'e'}},
                               {**CALLER, 'Idempotency-Key': 'k-1'})
        assert reply.status == 201
    assert len(read_audit()) == 1


def test_changes_of_tags_and_metadata_are_updates_of_the_record(daemon,
                                                                read_audit):
    rack = create(daemon, 'racks', name='f')
    url = f'/v1/racks/{rack["id"]}'
    daemon.request('PUT', f'{url}/tags/fast', None, CALLER)
    daemon.request('PUT', f'{url}/metadata/a', {'value': 'b'}, CALLER)
    assert [(line['action'], line['generation']) for line in read_audit()] == [
        ('create', '1'), ('update', '2'), ('update', '3')]


def test_a_line_has_the_projects_of_the_administrator_and_the_record(
        daemon, read_audit):
    rack = create(daemon, 'racks', name='g')
    daemon.request('DELETE', f'/v1/racks/{rack["id"]}', None, {
        'X-User-Id': 'root', 'X-Project-Id': 'cloud', 'X-Roles': 'admin'})
    [line] = [entry for entry in read_audit() if entry['action'] == 'delete']
    assert (line['user_id'], line['by_project'], line['roles'],
            line['project_id']) == ('root', 'cloud', 'admin', 'alpha')


def test_changes_of_quotas_have_lines(daemon, read_audit):
    admin = {**CALLER, 'X-Roles': 'admin'}
    daemon.request('PUT', '/v1/quotas/beta', {'quota': {'hosts': 7}}, admin)
    daemon.request('DELETE', '/v1/quotas/beta', None, admin)
    first, second = read_audit()
    assert (first['action'], first['type'], first['project_id'],
            first['generation'], first['user_id'], first['limit.host'],
            first['global_request_id']) == (
                'create', 'quota', 'beta', '1', 'ada', '7', GLOBAL)
    assert 'limit.rack' not in first
    assert (second['action'], second['generation'], second['limit.host']) == (
        'delete', '2', 'default')
    assert first['id'] == second['id']


def test_unchanged_limits_have_no_line(daemon, read_audit):
    admin = {**CALLER, 'X-Roles': 'admin'}
    for method, body in (('PUT', {'quota': {'hosts': 7}}),
                         ('PUT', {'quota': {'hosts': 7}}),
                         ('PATCH', {'quota': {'hosts': 7, 'racks': None}}),
                         ('PATCH', {'quota': {'hosts': 8}}),
                         ('DELETE', None), ('DELETE', None)):
        daemon.request(method, '/v1/quotas/gamma', body, admin)
    assert [(line['action'], line['limit.host']) for line in read_audit()] == [
        ('create', '7'), ('update', '8'), ('delete', 'default')]


def test_a_user_name_cannot_forge_a_line_or_a_field(daemon, read_audit):
    """L04"""
    name = 'eve roles=admin'
    created = daemon.request('POST', '/v1/racks', {'rack': {'name': 'h'}},
                             {**CALLER, 'X-User-Id': name})
    assert created.status == 201
    [line] = read_audit()
    assert line['user_id'] == 'eve\\u0020roles=admin'
    assert line['roles'] == 'member'
