# SPDX-License-Identifier: Apache-2.0
"""All options, except those of the HTTP server (``server_options``).

The sample file in ``etc/pileus`` is generated from this module
(``oslo-config-generator --namespace pileus``). ``config.files`` reads the
values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oslo_config import cfg, types
from oslo_db import options as db_options
from oslo_log import log

from service.config.server_options import PROCESS, SERVER, SSL

DEFAULT = [
    cfg.StrOpt(
        'state_path', default='/var/lib/pileus',
        help='The directory for what the service keeps between runs, such '
             'as the SQLite database. A relative path is taken from the '
             'first config directory.'),
]

API = [
    cfg.StrOpt(
        'paste_config', default='api-paste.ini',
        help='The PasteDeploy file that composes the application; a '
             'relative path is looked for in the config directories.'),
    cfg.StrOpt(
        'app', default='pileus',
        help='The entry of the PasteDeploy file to serve.'),
    cfg.StrOpt(
        'types_dir', default='resources.d',
        help='The directory of resource type files; a relative path is '
             'looked for in the config directories.'),
    cfg.StrOpt(
        'service_type', default='pileus', regex=r'^[a-z][a-z0-9-]*$',
        max_length=64,
        help='The service type clients know this service by: the name in '
             'the OpenStack-API-Version header and in error codes.'),
    cfg.StrOpt(
        'auth_strategy', default='noauth',
        choices=['noauth', 'http_basic', 'keystone'],
        help='Who decides who the caller is: the pipeline of the same name '
             'in the PasteDeploy file.'),
    cfg.BoolOpt(
        'insecure_noauth_bind', default=False,
        help='Let auth_strategy noauth serve addresses other than loopback, '
             'where anybody who reaches the port is an administrator.'),
    cfg.IntOpt(
        'max_limit', default=1000, min=1, max=10000,
        help='The most records one list reply holds, and its size when the '
             'client names no limit.'),
    cfg.IntOpt(
        'max_cascade', default=1000, min=1, max=10000,
        help='The most records one delete may change or remove through '
             'references declared cascade or set_null.'),
    cfg.BoolOpt(
        'require_if_match', default=False,
        help='Refuse a PUT, PATCH or DELETE that does not say with If-Match '
             'or If-None-Match what it saw (428).'),
    cfg.ListOpt(
        'trusted_proxies', default=[],
        item_type=types.String(),
        help='The proxies, as addresses or CIDR networks, whose '
             'X-Forwarded-* headers are believed.'),
    cfg.ListOpt(
        'metrics_networks', default=['127.0.0.0/8', '::1/128'],
        item_type=types.String(),
        help='Who may read /metrics, as addresses or CIDR networks; for '
             'anybody else, and with none named for everybody, there is no '
             'such path.'),
]

#: Options of the database in addition to oslo.db's.
DATABASE = [
    cfg.FloatOpt(
        'statement_timeout', default=10.0, min=0.1, max=3600,
        help='How many seconds PostgreSQL, MariaDB or MySQL may take over '
             'one statement of a request before the request is refused with '
             '503.'),
    cfg.FloatOpt(
        'lock_timeout', default=5.0, min=0.1, max=3600,
        help='How many seconds a statement waits for the rows another '
             'transaction holds before its own is tried anew; MariaDB and '
             'MySQL count whole seconds.'),
]

#: Options of auth_strategy http_basic.
HTTP_BASIC = [
    cfg.StrOpt(
        'htpasswd_file', default='htpasswd',
        help='The file of names and bcrypt hashes that auth_strategy '
             'http_basic knows users by; a relative path is looked for in '
             'the config directories.'),
    cfg.StrOpt(
        'users_file', default='users.yaml',
        help='The YAML file that gives each of these names its project_id, '
             'roles and user_id; a relative path is looked for in the config '
             'directories.'),
]

#: Options of the token cache of auth_strategy keystone.
TOKEN_CACHE = [
    cfg.IntOpt(
        'max_tokens', default=5000, min=0, max=1000000,
        help='How many tokens a worker remembers by itself, where neither '
             'redis_url nor [keystone_authtoken] memcached_servers names a '
             'shared cache; 0 asks Keystone at each request.'),
    cfg.StrOpt(
        'redis_url', secret=True,
        help='The Redis server that all workers remember tokens in, as '
             'redis://, rediss:// or unix:// with user and password inside.'),
    cfg.FloatOpt(
        'redis_timeout', default=1.0, min=0.05, max=60,
        help='How many seconds Redis is waited for before Keystone is asked '
             'instead.'),
]

#: Options of the limits on the records of a project.
QUOTA = [
    cfg.StrOpt(
        'driver', default='database', choices=['database', 'unified_limits'],
        help='Where the limits of projects are kept: the type files and the '
             'database, set over /v1/quotas, or Keystone, asked as '
             '[oslo_limit] says.'),
    cfg.FloatOpt(
        'limits_cache', default=5.0, min=0.0, max=3600,
        help='How many seconds the limits of a project are remembered before '
             'Keystone is asked for them again.'),
]

#: How long revisions are kept. Nothing is removed automatically: an operator
#: runs ``pileus-manage history purge``.
HISTORY = [
    cfg.IntOpt(
        'keep_days', default=0, min=0, max=36500,
        help='How many days a revision is kept before pileus-manage history '
             'purge removes it; 0 keeps all for ever.'),
    cfg.IntOpt(
        'keep_last', default=10, min=1, max=1000000,
        help='How many of the newest revisions of each record are kept '
             'however old they are, until the record is deleted.'),
]

#: Options that only the command line of pileus-api takes.
COMMAND = [
    cfg.BoolOpt(
        'daemon', default=False,
        help='Detach from the terminal once the service answers.'),
    cfg.StrOpt(
        'pid-file',
        help='The file that holds the process id while the service runs; a '
             'second start with the same file is refused.'),
    cfg.BoolOpt(
        'check', default=False,
        help='Check all that a start needs, print whether the configuration '
             'is valid, and exit without a change to anything.'),
]

GROUPS: Mapping[str, Sequence[cfg.Opt]] = {
    'DEFAULT': DEFAULT,
    'api': [*API, *SERVER, *PROCESS],
    'database': DATABASE,
    'ssl': SSL,
    'quota': QUOTA,
    'history': HISTORY,
    'http_basic': HTTP_BASIC,
    'token_cache': TOKEN_CACHE,
}


def set_defaults() -> None:
    """Change defaults of other libraries, also in the sample file."""
    levels = [*log.get_default_log_levels(), 'alembic=WARN',
              # What it cannot parse is told by file and line instead.
              'oslo_policy._parser=CRITICAL']
    log.set_defaults(default_log_levels=list(dict.fromkeys(levels)))
    # A start without its database fails at once unless told to wait, and a
    # request does not wait for a connection for half a minute.
    cfg.set_defaults(db_options.database_opts, max_retries=0, pool_timeout=5)


def listed() -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options by group, for ``oslo-config-generator``."""
    return [(group, list(options)) for group, options in GROUPS.items()]
