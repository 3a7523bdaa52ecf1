# SPDX-License-Identifier: Apache-2.0
"""Token caches in memory and on Redis."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import threading

import pytest
import redis

from api.middleware.token_cache import RETRY_SECONDS, MemoryCache, RedisCache
from service.errors import StartError
from tests.functional.harness.daemon import WAIT_SECONDS, free_port


class Clock:

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_memory_cache_drops_expired_tokens():
    clock = Clock()
    cache = MemoryCache(10, clock)
    cache.set('a', b'1', time=60)
    clock.now += 59
    assert cache.get('a') == b'1'
    clock.now += 1
    assert cache.get('a') is None
    assert cache.get('never') is None


@pytest.mark.parametrize('time', [0, -1])
def test_the_memory_cache_stores_nothing_without_a_lifetime(time):
    cache = MemoryCache(10, Clock())
    cache.set('a', b'1', time=time)
    assert cache.get('a') is None


def test_the_memory_cache_keeps_the_most_recently_used_tokens():
    cache = MemoryCache(2, Clock())
    for key in 'ab':
        cache.set(key, key.encode(), time=60)
    assert cache.get('a') == b'a'
    cache.set('c', b'c', time=60)
    assert (cache.get('a'), cache.get('b'), cache.get('c')) == (
        b'a', None, b'c')


def test_a_memory_cache_of_size_zero_stores_nothing():
    cache = MemoryCache(0, Clock())
    cache.set('a', b'1', time=60)
    assert cache.get('a') is None


@pytest.fixture
def server(tmp_path):
    """A Redis server: a context manager that runs it and gives its URL."""
    program = shutil.which('redis-server')
    if program is None:
        pytest.skip('redis-server is not installed')
    port = free_port()

    @contextlib.contextmanager
    def started():
        running = subprocess.Popen(
            [program, '--port', str(port), '--bind', '127.0.0.1', '--save',
             '', '--requirepass', 'hunter2', '--dir', str(tmp_path)],
            stdout=subprocess.PIPE, text=True)
        try:
            assert any('Ready to accept' in line for line in running.stdout)
            yield f'redis://:hunter2@127.0.0.1:{port}/0'
        finally:
            running.kill()
            running.wait()
            running.stdout.close()
    return started


def test_clients_of_a_redis_share_bytes_until_they_expire(server):
    with server() as url:
        first = RedisCache(url, WAIT_SECONDS)
        second = RedisCache(url, WAIT_SECONDS)
        first.set('tokens/a', b'\x80\x04bytes', time=60)
        assert second.get('tokens/a') == b'\x80\x04bytes'
        assert second.get('tokens/b') is None
        client = redis.Redis.from_url(url)
        assert 0 < client.ttl('tokens/a') <= 60
        first.set('tokens/c', b'1', time=-1)
        assert second.get('tokens/c') is None
        for opened in (first._client, second._client, client):
            opened.close()


def test_an_unreachable_redis_is_not_used_for_a_while(server, caplog):
    """Nothing is raised: Keystone validates the tokens meanwhile."""
    clock = Clock()
    with server() as url:
        cache = RedisCache(url, WAIT_SECONDS, clock)
        cache.set('a', b'1', time=60)
    for _ in range(5):
        assert cache.get('a') is None
        cache.set('a', b'2', time=60)
    assert len(caplog.records) == 1
    assert 'hunter2' not in caplog.text
    with server():
        assert cache.get('a') is None
        clock.now += RETRY_SECONDS
        cache.set('a', b'3', time=60)
        assert cache.get('a') == b'3'
    cache._client.close()


@contextlib.contextmanager
def deaf():
    """A server that accepts connections and never answers."""
    with socket.create_server(('127.0.0.1', 0)) as listening:
        connections = []
        threading.Thread(target=lambda: connections.append(listening.accept()),
                         daemon=True).start()
        yield f'redis://:hunter2@127.0.0.1:{listening.getsockname()[1]}/0'
        for connection, _ in connections:
            connection.close()


def test_a_redis_that_does_not_answer_stops_the_start():
    with deaf() as url, pytest.raises(StartError) as caught:
        RedisCache(url, 0.1)
    assert '[token_cache] redis_url' in str(caught.value)
    assert 'hunter2' not in str(caught.value)


@pytest.mark.parametrize('url', [
    'redis://:hunter2@127.0.0.1:1/0', 'memcached://127.0.0.1', 'nonsense',
    '', 'redis://127.0.0.1:port/', 'redis://:hun/hunter2@127.0.0.1',
    'redis://:hunter2/ss@127.0.0.1', 'redis://[hunter2', 'hunter2://a'])
def test_a_wrong_url_stops_the_start(url):
    with pytest.raises(StartError) as caught:
        RedisCache(url, 1.0)
    assert str(caught.value).startswith('[token_cache] redis_url: ')
    assert 'hunter2' not in str(caught.value)


def test_a_wrong_password_stops_the_start(server):
    with server() as url, pytest.raises(StartError) as caught:
        RedisCache(url.replace('hunter2', secrets.token_hex(4)),
                   WAIT_SECONDS)
    assert 'Redis does not answer' in str(caught.value)
