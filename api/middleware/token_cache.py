# SPDX-License-Identifier: Apache-2.0
"""Caches for validated tokens: in a worker's memory, or on Redis.

keystonemiddleware accepts any object with ``get`` and ``set`` in place of
memcached, and can encrypt the values before it stores them. Its own cache
without memcached is a dictionary for each concurrent request, and each access
sweeps it. MemoryCache is a single dictionary of bounded size.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from oslo_config import cfg

from service.errors import StartError

LOG = logging.getLogger(__name__)

#: Seconds after a failure in which Redis is not used: a timeout in every
#: request would take longer than asking Keystone.
RETRY_SECONDS = 5.0

Clock = Callable[[], float]


class TokenCache(Protocol):
    """The interface that keystonemiddleware calls; ``time`` is in seconds."""

    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes, time: int) -> object: ...


class MemoryCache:
    """The most recently used tokens of one worker."""

    def __init__(self, max_tokens: int, clock: Clock = time.monotonic) -> None:
        self._max_tokens = max_tokens
        self._clock = clock
        self._tokens: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            expires, value = self._tokens.get(key, (0.0, b''))
            if expires <= self._clock():
                self._tokens.pop(key, None)
                return None
            self._tokens.move_to_end(key)
            return value

    def set(self, key: str, value: bytes, time: int) -> None:
        with self._lock:
            self._tokens[key] = self._clock() + time, value
            self._tokens.move_to_end(key)
            while len(self._tokens) > self._max_tokens:
                self._tokens.popitem(last=False)


class RedisCache:
    """The tokens of all workers, on a Redis server.

    Values are plain bytes: nothing that others write to Redis is unpickled.
    While Redis is unreachable, Keystone validates the tokens.
    """

    def __init__(self, url: str, timeout: float,
                 clock: Clock = time.monotonic) -> None:
        """Connect; raise StartError if Redis does not answer at ``url``."""
        redis = _import_redis()
        self._failures: tuple[type[Exception], ...] = (
            redis.RedisError, OSError)
        self._clock = clock
        self._retry_at = 0.0
        try:
            # One immediate retry, for a connection that Redis has closed.
            # By default redis-py retries for seconds.
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout,
                retry=redis.retry.Retry(redis.backoff.NoBackoff(), 1))
            self._client.ping()
        except ValueError:
            # SECURITY: the text of the ValueError is not shown. It quotes
            # the invalid port, which is part of the password if the password
            # has a slash.
            raise StartError('[token_cache] redis_url: invalid URL; set one '
                             'such as redis://cache.example.org:6379/0, with '
                             '%2F for each / of the password') from None
        except self._failures as exc:
            raise StartError(f'[token_cache] redis_url: Redis does not '
                             f'answer: {exc}') from exc

    def get(self, key: str) -> bytes | None:
        value: bytes | None = self._call(self._client.get, key)
        return value

    def set(self, key: str, value: bytes, time: int) -> None:
        if time > 0:
            self._call(self._client.set, key, value, time)

    def _call(self, call: Callable[..., Any], *args: object) -> Any:
        if self._clock() < self._retry_at:
            return None
        try:
            return call(*args)
        except self._failures as exc:
            self._retry_at = self._clock() + RETRY_SECONDS
            LOG.warning('Redis failed; the token cache is not used for %d '
                        'seconds: %s', RETRY_SECONDS, exc)
            return None


def _import_redis() -> Any:
    try:
        import redis
        import redis.backoff
        import redis.retry
    except ImportError as exc:
        raise StartError('[token_cache] redis_url: the package redis is not '
                         'installed; pip install pileus[redis]') from exc
    return redis


def configured(conf: cfg.ConfigOpts) -> TokenCache | None:
    """Return the configured cache, or None if it is memcached."""
    if conf.keystone_authtoken.memcached_servers:
        if conf.token_cache.redis_url:
            raise StartError('[token_cache] redis_url and [keystone_authtoken]'
                             ' memcached_servers are both set; set only one '
                             'of them')
        return None
    if conf.token_cache.redis_url:
        return RedisCache(conf.token_cache.redis_url,
                          conf.token_cache.redis_timeout)
    return MemoryCache(conf.token_cache.max_tokens)
