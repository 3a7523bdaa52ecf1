# SPDX-License-Identifier: Apache-2.0
"""Probes: /healthcheck for load balancers, /metrics for Prometheus."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from service.errors import StartError
from tests.functional.harness.daemon import Daemon, config_dir, database
from tests.functional.harness.in_process import Application


def samples(text: str) -> dict[str, float]:
    """Return the samples of an exposition, without the label worker."""
    assert set(re.findall('worker="([0-9]+)"', text)) == {str(os.getpid())}
    return {re.sub(',?worker="[0-9]+"', '', name): float(value)
            for name, value in (line.rsplit(' ', 1)
                                for line in text.splitlines()
                                if not line.startswith('#'))}


@pytest.mark.parametrize('method', ['GET', 'HEAD'])
def test_the_healthcheck_succeeds_for_every_client(application, method):
    """L06: the reply contains nothing but the status."""
    reply = application.request(method, '/healthcheck', None, {
        'X-Forwarded-For': '192.0.2.1'})
    assert reply.status == 200
    assert reply.body == (b'{"status":"ok"}' if method == 'GET' else b'')


def test_the_healthcheck_succeeds_without_the_database(tmp_path):
    application = Application(config_dir(tmp_path))
    directory = tmp_path / 'etc'
    assert database(directory)
    for file in (tmp_path / 'state').glob('pileus.sqlite*'):
        file.unlink()
    assert application.request('GET', '/v1/racks').status == 503
    assert application.request('GET', '/healthcheck').status == 200


@pytest.mark.parametrize('path', ['/healthcheck', '/metrics'])
def test_a_probe_accepts_only_get_and_head(application, path):
    reply = application.request('POST', path, b'')
    preflight = application.request('OPTIONS', path)
    assert (reply.status, preflight.status) == (405, 204)
    assert reply.headers['Allow'] == 'GET, HEAD, OPTIONS'
    assert preflight.headers['Allow'] == 'GET, HEAD, OPTIONS'
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
def test_metrics_are_not_found_through_a_proxy(application, headers):
    """L06: all clients of a proxy on this machine have its address."""
    metrics = application.request('GET', '/metrics', None, headers)
    other = application.request('GET', '/nothing', None, headers)
    assert metrics.status == other.status == 404
    assert metrics.body.replace(b'/metrics', b'/nothing')[:150] == (
        other.body[:150])


@pytest.mark.parametrize(('forwarded', 'status'), [
    ('192.0.2.7', 200), ('198.51.100.1', 404)])
def test_a_trusted_proxy_sets_the_client_address_for_metrics(tmp_path,
                                                             forwarded,
                                                             status):
    application = Application(config_dir(tmp_path, conf={'api': {
        'trusted_proxies': '127.0.0.1', 'metrics_networks': '192.0.2.0/24',
        'insecure_noauth_bind': True}}))
    assert application.request('GET', '/metrics', None, {
        'X-Forwarded-For': forwarded}).status == status
    assert application.request('GET', '/metrics').status == 404


def test_metrics_can_be_turned_off(tmp_path):
    application = Application(config_dir(tmp_path, conf={
        'api': {'metrics_networks': ''}}))
    assert application.request('GET', '/metrics').status == 404


def test_an_invalid_network_stops_the_start(tmp_path):
    with pytest.raises(StartError, match='metrics_networks: .*everybody'):
        Application(config_dir(tmp_path, conf={
            'api': {'metrics_networks': 'everybody'}}))


def test_a_worker_of_the_daemon_answers_probes(tmp_path: Path) -> None:
    with Daemon(config_dir(tmp_path)) as daemon:
        assert daemon.request('GET', '/healthcheck').json == {
            'status': 'ok'}
        metrics = daemon.request('GET', '/metrics').body.decode()
    assert f'worker="{daemon.pid}"' not in metrics
    assert 'pileus_catalogue_generation{worker="' in metrics
