# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = http_basic``: a name and password with each request.

Two files hold the accounts (``service.accounts.account_files``). Changes of
the files take effect while the service runs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import bcrypt

from api import identity
from api.middleware.circuit_breaker import CircuitBreaker, IdentityRefused
from api.request import errors
from service.accounts import account_files
from service.accounts.account_files import MAX_PASSWORD_BYTES, Account
from service.config import files as config_files
from service.errors import StartError
from service.hosting import offload
from service.hosting.handover import Handover

LOG = logging.getLogger(__name__)

#: Seconds for which a verified password is not verified again.
VERIFIED_SECONDS = 60.0
#: Most verified passwords that a worker remembers.
MAX_VERIFIED = 4096
#: Seconds between two checks of the files for a change.
CHECK_SECONDS = 1.0

#: Seconds that a request waits until its password can be verified.
QUEUE_SECONDS = 5.0

#: Salt and digest of the hash that the password of an unknown user is checked
#: against.
_DUMMY_DIGEST = b'.' * 53

#: Name of the accounts in the handover to a replacement worker.
_HANDOVER_NAME = 'accounts'

Clock = Callable[[], float]


class Accounts:
    """The users in the htpasswd file and the users file, reloaded on change.

    Invalid files leave the users as they were, and are logged once per change:
    an editor that has saved half a line must not lock out every user.
    """

    def __init__(self, passwords: str, users: str,
                 clock: Clock = time.monotonic,
                 handover: Handover | None = None) -> None:
        """Read the files, or take the accounts of an earlier worker.

        Raises StartError with all mistakes in the files. A worker that finds
        accounts in ``handover`` does not read the files.
        """
        self._paths: tuple[str, ...] = passwords, users
        self._clock = clock
        self._checked = clock()
        self._handover = handover or Handover()
        self._accounts: Mapping[str, Account]
        inherited = self._handover.get(_HANDOVER_NAME)
        if inherited is None:
            self._states = self._file_states()
            self._set_accounts(account_files.read(passwords, users))
        else:
            # The options may name other files by now. No worker uses these
            # files until a reload.
            self._paths = tuple(inherited['paths'])
            self._states = [state and tuple(state)
                            for state in inherited['marks']]
            self._accounts = account_files.from_json(inherited['accounts'])

    def find(self, name: str) -> Account | None:
        now = self._clock()
        if now - self._checked >= CHECK_SECONDS:
            self._checked = now
            self._check_files()
        return self._accounts.get(name)

    @property
    def dummy_hash(self) -> bytes:
        """A hash that no password matches, at the highest cost in use."""
        costs = [account_files.cost(account.hash)
                 for account in self._accounts.values() if account.hash]
        highest = max(costs, default=account_files.BCRYPT_COST)
        return b'$2b$%02d$' % highest + _DUMMY_DIGEST

    def _check_files(self) -> None:
        states = self._file_states()
        if states == self._states:
            return
        self._states = states
        try:
            self._set_accounts(account_files.read(*self._paths))
        except StartError as exc:
            LOG.error('The account files changed but are invalid; the '
                      'previous users stay in force: %s',
                      '; '.join(str(exc).splitlines()))
        else:
            LOG.info('Users reloaded from %s and %s', *self._paths)

    def _set_accounts(self, accounts: Mapping[str, Account]) -> None:
        """Put accounts in force, also for a worker that replaces this one."""
        self._accounts = accounts
        self._handover.put(_HANDOVER_NAME, {
            'marks': self._states, 'paths': self._paths,
            'accounts': account_files.to_json(accounts)})

    def _file_states(self) -> list[tuple[int, ...] | None]:
        return [_file_state(path) for path in self._paths]


