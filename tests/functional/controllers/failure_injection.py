# SPDX-License-Identifier: Apache-2.0
"""The API with failures at the place that a request's X-Break header names.

``X-Break: policy`` makes the next policy check raise an exception whose text
must not reach a client; ``PLACES`` and ``STATEMENTS`` have the other values.
A test's own paste file serves this module in place of the API, with one
worker.
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
from service.domain.records.operations import Records
from service.storage.database.engine import Transactions

#: Text of each exception.
SECRET = 'hunter2hunter2'

#: Place of the next failure.
_place: list[str] = []


class FailureFilter:
    """Record the place where a request is to fail, and fail if it is this.
    """

    def __init__(self, application: Callable[..., Any], name: str) -> None:
        self._application = application
        self._name = name

    def __call__(self, environ: dict[str, Any],
                 start_response: Any) -> Iterable[bytes]:
        _place[:] = [environ.get('HTTP_X_BREAK', '')]
        _fail_at(self._name)
        try:
            return self._application(environ, start_response)
        finally:
            _place.clear()


def middleware(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.filter_factory`` of a filter with a bug."""
    return lambda application: FailureFilter(application, 'middleware')


def factory(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.app_factory``; it installs the failures in this process."""
    _install()
    return app.factory(global_conf, **local)


def discovery(global_conf: Mapping[str, str], **local: str) -> Any:
    """``paste.app_factory`` of the version document, which can be loaded
    first."""
    _install()
    return app.discovery(global_conf, **local)


def _install() -> None:
    while _not_installed:
        name, (owner, attribute) = _not_installed.popitem()
        setattr(owner, attribute, _failing(name, getattr(owner, attribute)))


def _fail_at(name: str) -> None:
    if _place == [name]:
        _place.clear()
        raise RuntimeError(SECRET)


def _failing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if name == 'storage' and STATEMENTS.keys() & set(_place):
            return original(args[0], STATEMENTS[_place[0]])
        _fail_at(name)
        return original(*args, **options)
    return call


def _quote_statement(connection: sa.Connection) -> None:
    """Cause a database error whose text has the statement and its values."""
    connection.exec_driver_sql(
        f"SELECT CAST('{SECRET}' AS integer) FROM r_safes")


def _disconnect(connection: sa.Connection) -> None:
    """End the connection, as a stopping server does, at each retry."""
    connection.exec_driver_sql('SELECT pg_terminate_backend(pg_backend_pid())')


#: Value of X-Break -> a failure in the database.
STATEMENTS: Mapping[str, Callable[[sa.Connection], None]] = {
    'statement': _quote_statement, 'connection': _disconnect}

#: Value of X-Break -> the function that fails.
PLACES: Mapping[str, tuple[Any, str]] = {
    'identity': (Identity, 'caller'),
    'policy': (Policy, 'check'),
    'handler': (RecordsController, 'list'),
    'domain': (Records, 'list'),
    'storage': (Transactions, 'read'),
    'serializer': (replies, 'document'),
}

#: Places without an installed failure in this process.
_not_installed = dict(PLACES)
