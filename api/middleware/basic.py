# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = http_basic``: a name and a password with each request.

Accounts stand in two files (``service.accounts.account_files``), which may
change while the service runs.
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
from api.middleware import circuit_breaker
from api.request import errors
from service.accounts import account_files
from service.accounts.account_files import MAX_PASSWORD_BYTES, Account
from service.config import files as config_files
from service.errors import StartError
from service.hosting import offload
from service.hosting.handover import Handover

LOG = logging.getLogger(__name__)

#: How many seconds credentials that were right are right without a look.
VERIFIED_SECONDS = 60.0
#: How many of them a worker remembers.
MAX_VERIFIED = 4096
#: How often, in seconds, the files are looked at for a change.
CHECK_SECONDS = 1.0

#: How many seconds a password waits for others to be looked at.
QUEUE_SECONDS = 5.0

#: What the password of a user who is not there is compared with.
_DUMMY_DIGEST = b'.' * 53

#: What who is who is kept as for a worker that takes this one's place.
_HANDOVER_NAME = 'accounts'

Clock = Callable[[], float]


class Accounts:
    """Who is who, as the two files say now.

    A file that cannot be read any more changes nothing: an editor that saves
    half a line must not lock everybody out. It is told in the log once.
    """

    def __init__(self, passwords: str, users: str,
                 clock: Clock = time.monotonic,
                 handover: Handover | None = None) -> None:
        """Raises StartError with every mistake in the files, but where a
        worker before this one ``kept`` who was who."""
        self._paths: tuple[str, ...] = passwords, users
        self._clock = clock
        self._looked = clock()
        self._handover = handover or Handover()
        self._accounts: Mapping[str, Account]
        left = self._handover.get(_HANDOVER_NAME)
        if left is None:
            self._seen = self._marks()
            self._enter(account_files.read(passwords, users))
        else:
            # Another file that the options name by now is in force nowhere:
            # it is for a reload to take it.
            self._paths = tuple(left['paths'])
            self._seen = [one and tuple(one) for one in left['marks']]
            self._accounts = account_files.from_json(left['accounts'])

    def find(self, name: str) -> Account | None:
        now = self._clock()
        if now - self._looked >= CHECK_SECONDS:
            self._looked = now
            self._look()
        return self._accounts.get(name)

    @property
    def nobody(self) -> bytes:
        """A hash that no password has, and that takes as long as any."""
        costs = [account_files.cost(one.hash)
                 for one in self._accounts.values() if one.hash]
        highest = max(costs, default=account_files.BCRYPT_COST)
        return b'$2b$%02d$' % highest + _DUMMY_DIGEST

    def _look(self) -> None:
        marks = self._marks()
        if marks == self._seen:
            return
        self._seen = marks
        try:
            self._enter(account_files.read(*self._paths))
        except StartError as exc:
            LOG.error('The users stay as they were: %s',
                      '; '.join(str(exc).splitlines()))
        else:
            LOG.info('Users read anew from %s and %s', *self._paths)

    def _enter(self, found: Mapping[str, Account]) -> None:
        """Put in force what the files said when they were looked at."""
        self._accounts = found
        self._handover.put(_HANDOVER_NAME, {
            'marks': self._seen, 'paths': self._paths,
            'accounts': account_files.to_json(found)})

    def _marks(self) -> list[tuple[int, ...] | None]:
        """What changes when a file does."""
        return [_file_state(path) for path in self._paths]


def _file_state(path: str) -> tuple[int, ...] | None:
    try:
        told = os.stat(path)
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns


class VerifiedPasswords:
    """Credentials that were right a moment ago, none of them readable.

    bcrypt takes a quarter of a second by design, too long for each request
    of a client. The hash is part of what is remembered: another password in
    the file, or none, and nothing that was remembered fits.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._clock = clock

    def has(self, hash: bytes, password: bytes) -> bool:
        with self._lock:
            until = self._until.get(self._digest(hash, password), 0.0)
        return self._clock() < until

    def add(self, hash: bytes, password: bytes) -> None:
        digest = self._digest(hash, password)
        with self._lock:
            self._until[digest] = self._clock() + VERIFIED_SECONDS
            self._until.move_to_end(digest)
            while len(self._until) > MAX_VERIFIED:
                self._until.popitem(last=False)

    def _digest(self, hash: bytes, password: bytes) -> bytes:
        return hmac.digest(self._key, hash + password, hashlib.sha256)


class BasicAuth:
    """Lets in who knows the password of a name."""

    def __init__(self, app: Callable[..., Any], book: Accounts, realm: str,
                 line: circuit_breaker.CircuitBreaker,
                 remembered: VerifiedPasswords | None = None) -> None:
        """``line`` is where passwords wait that are to be looked at."""
        self._app = app
        self._line = line
        self._book = book
        self._challenge = f'Basic realm="{realm}", charset="UTF-8"'
        self._remembered = remembered or VerifiedPasswords()

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Nobody behind this may log or pass on what is a password.
        sent = environ.pop('HTTP_AUTHORIZATION', None)
        given = _credentials(sent)
        try:
            account = given and self._proven(environ, *given)
        except circuit_breaker.IdentityRefused:
            identity.refuse(environ, errors.IdentityUnavailable())
            return self._app(environ, start_response)
        if account:
            identity.identify(environ, account.project_id,
                          account.user_id or account.name, account.roles)
        else:
            identity.refuse(environ, errors.Unauthenticated(self._challenge))
        return self._app(environ, start_response)

    def _proven(self, environ: dict[str, Any], name: str, password: bytes
                ) -> Account | None:
        """The account, if the password is its own.

        SECURITY: an unknown name takes as long as a wrong password, or time
        would tell which names there are. Refused where too many wait to be
        looked at: a flood of wrong ones must not take every CPU, and the
        room of those whose password is remembered.
        """
        account = self._book.find(name)
        hash = account and account.hash
        if account and hash and self._remembered.has(hash, password):
            return account
        with self._line:
            if account and hash and self._remembered.has(hash, password):
                return account
            right = offload.run(environ, bcrypt.checkpw,
                               password[:MAX_PASSWORD_BYTES],
                               hash or self._book.nobody)
        if (not (account and hash and right)
                or len(password) > MAX_PASSWORD_BYTES):
            return None
        self._remembered.add(hash, password)
        return account


def _credentials(header: str | None) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header; None where it has none.

    What cannot be read proves nobody; it is no reason for another status.
    SECURITY: nor does another spelling of the same; the server, which knows
    whose a request is by what is sent, would take each for a stranger's.
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
    book = Accounts(config_files.find(conf, 'http_basic', 'htpasswd_file'),
                config_files.find(conf, 'http_basic', 'users_file'),
                handover=Handover.of(global_conf))
    line = circuit_breaker.CircuitBreaker(len(os.sched_getaffinity(0)),
                           conf.api.max_in_flight // 2, wait=QUEUE_SECONDS)
    return lambda app: BasicAuth(app, book, conf.api.service_type, line)
