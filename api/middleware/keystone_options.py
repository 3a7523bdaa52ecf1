# SPDX-License-Identifier: Apache-2.0
"""The options of ``[keystone_authtoken]``, as ``auth_strategy = keystone``
needs them: read and checked once, at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as failures
from keystoneauth1 import loading
from keystonemiddleware import auth_token
from oslo_config import cfg

from service.config import files as config_files
from service.errors import StartError

GROUP = 'keystone_authtoken'

#: Whoever waits is told soon that Keystone does not answer, and asks again.
DEFAULTS = {'http_connect_timeout': 2, 'http_request_max_retries': 1}

#: What each kind of credentials is made of: one of each row must be given.
CREDENTIALS = {
    'password': (('username', 'user_id'), ('password',)),
    'application_credential_secret': (
        ('application_credential_id', 'application_credential_name'),
        ('application_credential_secret',)),
}


def set_defaults() -> None:
    """keystonemiddleware's defaults as they are here, also in the sample."""
    for _, listed in auth_token.AUTH_TOKEN_OPTS:
        cfg.set_defaults(listed, **DEFAULTS)


def read(conf: cfg.ConfigOpts) -> dict[str, Any]:
    """What auth_token is told, beside what it reads itself.

    Raises StartError where an option is missing, malformed or would not do.
    """
    set_defaults()
    for group, listed in auth_token.list_opts():
        conf.register_opts(listed, group)
        config_files.check_group(conf, group, listed)
    section = _credentials_section(conf)
    _check_cache(conf)
    told = conf[GROUP]
    return {
        'delay_auth_decision': True,
        'service_type': told.service_type or conf.api.service_type,
        'www_authenticate_uri': (told.www_authenticate_uri
                                 or conf[section].auth_url)}


def _credentials_section(conf: cfg.ConfigOpts) -> str:
    """The group that has the service's own credentials, which do."""
    section: str = conf[GROUP].auth_section or GROUP
    if section not in (GROUP, *conf.list_all_sections()):
        raise _error('auth_section', f'there is no section [{section}]')
    try:
        plugin = loading.load_auth_from_conf_options(conf, GROUP)
    except (failures.ClientException, cfg.Error, ValueError) as exc:
        raise _error('auth_type', exc, section) from exc
    if plugin is None:
        raise _error('auth_type', 'is not set; password with auth_url, '
                     'username, password, user_domain_name, project_name and '
                     'project_domain_name is usual', section)
    for missing in _missing_options(conf[section]):
        raise _error(missing, 'is not set; Pileus needs credentials of its '
                     'own to ask Keystone', section)
    if not conf[section].get('auth_url'):
        raise _error('auth_url', 'is not set; it is where Keystone answers, '
                     'such as https://keystone.example.org/v3', section)
    return section


def _missing_options(told: Any) -> Iterator[str]:
    for kind, rows in CREDENTIALS.items():
        if kind in told:
            yield from (' or '.join(row) for row in rows
                        if not any(told.get(one) for one in row))


def _check_cache(conf: cfg.ConfigOpts) -> None:
    told = conf[GROUP]
    if told.token_cache_time == 0:
        raise _error('token_cache_time', '0 would be for ever in memcached; '
                     'give seconds, or -1 to ask Keystone at each request')
    if (told.memcache_security_strategy.lower() != 'none'
            and not told.memcache_secret_key):
        raise _error('memcache_secret_key', 'is not set, and '
                     'memcache_security_strategy needs it')


def _error(option: str, why: object, group: str = GROUP) -> StartError:
    return StartError(f'[{group}] {option}: {why}')
