# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document says what the service does, at each version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tests.functional.harness.daemon import Daemon
from tests.functional.harness.in_process import Application

PATH = '/v1/docs/openapi'
VERSIONS = ('1.0', '1.1', '1.2')


def asked(application: Application, version: str, **headers: str) -> dict:
    return application.request('GET', PATH, headers={
        'OpenStack-API-Version': f'pileus {version}', **headers}).json


@pytest.fixture(params=VERSIONS)
def document(request, application):
    return asked(application, request.param)


def test_the_document_names_its_version(document):
    assert document['openapi'] == '3.1.0'
    assert document['info']['version'] in VERSIONS


def test_every_reference_leads_somewhere(document):
    names = set(document['components']['schemas'])
    wanted = {line.split('/')[-1].strip("'\" ")
              for line in yaml.safe_dump(document).splitlines()
              if '$ref' in line}
    assert wanted <= names


def test_every_component_is_a_schema(document):
    for name, schema in document['components']['schemas'].items():
        jsonschema_rs.meta.validate({
            '$schema': 'https://json-schema.org/draft/2020-12/schema',
            **schema}), name


def test_every_operation_has_a_name_of_its_own(document):
    names = [one['operationId'] for path in document['paths'].values()
             for method, one in path.items() if method != 'parameters']
    assert len(names) == len(set(names)) > 60


def test_every_body_and_every_reply_is_told(document):
    for path in document['paths'].values():
        for method, one in path.items():
            if method == 'parameters':
                continue
            bodies = one.get('requestBody', {}).get('content', {})
            assert all(body['schema'] for body in bodies.values())
            assert len(one['responses']) > 1


def test_an_older_version_knows_no_newer_property(application):
    old, new = (asked(application, one)['components']['schemas']
                for one in ('1.0', '1.1'))
    assert 'bmc_url' not in old['host']['properties']
    assert 'bmc_url' not in old['host_write']['properties']
    assert new['host_write']['properties']['bmc_url']['format'] == 'uri'


def test_an_older_version_knows_no_newer_action(application):
    def known(version: str, path: str) -> list[str]:
        action = asked(application, version)['paths'][path]['post']
        body = action['requestBody']['content']['application/json']
        return [name for one in body['schema']['oneOf']
                for name in one['properties']]
    assert known('1.0', '/hosts/{id}/action') == ['revert']
    assert known('1.1', '/hosts/{id}/action') == ['revert', 'retire']
    assert known('1.1', '/racks/{id}/action') == ['revert']


def test_the_filters_of_a_list_are_its_parameters(application):
    paths = asked(application, '1.0')['paths']
    names = {one['name'] for one in paths['/hosts']['get']['parameters']}
    assert {'status', 'rack_id', 'limit', 'marker', 'not-tags'} <= names
    assert 'memory_mb' not in names


@pytest.mark.parametrize(('path', 'method', 'taken'), [
    ('/hosts', 'get', set()), ('/hosts', 'post', set()),
    ('/hosts/{id}', 'get', {'If-Match', 'If-None-Match'}),
    ('/hosts/{id}', 'patch', {'If-Match'}),
    ('/hosts/{id}/tags', 'get', {'If-Match', 'If-None-Match'}),
    ('/hosts/{id}/revisions', 'get', set()),
    ('/hosts/{id}/action', 'post', {'If-Match'}),
    ('/quotas/{project_id}', 'get', {'If-Match', 'If-None-Match'})])
def test_conditions_stand_where_they_are_looked_at(application, path, method,
                                                   taken):
    operation = asked(application, '1.0')['paths'][path][method]
    assert {one['name'] for one in operation['parameters']
            if one['in'] == 'header'} == taken


def test_replies_are_what_the_document_says(daemon: Daemon,
                                            tmp_path: Path) -> None:
    """Requests made up from the document alone: none ends in a failure of
    the service, and each reply has a status and a body that it names."""
    tool = Path(sys.executable).with_name('schemathesis')
    ran = subprocess.run(
        [str(tool), 'run', daemon.url + PATH, '--workers', '1', '--seed', '1',
         '--phases', 'fuzzing,stateful', '--max-examples', '10',
         '--max-time', '30', '--continue-on-failure', '--no-color',
         '--generation-database', 'none', '--checks',
         'not_a_server_error,status_code_conformance,'
         'content_type_conformance,response_schema_conformance'],
        cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout[-4000:]
    paths = daemon.request('GET', PATH).json['paths']
    known = sum(method != 'parameters' for path in paths.values()
                for method in path) - 1     # not for the document itself
    assert f'Selected: {known}/{known}' in ran.stdout
