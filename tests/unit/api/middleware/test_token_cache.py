# SPDX-License-Identifier: Apache-2.0
"""Where what Keystone said of a token is kept, and for how long."""

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


def test_memory_forgets_when_the_time_is_over():
    clock = Clock()
    kept = MemoryCache(10, clock)
    kept.set('a', b'1', time=60)
    clock.now += 59
    assert kept.get('a') == b'1'
    clock.now += 1
    assert kept.get('a') is None
    assert kept.get('never') is None


@pytest.mark.parametrize('time', [0, -1])
def test_memory_keeps_nothing_that_has_no_time(time):
    kept = MemoryCache(10, Clock())
    kept.set('a', b'1', time=time)
    assert kept.get('a') is None


def test_memory_holds_the_tokens_seen_last():
    kept = MemoryCache(2, Clock())
    for key in 'ab':
        kept.set(key, key.encode(), time=60)
    assert kept.get('a') == b'a'
    kept.set('c', b'c', time=60)
    assert (kept.get('a'), kept.get('b'), kept.get('c')) == (
        b'a', None, b'c')


def test_memory_of_no_size_keeps_nothing():
    kept = MemoryCache(0, Clock())
    kept.set('a', b'1', time=60)
    assert kept.get('a') is None


@pytest.fixture
def server(tmp_path):
    """A Redis of the test's own: how to start and stop it, and its URL."""
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


def test_redis_keeps_bytes_for_a_time_and_shares_them(server):
    with server() as url:
        one = RedisCache(url, WAIT_SECONDS)
        other = RedisCache(url, WAIT_SECONDS)
        one.set('tokens/a', b'\x80\x04bytes', time=60)
        assert other.get('tokens/a') == b'\x80\x04bytes'
        assert other.get('tokens/b') is None
        told = redis.Redis.from_url(url)
        assert 0 < told.ttl('tokens/a') <= 60
        one.set('tokens/c', b'1', time=-1)
        assert other.get('tokens/c') is None
        for client in (one._client, other._client, told):
            client.close()


def test_redis_out_of_reach_is_left_alone_for_a_while(server, caplog):
    """Keystone is asked instead; nobody is turned away."""
    clock = Clock()
    with server() as url:
        kept = RedisCache(url, WAIT_SECONDS, clock)
        kept.set('a', b'1', time=60)
    for _ in range(5):
        assert kept.get('a') is None
        kept.set('a', b'2', time=60)
    assert len(caplog.records) == 1
    assert 'hunter2' not in caplog.text
    with server():
        assert kept.get('a') is None
        clock.now += RETRY_SECONDS
        kept.set('a', b'3', time=60)
        assert kept.get('a') == b'3'
    kept._client.close()


@contextlib.contextmanager
def deaf():
    """A server that takes connections and says nothing."""
    with socket.create_server(('127.0.0.1', 0)) as listening:
        held = []
        threading.Thread(target=lambda: held.append(listening.accept()),
                         daemon=True).start()
        yield f'redis://:hunter2@127.0.0.1:{listening.getsockname()[1]}/0'
        for taken, _ in held:
            taken.close()


def test_a_redis_that_does_not_answer_stops_the_start():
    with deaf() as url, pytest.raises(StartError) as caught:
        RedisCache(url, 0.1)
    assert '[token_cache] redis_url' in str(caught.value)
    assert 'hunter2' not in str(caught.value)


@pytest.mark.parametrize('url', [
    'redis://:hunter2@127.0.0.1:1/0', 'memcached://127.0.0.1', 'nonsense',
    '', 'redis://127.0.0.1:port/', 'redis://:hun/hunter2@127.0.0.1',
    'redis://:hunter2/ss@127.0.0.1', 'redis://[hunter2', 'hunter2://a'])
def test_a_url_that_leads_nowhere_stops_the_start(url):
    with pytest.raises(StartError) as caught:
        RedisCache(url, 1.0)
    assert str(caught.value).startswith('[token_cache] redis_url: ')
    assert 'hunter2' not in str(caught.value)


def test_a_wrong_password_stops_the_start(server):
    with server() as url, pytest.raises(StartError) as caught:
        RedisCache(url.replace('hunter2', secrets.token_hex(4)),
                   WAIT_SECONDS)
    assert 'Redis does not answer' in str(caught.value)
