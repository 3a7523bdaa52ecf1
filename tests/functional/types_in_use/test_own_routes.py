# SPDX-License-Identifier: Apache-2.0
"""The paths and actions of a type's own controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import StartError
from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application

LAMP = '''
name: lamp
plural: lamps
controller: tests.functional.controllers.lamps:Lamps
properties: {watts: {type: integer, default: 40}}
'''

NEW = {'OpenStack-API-Version': 'pileus 1.3'}


@pytest.fixture
def lamps(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, types={'lamp': LAMP}))


@pytest.fixture
def lamp(lamps: Application) -> str:
    reply = lamps.request('POST', '/v1/lamps', {'lamp': {}})
    return f'/v1/lamps/{reply.json["lamp"]["id"]}'


def test_a_method_of_the_controller_answers_its_path(lamps, lamp):
    reply = lamps.request('GET', f'{lamp}/light?unit=lm', headers=NEW)
    assert (reply.status, reply.json) == (
        200, {'light': {'unit': 'lm', 'value': 3200}})


def test_a_controller_path_hides_records_of_other_projects(lamps, lamp):
    reply = lamps.request('GET', f'{lamp}/light', headers={
        **NEW, 'X-Project-Id': 'other', 'X-Roles': 'member'})
    assert (reply.status, reply.json['errors'][0]['code']) == (
        404, 'pileus.not-found')


def test_the_version_of_a_path_raises_the_maximum_version(lamps, lamp):
    versions = lamps.request('GET', '/').json['versions']
    assert versions[0]['max_version'] == '1.3'
    assert lamps.request('GET', f'{lamp}/light').status == 404


def test_undeclared_parameters_and_methods_are_refused(lamps, lamp):
    assert lamps.request('GET', f'{lamp}/light?watt=1',
                         headers=NEW).status == 400
    refused = lamps.request('PUT', f'{lamp}/light', {}, headers=NEW)
    assert (refused.status, refused.headers['Allow']) == (
        405, 'GET, HEAD, OPTIONS')


def test_a_path_without_a_check_has_the_patch_rule(lamps, lamp):
    reply = lamps.request('GET', f'{lamp}/light', headers={
        **NEW, 'X-Roles': 'reader'})
    assert reply.status == 403
    assert 'pileus:lamps:light' in reply.json['error']['message']


def test_an_action_has_the_rule_of_its_check(lamps, lamp):
    def replaced(roles: str) -> int:
        return lamps.request('POST', f'{lamp}/action', {'replace_bulb': {}},
                             headers={'X-Roles': roles}).status

    assert [replaced('member'), replaced('member,janitor')] == [403, 200]
    assert lamps.request('GET', lamp).json['lamp']['watts'] == 60


def test_a_controller_path_is_in_the_openapi_document(lamps):
    document = lamps.request('GET', '/v1/docs/openapi', headers=NEW).json
    light = document['paths']['/lamps/{id}/light']['get']
    assert light['x-policy-rule'] == 'pileus:lamps:light'
    assert [parameter['name'] for parameter in light['parameters']
            if parameter['in'] == 'query'] == ['unit']


def test_a_controller_cannot_replace_a_path_of_every_type(tmp_path):
    shadowing = LAMP.replace(':Lamps', ':Shadow')
    with pytest.raises(StartError,
                       match='revisions is a path that every type has'):
        Application(config_dir(tmp_path, types={'lamp': shadowing}))


def test_a_controller_action_does_not_hide_the_revert_action(lamps, lamp):
    assert lamps.request('POST', f'{lamp}/action', {'replace_bulb': {}},
                         headers={'X-Roles': 'janitor,member'}).status == 200
    numbers = [revision['number'] for revision in lamps.request(
        'GET', f'{lamp}/revisions').json['revisions']]
    back = lamps.request('POST', f'{lamp}/action', {
        'revert': {'revision': numbers[-1]}})
    assert (back.status, back.json['lamp']['watts']) == (200, 40)
