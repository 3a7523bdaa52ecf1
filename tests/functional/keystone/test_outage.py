# SPDX-License-Identifier: Apache-2.0
"""Keystone is down, slow or not itself; then it is back."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from keystoneauth1 import adapter, session
from keystoneauth1.token_endpoint import Token

from tests.functional.harness.daemon import Daemon, Reply, config_dir
from tests.functional.keystone.identity import PASSWORD


def ask(daemon: Daemon, token: str, path: str = '/v1/hosts') -> Reply:
    return daemon.request('GET', path, headers={'X-Auth-Token': token})


def is_told_to_come_back(reply: Reply) -> bool:
    """503 in our shape, with a Retry-After of 3 seconds at most."""
    return (reply.status == 503
            and reply.headers['Content-Type'] == 'application/json'
            and 1 <= int(reply.headers['Retry-After']) <= 3
            and reply.json['errors'][0]['code']
            == 'pileus.identity-unavailable'
            and reply.json['error']['code'] == 503)


def test_without_keystone_who_is_known_is_served_until_it_is_back(
        cloud, daemon, tokens):
    """A13 L02: down, with known and unknown tokens; back without a restart
    of anything."""
    fresh = cloud.keystone.token('mary', 'alpha')
    assert ask(daemon, tokens['member']).status == 200
    cloud.keystone.stop()
    try:
        assert ask(daemon, tokens['member']).status == 200
        for token in (fresh, tokens['garbage']):
            assert is_told_to_come_back(ask(daemon, token))
        assert ask(daemon, fresh, '/v1').status == 200
        assert daemon.request('GET', '/v1/hosts').status == 401
    finally:
        cloud.keystone.start()
    assert ask(daemon, fresh).status == 200
    assert ask(daemon, tokens['garbage']).status == 401


def test_a_daemon_started_without_keystone_serves_when_it_is_there(
        cloud, tmp_path):
    """A13: nothing at the start asks it."""
    token = cloud.keystone.token('mary', 'alpha')
    cloud.keystone.stop()
    try:
        with Daemon(config_dir(tmp_path, conf=cloud.conf())) as daemon:
            assert is_told_to_come_back(ask(daemon, token))
            cloud.keystone.start()
            assert ask(daemon, token).status == 200
    finally:
        if cloud.keystone.ended_already():
            cloud.keystone.start()


def test_a_client_of_keystoneauth_waits_and_is_served(cloud, daemon):
    """A13: it tries a 503 again by itself."""
    opened = session.Session(auth=Token(
        daemon.url, cloud.keystone.token('mary', 'alpha')))
    client = adapter.Adapter(opened, endpoint_override=daemon.url,
                             status_code_retries=9)
    cloud.keystone.stop()
    returned = threading.Thread(target=cloud.keystone.start)
    returned.start()
    try:
        assert client.get('/v1/hosts').status_code == 200
    finally:
        returned.join()
        opened.session.close()


#: What a Keystone that is not itself writes to a request.
NOT_ITSELF = {
    'an error': b'HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops',
    'overload': b'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n',
    'a page': b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n'
              b'Content-Length: 13\r\n\r\n<html></html>',
    'empty JSON': b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
                  b'X-Subject-Token: t\r\nContent-Length: 2\r\n\r\n{}',
    'JSON of another': b'HTTP/1.1 201 OK\r\nContent-Type: application/json'
                       b'\r\nX-Subject-Token: t\r\nContent-Length: 13\r\n'
                       b'\r\n{"token": []}',
    'no HTTP': b'SSH-2.0-OpenSSH_9.2\r\n',
    'nothing': b'',
    'half a reply': b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"tok',
}


@contextmanager
def stand_in(answer: Callable[[socketserver.BaseRequestHandler], None]
             ) -> Iterator[str]:
    """A server that says the same to everybody; its URL."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            answer(self)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_address[1]}/v3'
        server.shutdown()


def pointed_at(cloud, url: str, tmp_path) -> Daemon:
    conf = cloud.conf()
    conf['keystone_authtoken'] |= {
        'auth_url': url, 'http_connect_timeout': 1,
        'http_request_max_retries': 0}
    return Daemon(config_dir(tmp_path, conf=conf))


@pytest.mark.parametrize('said', NOT_ITSELF)
def test_a_keystone_that_is_not_itself_is_as_good_as_none(
        cloud, tmp_path, said):
    """A13: nothing it says becomes a 500, or a good token a bad one."""
    def answer(handler):
        handler.request.recv(65536)
        handler.request.sendall(NOT_ITSELF[said])
    with (stand_in(answer) as url,
          pointed_at(cloud, url, tmp_path) as daemon):
        assert is_told_to_come_back(ask(daemon, 'gAAAAAB-a-token'))
        assert ask(daemon, 'gAAAAAB-a-token', '/v1').status == 200
        assert 'Traceback' not in daemon.output


def test_a_slow_keystone_holds_up_only_who_waits_for_it(cloud, tmp_path):
    """A13: others are answered meanwhile, and who waits is told in the end.
    """
    asked, go = threading.Event(), threading.Event()

    def answer(handler):
        handler.request.recv(65536)
        asked.set()
        go.wait()
    with (stand_in(answer) as url,
          pointed_at(cloud, url, tmp_path) as daemon):
        told: list[Reply] = []
        waiting = [threading.Thread(target=lambda: told.append(
            ask(daemon, 'gAAAAAB-a-token'))) for _ in range(8)]
        for one in waiting:
            one.start()
        assert asked.wait(30)
        assert daemon.request('GET', '/v1').status == 200
        for one in waiting:
            one.join()
        go.set()
        assert len(told) == 8 and all(map(is_told_to_come_back, told))


def test_a_service_that_keystone_does_not_know_tells_its_operator(
        cloud, tmp_path):
    """A13: a wrong password of ours is no fault of the client's token."""
    conf = cloud.conf()
    conf['keystone_authtoken']['password'] = 'not-this-one'
    token = cloud.keystone.token('mary', 'alpha')
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        assert is_told_to_come_back(ask(daemon, token))
        assert 'Keystone cannot validate a token' in daemon.output
        assert 'not-this-one' not in daemon.output
        assert token not in daemon.output
    assert PASSWORD not in daemon.output
