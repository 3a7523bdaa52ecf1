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
        help='Directory for data that the service keeps, such as the SQLite '
             'database. A relative path starts at the first config '
             'directory. The directory is created if it does not exist.'),
]

API = [
    cfg.StrOpt(
        'paste_config', default='api-paste.ini',
        help='PasteDeploy file that defines the application. A relative '
             'path is searched for in the config directories.'),
    cfg.StrOpt(
        'app', default='pileus',
        help='Entry of the PasteDeploy file to serve.'),
    cfg.StrOpt(
        'types_dir', default='resources.d',
        help='Directory of the resource type files. A relative path is '
             'searched for in the config directories.'),
    cfg.StrOpt(
        'service_type', default='pileus', regex=r'^[a-z][a-z0-9-]*$',
        max_length=64,
        help='Service type of this service in the cloud. Clients meet it in '
             'the OpenStack-API-Version header and at the start of error '
             'codes.'),
    cfg.StrOpt(
        'auth_strategy', default='noauth',
        choices=['noauth', 'http_basic', 'keystone'],
        help='How callers are authenticated. noauth trusts the headers of '
             'the request, http_basic checks passwords, keystone validates '
             'Keystone tokens. Each value is also the name of a pipeline in '
             'the PasteDeploy file.'),
    cfg.BoolOpt(
        'insecure_noauth_bind', default=False,
        help='Let auth_strategy noauth serve clients that are not on this '
             'machine. Then anybody who can reach the port is an '
             'administrator.'),
    cfg.IntOpt(
        'max_limit', default=1000, min=1, max=10000,
        help='Most records in one reply to a list request, and the page '
             'size if the client sends no limit. A larger limit is reduced '
             'to this value.'),
    cfg.IntOpt(
        'max_cascade', default=1000, min=1, max=10000,
        help='Most records that a DELETE may change or remove through '
             'references with on_delete cascade or set_null. A DELETE that '
             'needs more is refused with 409.'),
    cfg.BoolOpt(
        'require_if_match', default=False,
        help='Refuse a PUT, PATCH or DELETE without If-Match or If-None-Match '
             '(428). If false, such a request can overwrite a change that the '
             'client has not seen.'),
    cfg.ListOpt(
        'trusted_proxies', default=[],
        item_type=types.String(),
        help='Addresses or CIDR networks of proxies whose X-Forwarded-* '
             'headers the service uses for client address, scheme, host and '
             'path prefix. These headers are ignored if they come from any '
             'other address.'),
    cfg.ListOpt(
        'metrics_networks', default=['127.0.0.0/8', '::1/128'],
        item_type=types.String(),
        help='Addresses or CIDR networks of clients that may read /metrics. '
             'Other clients get 404. If the list is empty, all clients do.'),
]

#: Options of the database in addition to oslo.db's.
DATABASE = [
    cfg.FloatOpt(
        'statement_timeout', default=10.0, min=0.1, max=3600,
        help='Seconds that PostgreSQL, MariaDB or MySQL may take for a '
             'statement of a request. A slower statement is cancelled and '
             'the request refused with 503.'),
    cfg.FloatOpt(
        'lock_timeout', default=5.0, min=0.1, max=3600,
        help='Seconds that a statement waits for rows that another '
             'transaction has locked. Then its own transaction is rolled '
             'back and tried again. MariaDB and MySQL round the value to '
             'whole seconds.'),
]

#: Options of auth_strategy http_basic.
HTTP_BASIC = [
    cfg.StrOpt(
        'htpasswd_file', default='htpasswd',
        help='File of user names and bcrypt hashes for auth_strategy '
             'http_basic. A relative path is searched for in the config '
             'directories.'),
    cfg.StrOpt(
        'users_file', default='users.yaml',
        help='YAML file that gives each user of htpasswd_file a project_id, '
             'roles and a user_id. A relative path is searched for in the '
             'config directories.'),
]

#: Options of the token cache of auth_strategy keystone.
TOKEN_CACHE = [
    cfg.IntOpt(
        'max_tokens', default=5000, min=0, max=1000000,
        help='Most validated tokens that a worker keeps in its own memory, '
             'if neither redis_url nor [keystone_authtoken] '
             'memcached_servers is set. 0 keeps none: Keystone validates '
             'the token of each request.'),
    cfg.StrOpt(
        'redis_url', secret=True,
        help='URL of a Redis server on which all workers cache validated '
             'tokens: redis://, rediss:// (TLS) or unix://, with user and '
             'password in the URL. If unset, each worker caches tokens in '
             'its own memory.'),
    cfg.FloatOpt(
        'redis_timeout', default=1.0, min=0.05, max=60,
        help='Seconds to wait for Redis. Then Keystone validates the token.'),
]

#: Options of the limits on the records of a project.
QUOTA = [
    cfg.StrOpt(
        'driver', default='database', choices=['database', 'unified_limits'],
        help='Where the limits of projects are kept. database: in the type '
             'files and, for single projects, in the database (/v1/quotas). '
             'unified_limits: in Keystone, which [oslo_limit] describes.'),
    cfg.FloatOpt(
        'limits_cache', default=5.0, min=0.0, max=3600,
        help='Seconds for which the limits of a project are cached after '
             'they are read from Keystone (driver unified_limits). A '
             'changed limit takes effect after this time at the latest. 0 '
             'reads them each time.'),
]

#: How long revisions are kept. Nothing is removed automatically: an operator
#: runs ``pileus-manage history purge``.
HISTORY = [
    cfg.IntOpt(
        'keep_days', default=0, min=0, max=36500,
        help='Days after which pileus-manage history purge removes a '
             'revision. 0 keeps revisions for ever.'),
    cfg.IntOpt(
        'keep_last', default=10, min=1, max=1000000,
        help='Newest revisions of each record that pileus-manage history '
             'purge keeps, however old they are, until the record is '
             'deleted.'),
]

#: Options that only the command line of pileus-api takes.
COMMAND = [
    cfg.BoolOpt(
        'daemon', default=False,
        help='Detach from the terminal once the service answers.'),
    cfg.StrOpt(
        'pid-file',
        help='File for the process id while the service runs. A second '
             'start with the same file is refused.'),
    cfg.BoolOpt(
        'check', default=False,
        help='Load the configuration and the application, print whether '
             'they are valid, and exit.'),
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
              # Pileus reports rules that do not parse, with file and line.
              'oslo_policy._parser=CRITICAL']
    log.set_defaults(default_log_levels=list(dict.fromkeys(levels)))
    # Without these, a start would wait for its database for minutes, and a
    # request for a free connection for half a minute.
    cfg.set_defaults(db_options.database_opts, max_retries=0, pool_timeout=5)


def listed() -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options by group, for ``oslo-config-generator``."""
    return [(group, list(options)) for group, options in GROUPS.items()]
