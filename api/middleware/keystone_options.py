# SPDX-License-Identifier: Apache-2.0
"""Read and check the options of ``[keystone_authtoken]`` at the start."""

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

#: Short timeouts: a client learns soon that Keystone does not answer, and can
#: retry.
DEFAULTS = {'http_connect_timeout': 2, 'http_request_max_retries': 1}

#: Required options by kind of credentials: one name of each tuple.
CREDENTIALS = {
    'password': (('username', 'user_id'), ('password',)),
    'application_credential_secret': (
        ('application_credential_id', 'application_credential_name'),
        ('application_credential_secret',)),
}


def set_defaults() -> None:
    """Set Pileus' defaults of keystonemiddleware, also for the sample file."""
    for _, group_options in auth_token.AUTH_TOKEN_OPTS:
        cfg.set_defaults(group_options, **DEFAULTS)


def read(conf: cfg.ConfigOpts) -> dict[str, Any]:
    """Return the options to pass to auth_token.

    Raises StartError if an option is missing, malformed or unsuitable.
    """
    set_defaults()
    for group, group_options in auth_token.list_opts():
        conf.register_opts(group_options, group)
        config_files.check_group(conf, group, group_options)
    section = _credentials_section(conf)
    _check_cache(conf)
    options = conf[GROUP]
    return {
        'delay_auth_decision': True,
        'service_type': options.service_type or conf.api.service_type,
        'www_authenticate_uri': (options.www_authenticate_uri
                                 or conf[section].auth_url)}


def _credentials_section(conf: cfg.ConfigOpts) -> str:
    """Return the section with the service's own credentials, checked."""
    section: str = conf[GROUP].auth_section or GROUP
    if section not in (GROUP, *conf.list_all_sections()):
        raise _error('auth_section', f'there is no section [{section}]')
    try:
        plugin = loading.load_auth_from_conf_options(conf, GROUP)
    except (failures.ClientException, cfg.Error, ValueError) as exc:
        raise _error('auth_type', exc, section) from exc
    if plugin is None:
        raise _error('auth_type', 'is not set; the usual value is password, '
                     'with auth_url, username, password, user_domain_name, '
                     'project_name and project_domain_name', section)
    for missing in _missing_options(conf[section]):
        raise _error(missing, 'is not set; Pileus needs its own credentials '
                     'to validate tokens at Keystone', section)
    if not conf[section].get('auth_url'):
        raise _error('auth_url', 'is not set; set the URL of Keystone, such '
                     'as https://keystone.example.org/v3', section)
    return section


def _missing_options(options: Any) -> Iterator[str]:
    for kind, groups in CREDENTIALS.items():
        if kind in options:
            yield from (' or '.join(group_of) for group_of in groups
                        if not any(options.get(name) for name in group_of))


def _check_cache(conf: cfg.ConfigOpts) -> None:
    options = conf[GROUP]
    if options.token_cache_time == 0:
        raise _error('token_cache_time', '0 keeps tokens in memcached for '
                     'ever; set a number of seconds, or -1 to validate each '
                     'request at Keystone')
    if (options.memcache_security_strategy.lower() != 'none'
            and not options.memcache_secret_key):
        raise _error('memcache_secret_key', 'is not set; '
                     'memcache_security_strategy requires it')


def _error(option: str, problem: object, group: str = GROUP) -> StartError:
    return StartError(f'[{group}] {option}: {problem}')
