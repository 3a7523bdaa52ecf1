# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = keystone``: identify callers by their Keystone token.

keystonemiddleware's auth_token validates tokens and caches the results. The
identity is read from auth_token's token object, because the headers that
auth_token writes are not reliable. For a token without system scope it leaves
the client's own system scope header in place, and a service token overwrites
the headers of the user.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from keystoneauth1 import exceptions as failures
from keystonemiddleware import auth_token, exceptions
from oslo_config import cfg

from api import identity
from api.middleware import keystone_options, token_cache
from api.middleware.circuit_breaker import CircuitBreaker, IdentityRefused
from api.middleware.keystone_deadline import Deadline, DeadlineAdapter
from api.request import errors
from service.config import files as config_files
from service.errors import StartError

LOG = logging.getLogger(__name__)

#: Environ key under which keystonemiddleware finds the token cache.
CACHE_KEY = 'pileus.token_cache'

#: Form of a token. Keystone's web server answers a longer token with 400,
#: which would look like a fault of Keystone.
_TOKEN = re.compile(r'[!-~]{1,4096}')

#: Exceptions that mean that Keystone is unreachable or broken, or that its
#: reply is malformed.
_OUTAGES = (failures.ClientException, auth_token.ServiceError, ValueError,
            LookupError, TypeError, AttributeError, NotImplementedError)


class _Unreachable(Exception):
    """Keystone did not validate the token."""


