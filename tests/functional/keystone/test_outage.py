# SPDX-License-Identifier: Apache-2.0
"""Keystone is down, slow or broken, and then back."""

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
    """Whether a reply is a 503 with a Retry-After of at most 3 seconds."""
    return (reply.status == 503
            and reply.headers['Content-Type'] == 'application/json'
            and 1 <= int(reply.headers['Retry-After']) <= 3
            and reply.json['errors'][0]['code']
            == 'pileus.identity-unavailable'
            and reply.json['error']['code'] == 503)


def test_cached_tokens_are_served_while_keystone_is_down(
        cloud, daemon, tokens):
    """A13 L02: with known and unknown tokens, until Keystone is back.

    Nothing needs a restart.
    """
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


def test_a_service_started_without_keystone_serves_once_it_is_up(
        cloud, tmp_path):
    """A13: a start does not call Keystone."""
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


def test_keystoneauth_retries_until_keystone_is_back(cloud, daemon):
    """A13: keystoneauth retries a 503 by itself."""
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


#: Replies of a broken Keystone.
INVALID_REPLIES = {
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
    """Run a server that gives every request the same answer; yield its URL."""
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


@pytest.mark.parametrize('reply', INVALID_REPLIES)
def test_an_invalid_reply_of_keystone_is_an_outage(cloud, tmp_path, reply):
    """A13: neither a 500, nor a 401 for a valid token."""
    def answer(handler):
        handler.request.recv(65536)
        handler.request.sendall(INVALID_REPLIES[reply])
    with (stand_in(answer) as url,
          pointed_at(cloud, url, tmp_path) as daemon):
        assert is_told_to_come_back(ask(daemon, 'gAAAAAB-a-token'))
        assert ask(daemon, 'gAAAAAB-a-token', '/v1').status == 200
        assert 'Traceback' not in daemon.output


def test_a_slow_keystone_delays_only_requests_that_need_it(cloud, tmp_path):
    """A13: other requests are answered; the waiting ones get 503 in the end.
    """
    received, go = threading.Event(), threading.Event()

    def answer(handler):
        handler.request.recv(65536)
        received.set()
        go.wait()
    with (stand_in(answer) as url,
          pointed_at(cloud, url, tmp_path) as daemon):
        replies: list[Reply] = []
        waiting = [threading.Thread(target=lambda: replies.append(
            ask(daemon, 'gAAAAAB-a-token'))) for _ in range(8)]
        for thread in waiting:
            thread.start()
        assert received.wait(30)
        assert daemon.request('GET', '/v1').status == 200
        for thread in waiting:
            thread.join()
        go.set()
        assert len(replies) == 8 and all(map(is_told_to_come_back, replies))


def test_wrong_credentials_of_the_service_are_an_outage(cloud, tmp_path):
    """A13: the log names the cause, and the client's token stays valid."""
    conf = cloud.conf()
    conf['keystone_authtoken']['password'] = 'not-this-one'
    token = cloud.keystone.token('mary', 'alpha')
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        assert is_told_to_come_back(ask(daemon, token))
        assert 'Keystone cannot validate a token' in daemon.output
        assert 'not-this-one' not in daemon.output
        assert token not in daemon.output
    assert PASSWORD not in daemon.output
