# SPDX-License-Identifier: Apache-2.0
"""Where what Keystone said of a token is kept for a while.

keystonemiddleware takes any object with ``get`` and ``set`` in place of
memcached, and encrypts before it hands over what it keeps, if it is told to.
Its own memory without memcached is one dictionary for each request that ran
at the same time, swept at each look; ours is one, of a bounded size.
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

#: How many seconds a Redis that failed is left alone: waiting for it at each
#: request would cost more than asking Keystone.
RETRY_SECONDS = 5.0

Clock = Callable[[], float]


class TokenCache(Protocol):
    """What keystonemiddleware calls; ``time`` is in seconds."""

    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes, time: int) -> object: ...


class MemoryCache:
    """The tokens seen last, in one process."""

    def __init__(self, most: int, clock: Clock = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            until, value = self._kept.get(key, (0.0, b''))
            if until <= self._clock():
                self._kept.pop(key, None)
                return None
            self._kept.move_to_end(key)
            return value

    def set(self, key: str, value: bytes, time: int) -> None:
        with self._lock:
            self._kept[key] = self._clock() + time, value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class RedisCache:
    """The tokens that any worker has seen, on a Redis server.

    Bytes as they are: what another writes there is never unpickled. Redis
    out of reach is no reason to turn anybody away: Keystone is asked then.
    """

    def __init__(self, url: str, timeout: float,
                 clock: Clock = time.monotonic) -> None:
        """Raises StartError where there is no such server."""
        redis = _import_redis()
        self._failures: tuple[type[Exception], ...] = (
            redis.RedisError, OSError)
        self._clock = clock
        self._rest_until = 0.0
        try:
            # Once more at once, for a connection that Redis has closed since;
            # its own way is to try for seconds.
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout,
                retry=redis.retry.Retry(redis.backoff.NoBackoff(), 1))
            self._client.ping()
        except ValueError:
            # SECURITY: the error quotes the part that is wrong, and a
            # password with a slash makes a wrong port of itself.
            raise StartError('[token_cache] redis_url: is not the URL of a '
                             'Redis, such as redis://cache.example.org:6379/0;'
                             ' in a password, write / as %2F') from None
        except self._failures as exc:
            raise StartError(f'[token_cache] redis_url: no Redis answers '
                             f'there: {exc}') from exc

    def get(self, key: str) -> bytes | None:
        found: bytes | None = self._tried(self._client.get, key)
        return found

    def set(self, key: str, value: bytes, time: int) -> None:
        if time > 0:
            self._tried(self._client.set, key, value, time)

    def _tried(self, call: Callable[..., Any], *args: object) -> Any:
        if self._clock() < self._rest_until:
            return None
        try:
            return call(*args)
        except self._failures as exc:
            self._rest_until = self._clock() + RETRY_SECONDS
            LOG.warning('The token cache is left alone for %d seconds: %s',
                        RETRY_SECONDS, exc)
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
    """The cache that is configured; None where it is memcached."""
    if conf.keystone_authtoken.memcached_servers:
        if conf.token_cache.redis_url:
            raise StartError('[token_cache] redis_url and [keystone_authtoken]'
                             ' memcached_servers name two caches; name one')
        return None
    if conf.token_cache.redis_url:
        return RedisCache(conf.token_cache.redis_url,
                     conf.token_cache.redis_timeout)
    return MemoryCache(conf.token_cache.max_tokens)
