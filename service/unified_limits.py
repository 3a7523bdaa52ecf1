# SPDX-License-Identifier: Apache-2.0
"""Limits that are kept in Keystone, for all services of a cloud alike.

oslo.limit asks for them. It is loaded only where ``[quota] driver`` says so:
openstacksdk, which it brings, takes longer to import than all the rest.
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

#: How many seconds Keystone may take, where the operator does not say.
TIMEOUT_SECONDS = 5

#: Limits of so many projects are remembered.
MAX_PROJECTS = 5000

#: The limit of what has no registered limit, as oslo.limit has it.
UNREGISTERED_LIMIT = 0


class UnifiedLimits:
    """Keystone's unified limits, remembered for a few seconds.

    A limit is registered for this service under the plural of a type, such
    as ``hosts``. What is not registered there cannot be made at all.
    """

    external_source = 'Keystone (unified limits)'

    def __init__(self, ask: Callable[[str], Mapping[str, int]],
                 seconds: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """``ask`` gives a project's limits by resource name."""
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, tuple[float, Mapping[str, int]]] = {}

    def fetch(self, project_id: str,
              types: Collection[ResourceType]) -> LimitsByType:
        found = self._remembered(project_id)
        return {one.name: found.get(one.plural, UNREGISTERED_LIMIT)
                for one in types}

    def _remembered(self, project_id: str) -> Mapping[str, int]:
        until, found = self._known.get(project_id, (0.0, {}))
        if until > self._clock():
            return found
        found = self._ask(project_id)
        if len(self._known) >= MAX_PROJECTS:
            self._known.clear()
        self._known[project_id] = self._clock() + self._seconds, found
        return found


def limits(conf: cfg.ConfigOpts) -> UnifiedLimits:
    """The limits of ``[oslo_limit]``; StartError where it says too little.

    Keystone itself may still be away: it is asked when a limit is wanted.
    """
    _register_options(conf)
    _check_options(conf)
    return UnifiedLimits(_KeystoneClient(conf).limits, conf.quota.limits_cache)


class _KeystoneClient:
    """Keystone, by oslo.limit, which connects at the first question."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._enforcer: Any = None

    def limits(self, project_id: str) -> Mapping[str, int]:
        """A project's limits by resource; Unavailable without an answer."""
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException
        from oslo_limit.exception import SessionInitError
        try:
            asked = self._connected()
            return {**dict(asked.get_registered_limits(None)),
                    **dict(asked.get_project_limits(project_id, None))}
        except (ClientException, SDKException, SessionInitError,
                ValueError) as exc:
            LOG.error('Keystone does not tell limits: %s: %s',
                      type(exc).__name__, exc)
            raise errors.Unavailable from exc

    def _connected(self) -> Any:
        """oslo.limit reads oslo.config's global configuration, and keeps one
        connection a process; it is given ours, and connects anew after a
        reload."""
        from oslo_limit import limit
        if self._enforcer is None:
            limit.CONF = self._conf
            limit._SDK_CONNECTION = None
            self._enforcer = limit.Enforcer(lambda *asked: {}, cache=False)
        return self._enforcer


def _register_options(conf: cfg.ConfigOpts) -> None:
    """oslo.limit registers its options with the global configuration only."""
    from keystoneauth1 import loading
    from oslo_limit import opts
    loading.register_session_conf_options(conf, GROUP)
    loading.register_adapter_conf_options(conf, GROUP,
                                          include_deprecated=False)
    loading.register_auth_conf_options(conf, GROUP)
    own = [one for _, listed in opts.list_opts() for one in listed
           if one.dest.startswith('endpoint_')
           and one.dest not in conf[GROUP]]
    conf.register_opts(own, group=GROUP)
    conf.set_default('timeout', TIMEOUT_SECONDS, group=GROUP)


def _check_options(conf: cfg.ConfigOpts) -> None:
    from keystoneauth1 import loading
    from keystoneauth1.exceptions import ClientException
    said = conf[GROUP]
    if not (said.endpoint_id or said.endpoint_service_type
            or said.endpoint_service_name):
        raise StartError(
            f'[{GROUP}] endpoint_id: with [quota] driver = unified_limits '
            f'this, endpoint_service_type or endpoint_service_name must say '
            f'whose limits Keystone is asked for')
    try:
        auth = loading.load_auth_from_conf_options(conf, GROUP)
    except (ClientException, ValueError) as exc:
        raise StartError(f'[{GROUP}] {" ".join(str(exc).split())}') from exc
    if auth is None:
        raise StartError(f'[{GROUP}] auth_type: with [quota] driver = '
                         f'unified_limits this must say how to log in to '
                         f'Keystone, such as password')
