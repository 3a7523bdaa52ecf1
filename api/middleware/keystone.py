# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = keystone``: whom Keystone says a token belongs to.

keystonemiddleware's auth_token asks and remembers. What it finds is taken
from its own object, not from the headers it writes: it leaves those of
system scope as the client sent them where the token has none, and overwrites
them by a service's token.
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
from api.middleware import (
    circuit_breaker,
    keystone_deadline,
    keystone_options,
    token_cache,
)
from api.request import errors
from service.config import files as config_files
from service.errors import StartError

LOG = logging.getLogger(__name__)

#: Under which keystonemiddleware finds our cache in the environ.
CACHE_KEY = 'pileus.token_cache'

#: What may be a token at all. Keystone's own server refuses long ones with a
#: 400, which would look as if it were broken.
_TOKEN = re.compile(r'[!-~]{1,4096}')

#: Keystone is not there, not well, or says what is no answer.
_OUTAGES = (failures.ClientException, auth_token.ServiceError, ValueError,
            LookupError, TypeError, AttributeError, NotImplementedError)


class _Unreachable(Exception):
    """Keystone could not say whether a token is good."""


class KeystoneAuth(auth_token.AuthProtocol):
    """Lets in who has a token that Keystone vouches for."""

    def __init__(self, app: Callable[..., Any], options: dict[str, Any],
                 cache: token_cache.TokenCache | None, in_flight: int) -> None:
        """Of ``in_flight`` requests at once, a quarter may ask Keystone and
        half wait to: the rest is for callers who are known."""
        self._deadline = keystone_deadline.Deadline()
        super().__init__(app, options)
        self._breaker = circuit_breaker.CircuitBreaker(max(1, in_flight // 4),
                                        in_flight // 2, _is_outage)
        self._seconds = (self._conf.get('http_connect_timeout')
                         or keystone_options.DEFAULTS['http_connect_timeout'])
        self._challenge = f'Keystone uri="{options["www_authenticate_uri"]}"'
        self._token_cache.initialize({CACHE_KEY: cache})

    def process_request(self, request: Any) -> None:
        """Note who calls, or why nobody vouches for them."""
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
        """Hold a token to its access rules, if it has any. Without the
        catalogue (``include_service_catalog``) none of them can be seen to
        be about this service."""
        super().validate_allowed_request(request, {'catalog': [], **token})

    def process_response(self, response: Any) -> Any:
        """As it is: the refusal itself says where to get a token."""
        return response

    def remembers(self) -> bool:
        """Whether the cache gives back what it is given."""
        probe = secrets.token_hex()
        self._token_cache.set(probe, {'probe': probe})
        return bool(self._remembered(probe) == {'probe': probe})

    def fetch_token(self, token: str, allow_expired: bool = False) -> Any:
        """What Keystone says of a token, now or a moment ago.

        Unlike in the class above, Keystone out of reach is not a bad token: a
        client told so would throw a good one away.
        """
        if not _TOKEN.fullmatch(token):
            raise auth_token.InvalidToken('no token looks like this')
        known = self._remembered(token)
        if known is None:
            known = self._asked(token, allow_expired)
            self._token_cache.set(token, known)
        return known

    def _remembered(self, token: str) -> Any:
        try:
            return self._token_cache.get(token) or None
        except ValueError:
            LOG.warning('The token cache holds what was not written by this '
                        'service')
            return None

    def _create_session(self, **kwargs: Any) -> Any:
        made = super()._create_session(**kwargs)
        for scheme in ('http://', 'https://'):
            made.mount(scheme, keystone_deadline.Adapter(self._deadline))
        return made

    def _asked(self, token: str, allow_expired: bool) -> Any:
        try:
            with self._breaker, self._deadline.within(self._seconds):
                told = self._identity_server.verify_token(
                    token, allow_expired=allow_expired)
            told['token']['methods'], told['token']['user']['id']
        except auth_token.InvalidToken:
            raise
        except circuit_breaker.IdentityRefused as exc:
            raise _Unreachable from exc
        except _OUTAGES as exc:
            if isinstance(exc, failures.EndpointNotFound):
                self._identity_server.invalidate()
            # The formatter of the log adds what the exception says.
            LOG.error('Keystone cannot be asked about a token: %s',
                      type(exc).__name__)
            raise _Unreachable from exc
        return told


def _is_outage(exc: BaseException) -> bool:
    """Whether nobody answered. An error is an answer: one token that Keystone
    stumbles over is no reason to ask it about no other."""
    return (isinstance(exc, failures.ClientException)
            and not isinstance(exc, failures.HttpError))


def _roles(user: Any) -> set[str]:
    """The roles a token gives here.

    SECURITY: those in a domain are none. Nothing here belongs to a domain,
    and an administrator of one would be taken for the cloud's.
    """
    if user.domain_id:
        return set()
    return {role.lower() for role in user.role_names}


def _tokens_valid(environ: Mapping[str, Any]) -> bool:
    """Whether each token that was sent is good; at least the user's was.

    The filter strips what a client says here before it writes its own.
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
        made = KeystoneAuth(app, {**options, 'oslo_config_config': conf},
                            cache, conf.api.max_in_flight)
    except ImportError as exc:
        raise StartError(f'[keystone_authtoken] memcached_servers: the '
                         f'package of the module {exc.name} is not '
                         f'installed; pip install pileus[memcached]') from exc
    except (exceptions.ConfigurationError, OSError) as exc:
        raise StartError(f'[keystone_authtoken]: {exc}') from exc
    told = conf.keystone_authtoken
    if cache is None and told.token_cache_time > 0 and not made.remembers():
        raise StartError(f'[keystone_authtoken] memcached_servers = '
                         f'{",".join(told.memcached_servers)}: what is '
                         f'written there cannot be read again')
    if (uses_shared_cache(conf)
            and told.memcache_security_strategy.lower() == 'none'):
        LOG.warning('Tokens are cached as they are: who can write to the '
                    'cache can be anybody. Set [keystone_authtoken] '
                    'memcache_security_strategy = ENCRYPT and '
                    'memcache_secret_key.')
    return made


def uses_shared_cache(conf: cfg.ConfigOpts) -> bool:
    return bool(conf.keystone_authtoken.memcached_servers
                or conf.token_cache.redis_url)
