# SPDX-License-Identifier: Apache-2.0
"""Limits that are kept in a Keystone that is not there, or badly named.

With one that answers: ``keystone/test_unified_limits.py``.
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
MADE = {'host': {'name': 'b', 'serial': 'BBBB'}}

ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
ONCE = {'Idempotency-Key': 'once'}


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    """Where nobody answers under the URL of Keystone; a host was made before
    that, under a key, and one by PUT."""
    directory = config_dir(tmp_path_factory.mktemp('alone'))
    with Daemon(directory) as before:
        for method, path, body, headers in (
                ('POST', '/v1/hosts', MADE, ONCE),
                ('PUT', f'/v1/hosts/{ID}', HOST, {})):
            assert before.request(method, path, body, headers).status == 201
    configure(directory, {'quota': UNIFIED, 'oslo_limit': {
        **LOGIN, 'auth_url': f'http://127.0.0.1:{free_port()}/v3',
        'endpoint_service_type': 'pileus'}})
    with Daemon(directory) as running:
        yield running


def test_without_keystone_nothing_is_made_until_it_is_back(alone):
    """Neither let through nor taken for an answer of no."""
    new = {'host': {'name': 'c', 'serial': 'CCCC'}}
    for method, path, headers in (
            ('POST', '/v1/hosts', {}),
            ('POST', '/v1/hosts', {'Idempotency-Key': 'other'}),
            ('POST', '/v1/hosts?dry_run=true', {}),
            ('PUT', f'/v1/hosts/{ID[:-1]}c', {})):
        refused = alone.request(method, path, new, headers)
        assert refused.status == 503, (method, path)
        assert refused.headers['Retry-After']
    assert 'secret' not in alone.output
    assert len(alone.request('GET', '/v1/hosts').json['hosts']) == 2


def test_what_needs_no_limit_goes_on(alone):
    made = alone.request('POST', '/v1/racks', {'rack': {'name': 'r1'}})
    assert made.status == 201
    address = f'/v1/racks/{made.json["rack"]["id"]}'
    assert alone.request('DELETE', address).status == 204


def test_to_replace_what_is_there_needs_no_limit(alone):
    replaced = alone.request('PUT', f'/v1/hosts/{ID}', {
        'host': {**HOST['host'], 'memory_mb': 512}})
    assert replaced.status == 200
    assert replaced.json['host']['memory_mb'] == 512


def test_a_reply_is_given_again_without_a_limit(alone):
    again = alone.request('POST', '/v1/hosts', MADE, ONCE)
    assert (again.status, again.json['host']['name']) == (201, 'b')


def test_limits_that_nobody_knows_are_not_shown(alone):
    assert alone.request('GET', '/v1/quotas/demo').status == 503


@pytest.mark.parametrize('given, told', [
    ({}, '[oslo_limit] endpoint_id'),
    ({'endpoint_service_type': 'pileus'}, '[oslo_limit] auth_type'),
    ({'endpoint_service_type': 'pileus', **LOGIN}, 'auth_url'),
    ({'endpoint_service_type': 'pileus', **LOGIN, 'auth_type': 'pasword'},
     'pasword'),
])
def test_a_start_names_what_is_not_said(tmp_path, given, told):
    directory = config_dir(tmp_path, conf={
        'DEFAULT': {'debug': False}, 'quota': UNIFIED, 'oslo_limit': given})
    ended = subprocess.run(Daemon(directory).argv, capture_output=True,
                           text=True, timeout=60)
    assert ended.returncode == 1
    assert told in ended.stderr.splitlines()[-1]
    assert 'Traceback' not in ended.stderr
