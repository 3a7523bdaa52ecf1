# SPDX-License-Identifier: Apache-2.0
"""Two records of different types may have the same id, chosen by clients.

A request for one of the records must not read, change or delete the other.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.harness.in_process import Application

ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
RACK = f'/v1/racks/{ID}'
HOST = f'/v1/hosts/{ID}'
OTHER = {'X-Project-Id': 'other', 'X-Roles': 'member'}


def host(*tags: str) -> dict[str, Any]:
    return {'host': {'name': 'h', 'serial': 'CZ-1001', 'tags': list(tags)}}


@pytest.fixture
def rack(application: Application) -> None:
    created = application.request('PUT', RACK, {'rack': {
        'name': 'r', 'tags': ['a', 'b']}})
    assert created.status == 201


def tagged(application: Application, query: str) -> list[str]:
    racks = application.request('GET', f'/v1/racks?{query}').json['racks']
    return [rack['id'] for rack in racks]


def test_each_record_has_its_own_tags(application, rack):
    assert application.request('PUT', HOST, host('a'), OTHER).status == 201
    assert application.request('PUT', HOST, host('c'), OTHER).status == 200
    assert tagged(application, 'tags=a,b') == [ID]
    for query in ('tags=c', 'tags-any=c', 'not-tags=a,b', 'not-tags-any=a'):
        assert tagged(application, query) == [], query


def test_deleting_one_record_keeps_the_tags_of_the_other(application, rack):
    assert application.request('PUT', HOST, host('a'), OTHER).status == 201
    assert application.request('DELETE', HOST, None, OTHER).status == 204
    for query in ('tags=a', 'tags-any=a,x', 'not-tags=a,x'):
        assert tagged(application, query) == [ID], query


def test_a_deletion_cascades_to_a_record_with_the_same_id(application):
    assert application.request('PUT', HOST, host()).status == 201
    window = f'/v1/maintenances/{ID}'
    assert application.request('PUT', window, {'maintenance': {
        'title': 'new disks', 'host_id': ID,
        'starts_at': '2031-05-01T22:00:00Z'}}).status == 201
    assert application.request('DELETE', HOST).status == 204
    assert application.request('GET', window).status == 404
