# SPDX-License-Identifier: Apache-2.0
"""Quota limits that are kept in Keystone for all services of a cloud.

This module is imported only for ``[quota] driver = unified_limits``. It needs
oslo.limit, whose openstacksdk takes longer to import than everything else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from oslo_config import cfg

from service.domain import errors
from service.domain.catalogue.types import ResourceType
from service.domain.records.limits import LimitsByType
from service.errors import StartError

LOG = logging.getLogger(__name__)

GROUP = 'oslo_limit'

#: Default time that a request to Keystone may take.
TIMEOUT_SECONDS = 5

#: Most projects whose limits are cached.
MAX_PROJECTS = 5000

#: Limit of a resource without a registered limit, as in oslo.limit.
UNREGISTERED_LIMIT = 0


class UnifiedLimits:
    """Keystone's unified limits, cached for a few seconds.

    The limit of a type is registered in Keystone for this service, under the
    plural of the type, such as ``hosts``. Without a registered limit no record
    of the type can be created.
    """

    external_source = 'Keystone (unified limits)'

    def __init__(self, read: Callable[[str], Mapping[str, int]],
                 cache_seconds: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Cache the limits by resource that ``read`` returns for a project."""
        self._read = read
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._cache: dict[str, tuple[float, Mapping[str, int]]] = {}

    def fetch(self, project_id: str,
              types: Collection[ResourceType]) -> LimitsByType:
        limits = self._cached(project_id)
        return {declared.name: limits.get(declared.plural, UNREGISTERED_LIMIT)
                for declared in types}

    def _cached(self, project_id: str) -> Mapping[str, int]:
        expires, limits = self._cache.get(project_id, (0.0, {}))
        if expires > self._clock():
            return limits
        limits = self._read(project_id)
        if len(self._cache) >= MAX_PROJECTS:
            self._cache.clear()
        self._cache[project_id] = self._clock() + self._cache_seconds, limits
        return limits


def limits(conf: cfg.ConfigOpts) -> UnifiedLimits:
    """Return the limits that ``[oslo_limit]`` describes.

    Raises StartError if options are missing. Keystone is not contacted before
    a limit is needed.
    """
    _register_options(conf)
    _check_options(conf)
    return UnifiedLimits(_KeystoneClient(conf).limits, conf.quota.limits_cache)


class _KeystoneClient:
    """A client of Keystone's limits that connects at the first request."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._enforcer: Any = None

    def limits(self, project_id: str) -> Mapping[str, int]:
        """Return a project's limits by resource; raise Unavailable on failure.
        """
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException
        from oslo_limit.exception import SessionInitError
        try:
            enforcer = self._connected()
            return {**dict(enforcer.get_registered_limits(None)),
                    **dict(enforcer.get_project_limits(project_id, None))}
        except (ClientException, SDKException, SessionInitError,
                ValueError) as exc:
            LOG.error('Keystone does not return limits: %s: %s',
                      type(exc).__name__, exc)
            raise errors.Unavailable from exc

    def _connected(self) -> Any:
        """Return an enforcer of oslo.limit that uses this configuration.

        oslo.limit uses the global configuration of oslo.config and a
        connection for the process. Both are replaced, so that a reload takes
        effect.
        """
        from oslo_limit import limit
        if self._enforcer is None:
            limit.CONF = self._conf
            limit._SDK_CONNECTION = None
            self._enforcer = limit.Enforcer(lambda *args: {}, cache=False)
        return self._enforcer


def _register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options of oslo.limit with this configuration.

    oslo.limit itself registers them with the global configuration.
    """
    from keystoneauth1 import loading
    from oslo_limit import opts
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP,
                                          include_deprecated=False)
    loading.register_auth_conf_options(conf, GROUP)
    endpoint = [option for _, options in opts.list_opts()
                for option in options
                if option.dest.startswith('endpoint_')
                and option.dest not in conf[GROUP]]
    conf.register_opts(endpoint, group=GROUP)
    conf.set_default('timeout', TIMEOUT_SECONDS, group=GROUP)


def _check_options(conf: cfg.ConfigOpts) -> None:
    from keystoneauth1 import loading
    from keystoneauth1.exceptions import ClientException
    section = conf[GROUP]
    if not (section.endpoint_id or section.endpoint_service_type
            or section.endpoint_service_name):
        raise StartError(
            f'[{GROUP}] endpoint_id: is not set; [quota] driver = '
            f'unified_limits needs endpoint_id, endpoint_service_type or '
            f'endpoint_service_name, to know which service\'s limits to read')
    try:
        auth = loading.load_auth_from_conf_options(conf, GROUP)
    except (ClientException, ValueError) as exc:
        raise StartError(f'[{GROUP}] {" ".join(str(exc).split())}') from exc
    if auth is None:
        raise StartError(f'[{GROUP}] auth_type: is not set; [quota] driver = '
                         f'unified_limits needs credentials for Keystone, '
                         f'such as auth_type = password')
