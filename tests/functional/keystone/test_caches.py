# SPDX-License-Identifier: Apache-2.0
"""Processes share validated tokens by a cache, without asking Keystone."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.functional.harness.daemon import Daemon, config_dir, free_port


@contextlib.contextmanager
def running(*argv: str, port: int) -> Iterator[None]:
    """Run a server, from the time that its port accepts connections."""
    program = shutil.which(argv[0])
    if program is None:
        pytest.skip(f'{argv[0]} is not installed')
    process = subprocess.Popen([program, *argv[1:]],
                               stdout=subprocess.DEVNULL)
    try:
        while True:
            assert process.poll() is None, f'{argv[0]} ended'
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(('127.0.0.1', port)).close()
                break
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def redis() -> Iterator[dict[str, dict[str, object]]]:
    port = free_port()
    with running('redis-server', '--port', str(port), '--bind', '127.0.0.1',
                 '--save', '', port=port):
        yield {'token_cache': {'redis_url': f'redis://127.0.0.1:{port}/0'}}


@contextlib.contextmanager
def memcached() -> Iterator[dict[str, dict[str, object]]]:
    port = free_port()
    with running('memcached', '-p', str(port), '-l', '127.0.0.1', '-u',
                 'nobody', '-U', '0', port=port):
        yield {'keystone_authtoken': {
            'memcached_servers': f'127.0.0.1:{port}'}}


#: Runs a cache by kind, and gives the options that name it.
CACHES: Mapping[str, Callable[[], contextlib.AbstractContextManager[
    dict[str, dict[str, object]]]]] = {'redis': redis, 'memcached': memcached}


def ask(daemon: Daemon, token: str) -> int:
    return daemon.request('GET', '/v1/racks',
                          headers={'X-Auth-Token': token}).status


@pytest.mark.parametrize('secret', ['another', 'one'])
@pytest.mark.parametrize('kind', CACHES)
def test_processes_that_share_a_cache_and_its_key_share_tokens(
        cloud, tmp_path, kind, secret):
    """A13: entries are encrypted, and unreadable without the key."""
    token = cloud.keystone.token('mary', 'alpha')
    with CACHES[kind]() as options:
        def daemon(name: str, key: str) -> Daemon:
            conf = cloud.conf()
            conf['keystone_authtoken'] |= {
                'memcache_security_strategy': 'ENCRYPT',
                'memcache_secret_key': key}
            for group, more in options.items():
                conf.setdefault(group, {}).update(more)
            # Nothing listens there: all the second knows is in the cache.
            if name == 'second':
                conf['keystone_authtoken']['auth_url'] = 'http://127.0.0.1:1'
            (tmp_path / name).mkdir()
            return Daemon(config_dir(tmp_path / name, conf=conf))
        with daemon('first', 'one') as first:
            assert ask(first, token) == 200
        with daemon('second', secret) as second:
            assert ask(second, token) == (200 if secret == 'one' else 503)
