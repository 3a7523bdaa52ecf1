# SPDX-License-Identifier: Apache-2.0
"""Limits that are kept in a Keystone that is not there, or badly named.

With one that answers: ``keystone/test_unified_limits.py``.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.functional.harness import Daemon, config_dir, free_port

LOGIN = {'auth_type': 'password', 'username': 'pileus', 'password': 'secret',
         'user_domain_id': 'default', 'system_scope': 'all'}
UNIFIED = {'driver': 'unified_limits', 'limits_cache': 0}

HOST = {'host': {'name': 'a', 'serial': 'AAAA'}}


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    """Where nobody answers under the URL of Keystone."""
    conf = {'quota': UNIFIED, 'oslo_limit': {
        **LOGIN, 'auth_url': f'http://127.0.0.1:{free_port()}/v3',
        'endpoint_service_type': 'pileus'}}
    directory = config_dir(tmp_path_factory.mktemp('alone'), conf=conf)
    with Daemon(directory) as running:
        yield running


def test_without_keystone_nothing_is_made_until_it_is_back(alone):
    """Neither let through nor taken for an answer of no."""
    refused = alone.request('POST', '/v1/hosts', HOST)
    assert refused.status == 503
    assert refused.headers['Retry-After']
    assert 'secret' not in alone.output
    assert alone.request('GET', '/v1/hosts').json['hosts'] == []


def test_what_needs_no_limit_goes_on(alone):
    made = alone.request('POST', '/v1/racks', {'rack': {'name': 'r1'}})
    assert made.status == 201
    address = f'/v1/racks/{made.json["rack"]["id"]}'
    assert alone.request('DELETE', address).status == 204


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
