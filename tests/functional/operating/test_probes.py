# SPDX-License-Identifier: Apache-2.0
"""What load balancers and Prometheus are told, and what nobody is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from service.errors import StartError
from tests.functional.harness.daemon import Daemon, config_dir, database
from tests.functional.harness.in_process import Application


def samples(text: str) -> dict[str, float]:
    """The samples of an exposition, by name and labels but for the worker.
    """
    assert set(re.findall('worker="([0-9]+)"', text)) == {str(os.getpid())}
    return {re.sub(',?worker="[0-9]+"', '', name): float(value)
            for name, value in (line.rsplit(' ', 1)
                                for line in text.splitlines()
                                if not line.startswith('#'))}


@pytest.mark.parametrize('method', ['GET', 'HEAD'])
def test_a_worker_that_answers_is_well(application, method):
    """L06: and says nothing else, to anybody."""
    reply = application.request(method, '/healthcheck', None, {
        'X-Forwarded-For': '192.0.2.1'})
    assert reply.status == 200
    assert reply.body == (b'{"status":"ok"}' if method == 'GET' else b'')


def test_a_worker_is_well_without_its_database(tmp_path):
    served = Application(config_dir(tmp_path))
    directory = tmp_path / 'etc'
    assert database(directory)
    for file in (tmp_path / 'state').glob('pileus.sqlite*'):
        file.unlink()
    assert served.request('GET', '/v1/racks').status == 503
    assert served.request('GET', '/healthcheck').status == 200


@pytest.mark.parametrize('path', ['/healthcheck', '/metrics'])
def test_a_probe_is_only_read(application, path):
    reply = application.request('POST', path, b'')
    asked = application.request('OPTIONS', path)
    assert (reply.status, asked.status) == (405, 204)
    assert reply.headers['Allow'] == 'GET, HEAD, OPTIONS'
    assert asked.headers['Allow'] == 'GET, HEAD, OPTIONS'
    assert application.request('GET', f'{path}/more').status == 404


def test_replies_are_counted_by_method_and_status(application):
    for method, path in (('GET', '/v1/racks'), ('GET', '/v1/racks'),
                         ('GET', '/nothing'), ('POST', '/v1/racks'),
                         ('BREW', '/v1')):
        application.request(method, path)
    reply = application.request('GET', '/metrics')
    assert reply.headers['Content-Type'].startswith('text/plain;')
    assert samples(reply.body.decode()) == {
        'pileus_catalogue_generation{}': 1,
        'pileus_requests_total{method="GET",status="200"}': 2,
        'pileus_requests_total{method="GET",status="404"}': 1,
        'pileus_requests_total{method="POST",status="415"}': 1,
        'pileus_requests_total{method="other",status="405"}': 1}


@pytest.mark.parametrize('headers', [
    {'X-Forwarded-For': '192.0.2.1'}, {'X-Forwarded-For': '127.0.0.1'},
    {'Forwarded': 'for=192.0.2.1'}, {'X-Real-IP': '192.0.2.1'},
    {'Via': '1.1 cache'}, {'Via': ''}, {'X-Forwarded-Host': 'localhost'},
    {'X-Forwarded-Proto': 'https'}, {'X-Client-IP': '127.0.0.1'}])
def test_metrics_are_not_for_who_comes_through_a_proxy(application, headers):
    """L06: a proxy on this machine would else lend everybody its address."""
    told = application.request('GET', '/metrics', None, headers)
    other = application.request('GET', '/nothing', None, headers)
    assert told.status == other.status == 404
    assert told.body.replace(b'/metrics', b'/nothing')[:150] == (
        other.body[:150])


@pytest.mark.parametrize(('forwarded', 'status'), [
    ('192.0.2.7', 200), ('198.51.100.1', 404)])
def test_a_trusted_proxy_says_who_reads_metrics(tmp_path, forwarded, status):
    served = Application(config_dir(tmp_path, conf={'api': {
        'trusted_proxies': '127.0.0.1', 'metrics_networks': '192.0.2.0/24',
        'insecure_noauth_bind': True}}))
    assert served.request('GET', '/metrics', None, {
        'X-Forwarded-For': forwarded}).status == status
    assert served.request('GET', '/metrics').status == 404


def test_metrics_can_be_turned_off(tmp_path):
    served = Application(config_dir(tmp_path, conf={
        'api': {'metrics_networks': ''}}))
    assert served.request('GET', '/metrics').status == 404


def test_a_network_that_is_none_stops_the_start(tmp_path):
    with pytest.raises(StartError, match='metrics_networks: .*everybody'):
        Application(config_dir(tmp_path, conf={
            'api': {'metrics_networks': 'everybody'}}))


def test_probes_are_answered_by_the_daemon(tmp_path: Path) -> None:
    with Daemon(config_dir(tmp_path)) as daemon:
        assert daemon.request('GET', '/healthcheck').json == {
            'status': 'ok'}
        told = daemon.request('GET', '/metrics').body.decode()
    assert f'worker="{daemon.pid}"' not in told
    assert 'pileus_catalogue_generation{worker="' in told
