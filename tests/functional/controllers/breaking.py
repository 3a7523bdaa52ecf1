# SPDX-License-Identifier: Apache-2.0
"""The API, failing where a request asks it to, as a bug there would.

``X-Break: policy`` makes the next use of the policy raise an exception that
says what nobody should know; ``PLACES`` are the others. Served in the place
of the API by a paste file of a test's own, with one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from api import app
from api.controllers.records import RecordsController
from api.identity import Identity
from api.policy.enforcement import Policy
from api.response import replies
from service.domain.records.operations import Records as Deeds
from service.storage.database.engine import Transactions

#: What each exception says.
SECRET = 'hunter2hunter2'

#: Where the next failure is to be.
_wanted: list[str] = []


class Breaking:
    """Notes where a request wants it to break, and lets it pass."""

    def __init__(self, served: Callable[..., Any], name: str) -> None:
        self._served = served
        self._name = name

    def __call__(self, environ: dict[str, Any],
                 start_response: Any) -> Iterable[bytes]:
        _wanted[:] = [environ.get('HTTP_X_BREAK', '')]
        _reach(self._name)
        try:
            return self._served(environ, start_response)
        finally:
            _wanted.clear()


def middleware(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.filter_factory``: a bug in a filter."""
    return lambda served: Breaking(served, 'middleware')


def factory(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.app_factory``, for the process that it is called in."""
    _install()
    return app.factory(global_conf, **local)


def discovery(global_conf: Mapping[str, str], **local: str) -> Any:
    """The same of what is mounted beside it, which may be loaded first."""
    _install()
    return app.discovery(global_conf, **local)


def _install() -> None:
    while _sound:
        name, (owner, attribute) = _sound.popitem()
        setattr(owner, attribute, _broken(name, getattr(owner, attribute)))


def _reach(name: str) -> None:
    if _wanted == [name]:
        _wanted.clear()
        raise RuntimeError(SECRET)


def _broken(name: str, sound: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **options: Any) -> Any:
        if name == 'storage' and STATEMENTS.keys() & set(_wanted):
            return sound(args[0], STATEMENTS[_wanted[0]])
        _reach(name)
        return sound(*args, **options)
    return called


def _complain(connection: sa.Connection) -> None:
    """The database's own words have the statement and its values."""
    connection.exec_driver_sql(
        f"SELECT CAST('{SECRET}' AS integer) FROM r_safes")


def _hang_up(connection: sa.Connection) -> None:
    """As a server does that is told to end, at each new attempt."""
    connection.exec_driver_sql('SELECT pg_terminate_backend(pg_backend_pid())')


STATEMENTS: Mapping[str, Callable[[sa.Connection], None]] = {
    'statement': _complain, 'connection': _hang_up}

PLACES: Mapping[str, tuple[Any, str]] = {
    'identity': (Identity, 'caller'),
    'policy': (Policy, 'check'),
    'handler': (RecordsController, 'list'),
    'domain': (Deeds, 'list'),
    'storage': (Transactions, 'read'),
    'serializer': (replies, 'document'),
}

#: Those that are not broken yet in this process.
_sound = dict(PLACES)