def _file_state(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class VerifiedPasswords:
    """A cache of passwords that matched a bcrypt hash within the last minute.

    bcrypt takes a quarter of a second by design, too long for every request of
    a client. The cache holds keyed digests, from which no password can be
    read. The user's bcrypt hash is part of the digest: once the password in
    the file changes or is removed, no entry of that user matches.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._secret = secrets.token_bytes(32)
        self._expires: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._clock = clock

    def has(self, hash: bytes, password: bytes) -> bool:
        with self._lock:
            expires = self._expires.get(self._cache_key(hash, password), 0.0)
        return self._clock() < expires

    def add(self, hash: bytes, password: bytes) -> None:
        key = self._cache_key(hash, password)
        with self._lock:
            self._expires[key] = self._clock() + VERIFIED_SECONDS
            self._expires.move_to_end(key)
            while len(self._expires) > MAX_VERIFIED:
                self._expires.popitem(last=False)

    def _cache_key(self, hash: bytes, password: bytes) -> bytes:
        return hmac.digest(self._secret, hash + password, hashlib.sha256)


class BasicAuth:
    """Identify callers by a name and a password."""

    def __init__(self, app: Callable[..., Any], accounts: Accounts, realm: str,
                 breaker: CircuitBreaker,
                 verified: VerifiedPasswords | None = None) -> None:
        """Limit the concurrent checks of passwords by ``breaker``."""
        self._app = app
        self._breaker = breaker
        self._accounts = accounts
        self._challenge = f'Basic realm="{realm}", charset="UTF-8"'
        self._verified = verified or VerifiedPasswords()

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        # SECURITY: the header is removed, so that no later filter can log
        # the password or pass it on.
        header = environ.pop('HTTP_AUTHORIZATION', None)
        credentials = _credentials(header)
        try:
            account = credentials and self._verify(environ, *credentials)
        except IdentityRefused:
            identity.refuse(environ, errors.IdentityUnavailable())
            return self._app(environ, start_response)
        if account:
            identity.identify(environ, account.project_id,
                              account.user_id or account.name, account.roles)
        else:
            identity.refuse(environ, errors.Unauthenticated(self._challenge))
        return self._app(environ, start_response)

    def _verify(self, environ: dict[str, Any], name: str, password: bytes
                ) -> Account | None:
        """Return the account if the password is right, else None.

        Raises IdentityRefused if too many passwords wait to be checked.

        SECURITY: an unknown name takes as long as a wrong password; otherwise
        the time of a reply would reveal which names exist. The limit on
        waiting checks keeps a flood of wrong passwords from taking every CPU,
        and from taking the places of requests whose password is in the cache.
        """
        account = self._accounts.find(name)
        hash = account and account.hash
        if account and hash and self._verified.has(hash, password):
            return account
        with self._breaker:
            if account and hash and self._verified.has(hash, password):
                return account
            matches = offload.run(environ, bcrypt.checkpw,
                                  password[:MAX_PASSWORD_BYTES],
                                  hash or self._accounts.dummy_hash)
        if (not (account and hash and matches)
                or len(password) > MAX_PASSWORD_BYTES):
            return None
        self._verified.add(hash, password)
        return account


def _credentials(header: str | None) -> tuple[str, bytes] | None:
    """Return name and password of an Authorization header, or None.

    A header that cannot be decoded is answered like a wrong password (401).
    SECURITY: only the canonical base64 form is valid. The server recognises
    projects by the raw header, and would schedule each other spelling as an
    unknown client.
    """
    scheme, _, rest = (header or '').partition(' ')
    if scheme.lower() != 'basic':
        return None
    try:
        decoded = base64.b64decode(rest.strip(), validate=True)
        name, colon, password = decoded.partition(b':')
        plain = base64.b64encode(decoded) == rest.strip().encode()
        return (name.decode(), password) if colon and plain else None
    except (binascii.Error, ValueError):
        return None


def factory(global_conf: Mapping[str, str], **local: str
            ) -> Callable[[Callable[..., Any]], BasicAuth]:
    """``paste.filter_factory`` of the strategy ``http_basic``."""
    conf = config_files.from_paste(global_conf)
    accounts = Accounts(
        config_files.find(conf, 'http_basic', 'htpasswd_file'),
        config_files.find(conf, 'http_basic', 'users_file'),
        handover=Handover.of(global_conf))
    breaker = CircuitBreaker(
        max_running=len(os.sched_getaffinity(0)),
        max_waiting=conf.api.max_in_flight // 2, wait_seconds=QUEUE_SECONDS)
    return lambda app: BasicAuth(app, accounts, conf.api.service_type, breaker)
