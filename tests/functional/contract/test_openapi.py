# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document matches the service at each version."""

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


def get_document(application: Application, version: str, **headers: str
                 ) -> dict:
    return application.request('GET', PATH, headers={
        'OpenStack-API-Version': f'pileus {version}', **headers}).json


@pytest.fixture(params=VERSIONS)
def document(request, application):
    return get_document(application, request.param)


def test_the_document_has_its_openapi_and_api_version(document):
    assert document['openapi'] == '3.1.0'
    assert document['info']['version'] in VERSIONS


def test_every_reference_has_a_target(document):
    names = set(document['components']['schemas'])
    references = {line.split('/')[-1].strip("'\" ")
                  for line in yaml.safe_dump(document).splitlines()
                  if '$ref' in line}
    assert references <= names


def test_every_component_is_a_valid_schema(document):
    for name, schema in document['components']['schemas'].items():
        jsonschema_rs.meta.validate({
            '$schema': 'https://json-schema.org/draft/2020-12/schema',
            **schema}), name


def test_every_operation_id_is_unique(document):
    names = [operation['operationId'] for path in document['paths'].values()
             for method, operation in path.items() if method != 'parameters']
    assert len(names) == len(set(names)) > 60


def test_every_operation_has_schemas_and_responses(document):
    for path in document['paths'].values():
        for method, operation in path.items():
            if method == 'parameters':
                continue
            bodies = operation.get('requestBody', {}).get('content', {})
            assert all(body['schema'] for body in bodies.values())
            assert len(operation['responses']) > 1


def test_an_older_version_lacks_newer_properties(application):
    old, new = (get_document(application, version)['components']['schemas']
                for version in ('1.0', '1.1'))
    assert 'bmc_url' not in old['host']['properties']
    assert 'bmc_url' not in old['host_write']['properties']
    assert new['host_write']['properties']['bmc_url']['format'] == 'uri'


def test_an_older_version_lacks_newer_actions(application):
    def actions(version: str, path: str) -> list[str]:
        action = get_document(application, version)['paths'][path]['post']
        body = action['requestBody']['content']['application/json']
        return [name for choice in body['schema']['oneOf']
                for name in choice['properties']]
    assert actions('1.0', '/hosts/{id}/action') == ['revert']
    assert actions('1.1', '/hosts/{id}/action') == ['revert', 'retire']
    assert actions('1.1', '/racks/{id}/action') == ['revert']


def test_list_parameters_include_filters_on_indexed_properties(application):
    paths = get_document(application, '1.0')['paths']
    names = {parameter['name']
             for parameter in paths['/hosts']['get']['parameters']}
    assert {'status', 'rack_id', 'limit', 'marker', 'not-tags'} <= names
    assert 'memory_mb' not in names


@pytest.mark.parametrize(('path', 'method', 'headers'), [
    ('/hosts', 'get', set()), ('/hosts', 'post', set()),
    ('/hosts/{id}', 'get', {'If-Match', 'If-None-Match'}),
    ('/hosts/{id}', 'patch', {'If-Match'}),
    ('/hosts/{id}/tags', 'get', {'If-Match', 'If-None-Match'}),
    ('/hosts/{id}/revisions', 'get', set()),
    ('/hosts/{id}/action', 'post', {'If-Match'}),
    ('/quotas/{project_id}', 'get', {'If-Match', 'If-None-Match'})])
def test_precondition_headers_are_listed_where_they_apply(application, path,
                                                          method, headers):
    operation = get_document(application, '1.0')['paths'][path][method]
    assert {parameter['name'] for parameter in operation['parameters']
            if parameter['in'] == 'header'} == headers


def test_replies_conform_to_the_document(daemon: Daemon,
                                         tmp_path: Path) -> None:
    """schemathesis generates requests from the document alone. No request
    gets a 5xx, and each reply has a status and a body of the document."""
    tool = Path(sys.executable).with_name('schemathesis')
    run = subprocess.run(
        [str(tool), 'run', daemon.url + PATH, '--workers', '1', '--seed', '1',
         '--phases', 'fuzzing,stateful', '--max-examples', '10',
         '--max-time', '30', '--continue-on-failure', '--no-color',
         '--generation-database', 'none', '--checks',
         'not_a_server_error,status_code_conformance,'
         'content_type_conformance,response_schema_conformance'],
        cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-4000:]
    paths = daemon.request('GET', PATH).json['paths']
    count = sum(method != 'parameters' for path in paths.values()
                for method in path) - 1     # without the document itself
    assert f'Selected: {count}/{count}' in run.stdout