class KeystoneAuth(auth_token.AuthProtocol):
    """Identify callers by tokens that Keystone validates."""

    def __init__(self, app: Callable[..., Any], options: dict[str, Any],
                 cache: token_cache.TokenCache | None, in_flight: int) -> None:
        """Let a quarter of ``in_flight`` requests call Keystone at once.

        Half of them may wait to do so. The last quarter is left for callers
        whose token is cached.
        """
        self._deadline = Deadline()
        super().__init__(app, options)
        self._breaker = CircuitBreaker(
            max_running=max(1, in_flight // 4), max_waiting=in_flight // 2,
            is_outage=_is_outage)
        self._timeout_seconds = (
            self._conf.get('http_connect_timeout')
            or keystone_options.DEFAULTS['http_connect_timeout'])
        self._challenge = f'Keystone uri="{options["www_authenticate_uri"]}"'
        self._token_cache.initialize({CACHE_KEY: cache})

    def process_request(self, request: Any) -> None:
        """Record the identity of the caller, or why there is none."""
        environ = request.environ
        try:
            super().process_request(request)
        except _Unreachable:
            identity.refuse(environ, errors.IdentityUnavailable())
            return
        if not _tokens_valid(environ):
            identity.refuse(environ, errors.Unauthenticated(self._challenge))
            return
        user = request.token_auth.user
        identity.identify(environ, user.project_id, user.user_id, _roles(user),
                          'all' if (user.system or {}).get('all') else None)

    def validate_allowed_request(self, request: Any, token: Any) -> None:
        """Check the access rules of a token, if it has any.

        An empty catalogue stands in for a missing one
        (``include_service_catalog``). No access rule then matches this
        service, and the token is refused.
        """
        super().validate_allowed_request(request, {'catalog': [], **token})

    def process_response(self, response: Any) -> Any:
        """Return the response unchanged: a 401 already names Keystone."""
        return response

    def cache_works(self) -> bool:
        """Whether a value written to the cache can be read back."""
        probe = secrets.token_hex()
        self._token_cache.set(probe, {'probe': probe})
        return bool(self._cached(probe) == {'probe': probe})

    def fetch_token(self, token: str, allow_expired: bool = False) -> Any:
        """Return Keystone's data on a token, from the cache if it is there.

        The base class treats an unreachable Keystone as an invalid token. A
        client would then discard a valid token; so this raises _Unreachable.
        """
        if not _TOKEN.fullmatch(token):
            raise auth_token.InvalidToken('malformed token')
        validated = self._cached(token)
        if validated is None:
            validated = self._validate(token, allow_expired)
            self._token_cache.set(token, validated)
        return validated

    def _cached(self, token: str) -> Any:
        try:
            return self._token_cache.get(token) or None
        except ValueError:
            LOG.warning('The token cache has an entry that this service did '
                        'not write; the entry is ignored')
            return None

    def _create_session(self, **kwargs: Any) -> Any:
        session = super()._create_session(**kwargs)
        for scheme in ('http://', 'https://'):
            session.mount(scheme, DeadlineAdapter(self._deadline))
        return session

    def _validate(self, token: str, allow_expired: bool) -> Any:
        try:
            with self._breaker, self._deadline.within(self._timeout_seconds):
                validated = self._identity_server.verify_token(
                    token, allow_expired=allow_expired)
            validated['token']['methods'], validated['token']['user']['id']
        except auth_token.InvalidToken:
            raise
        except IdentityRefused as exc:
            raise _Unreachable from exc
        except _OUTAGES as exc:
            if isinstance(exc, failures.EndpointNotFound):
                self._identity_server.invalidate()
            # oslo.log's formatter appends the text of the exception.
            LOG.error('Keystone cannot validate a token: %s',
                      type(exc).__name__)
            raise _Unreachable from exc
        return validated


def _is_outage(exc: BaseException) -> bool:
    """Whether Keystone did not answer at all.

    An HTTP error is an answer: a single token on which Keystone fails must not
    stop the validation of all others.
    """
    return (isinstance(exc, failures.ClientException)
            and not isinstance(exc, failures.HttpError))


def _roles(user: Any) -> set[str]:
    """Return the roles that a token grants in Pileus.

    SECURITY: roles on a domain are dropped. Nothing in Pileus belongs to a
    domain, and the administrator of one domain would act as administrator of
    the cloud.
    """
    if user.domain_id:
        return set()
    return {role.lower() for role in user.role_names}


def _tokens_valid(environ: Mapping[str, Any]) -> bool:
    """Whether the user's token, and a service token if sent, are valid.

    auth_token removes these headers from the client's request before it sets
    them.
    """
    return (environ.get('HTTP_X_IDENTITY_STATUS') == 'Confirmed'
            and environ.get('HTTP_X_SERVICE_IDENTITY_STATUS', 'Confirmed')
            == 'Confirmed')


def factory(global_conf: Mapping[str, str], **local: str
            ) -> Callable[[Callable[..., Any]], KeystoneAuth]:
    """``paste.filter_factory`` of the strategy ``keystone``."""
    conf = config_files.from_paste(global_conf)
    options = {**keystone_options.read(conf), 'cache': CACHE_KEY}
    cache = token_cache.configured(conf)
    return lambda app: _build(app, conf, options, cache)


def _build(app: Callable[..., Any], conf: cfg.ConfigOpts,
           options: Mapping[str, Any], cache: token_cache.TokenCache | None
           ) -> KeystoneAuth:
    try:
        auth = KeystoneAuth(app, {**options, 'oslo_config_config': conf},
                            cache, conf.api.max_in_flight)
    except ImportError as exc:
        raise StartError(f'[keystone_authtoken] memcached_servers: the '
                         f'package of the module {exc.name} is not '
                         f'installed; pip install pileus[memcached]') from exc
    except (exceptions.ConfigurationError, OSError) as exc:
        raise StartError(f'[keystone_authtoken]: {exc}') from exc
    section = conf.keystone_authtoken
    if (cache is None and section.token_cache_time > 0
            and not auth.cache_works()):
        raise StartError(f'[keystone_authtoken] memcached_servers = '
                         f'{",".join(section.memcached_servers)}: a value '
                         f'written there cannot be read back')
    if (uses_shared_cache(conf)
            and section.memcache_security_strategy.lower() == 'none'):
        LOG.warning('Tokens are cached unencrypted: anybody who can write to '
                    'the cache can act as any user. Set [keystone_authtoken] '
                    'memcache_security_strategy = ENCRYPT and '
                    'memcache_secret_key.')
    return auth


def uses_shared_cache(conf: cfg.ConfigOpts) -> bool:
    return bool(conf.keystone_authtoken.memcached_servers
                or conf.token_cache.redis_url)
