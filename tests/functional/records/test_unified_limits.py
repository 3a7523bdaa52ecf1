# SPDX-License-Identifier: Apache-2.0
"""Unified limits with a Keystone that is unavailable or misconfigured.

``keystone/test_unified_limits.py`` has the tests with a working Keystone.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.functional.harness.daemon import (
    Daemon,
    config_dir,
    configure,
    free_port,
)

LOGIN = {'auth_type': 'password', 'username': 'pileus', 'password': 'secret',
         'user_domain_id': 'default', 'system_scope': 'all'}
UNIFIED = {'driver': 'unified_limits', 'limits_cache': 0}

HOST = {'host': {'name': 'a', 'serial': 'AAAA'}}
CREATED = {'host': {'name': 'b', 'serial': 'BBBB'}}

ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
KEY = {'Idempotency-Key': 'key'}


@pytest.fixture(scope='module')
def without_keystone(tmp_path_factory):
    """A daemon whose Keystone does not answer.

    Two hosts already exist: one was created with an idempotency key, the
    other by PUT.
    """
    directory = config_dir(tmp_path_factory.mktemp('alone'))
    with Daemon(directory) as before:
        for method, path, body, headers in (
                ('POST', '/v1/hosts', CREATED, KEY),
                ('PUT', f'/v1/hosts/{ID}', HOST, {})):
            assert before.request(method, path, body, headers).status == 201
    configure(directory, {'quota': UNIFIED, 'oslo_limit': {
        **LOGIN, 'auth_url': f'http://127.0.0.1:{free_port()}/v3',
        'endpoint_service_type': 'pileus'}})
    with Daemon(directory) as running:
        yield running


def test_a_create_fails_with_503_while_keystone_is_unavailable(
        without_keystone):
    """Such a create is neither allowed nor reported as an exceeded quota."""
    new = {'host': {'name': 'c', 'serial': 'CCCC'}}
    for method, path, headers in (
            ('POST', '/v1/hosts', {}),
            ('POST', '/v1/hosts', {'Idempotency-Key': 'other'}),
            ('POST', '/v1/hosts?dry_run=true', {}),
            ('PUT', f'/v1/hosts/{ID[:-1]}c', {})):
        refused = without_keystone.request(method, path, new, headers)
        assert refused.status == 503, (method, path)
        assert refused.headers['Retry-After']
    assert 'secret' not in without_keystone.output
    assert len(without_keystone.request('GET', '/v1/hosts').json['hosts']) == 2


def test_requests_that_need_no_limit_succeed(without_keystone):
    created = without_keystone.request('POST', '/v1/racks', {
        'rack': {'name': 'r1'}})
    assert created.status == 201
    address = f'/v1/racks/{created.json["rack"]["id"]}'
    assert without_keystone.request('DELETE', address).status == 204


def test_replacing_an_existing_record_needs_no_limit(without_keystone):
    replaced = without_keystone.request('PUT', f'/v1/hosts/{ID}', {
        'host': {**HOST['host'], 'memory_mb': 512}})
    assert replaced.status == 200
    assert replaced.json['host']['memory_mb'] == 512


def test_a_stored_reply_is_returned_without_a_limit(without_keystone):
    again = without_keystone.request('POST', '/v1/hosts', CREATED, KEY)
    assert (again.status, again.json['host']['name']) == (201, 'b')


def test_unknown_limits_are_not_shown(without_keystone):
    assert without_keystone.request('GET', '/v1/quotas/demo').status == 503


@pytest.mark.parametrize(('options', 'text'), [
    ({}, '[oslo_limit] endpoint_id'),
    ({'endpoint_service_type': 'pileus'}, '[oslo_limit] auth_type'),
    ({'endpoint_service_type': 'pileus', **LOGIN}, 'auth_url'),
    ({'endpoint_service_type': 'pileus', **LOGIN, 'auth_type': 'pasword'},
     'pasword'),
])
def test_a_start_names_the_missing_or_invalid_option(tmp_path, options, text):
    directory = config_dir(tmp_path, conf={
        'DEFAULT': {'debug': False}, 'quota': UNIFIED, 'oslo_limit': options})
    ended = subprocess.run(Daemon(directory).argv, capture_output=True,
                           text=True, timeout=60)
    assert ended.returncode == 1
    assert text in ended.stderr.splitlines()[-1]
    assert 'Traceback' not in ended.stderr
