# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that replaces ``eventlet.wsgi.server`` by our server.

The peer's tests call that function with their own socket, application and
options. Options that Pileus supports are translated. ``deviations`` lists the
tests that need others.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
from collections.abc import Iterator
from typing import Any

import eventlet
import pytest
from deviations import DEVIATIONS, MODERNISED
from eventlet import wsgi
from oslo_config import cfg

from service.config import options
from service.process import refusals
from service.process.http.body import BodyError
from service.process.limits import ServerLimits
from service.process.server.http_server import Server

#: Our server notices a deadline up to a quarter late, so deadlines are set
#: earlier than the peer's tests demand.
DEADLINE_FACTOR = 0.75


# The peer's tests look for "500" anywhere in a reply, and one in a hundred
# random request ids contains it.
refusals.request_id = lambda: 'req-00000000-0000-4000-8000-000000000000'


def _limits(**keywords: Any) -> ServerLimits:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.GROUPS['api'], 'api')
    conf([], project='peer', default_config_files=[], default_config_dirs=[])
    changes = {'max_target': keywords.get('url_length_limit', 8192)}
    waits = [seconds for seconds in (keywords.get('keepalive'),
                                     keywords.get('socket_timeout'))
             if seconds is not None and not isinstance(seconds, bool)]
    if waits:
        changes['keepalive_timeout'] = max(0.01, min(waits) * DEADLINE_FACTOR)
    if keywords.get('socket_timeout'):
        changes['header_timeout'] = keywords['socket_timeout']
        changes['body_grace'] = keywords['socket_timeout']
        changes['write_timeout'] = keywords['socket_timeout']
    return dataclasses.replace(ServerLimits.read(conf), **changes)


def _adapted(site: Any, extra: dict[str, Any] | None, closing: bool) -> Any:
    """Apply the peer's ``environ=`` and ``keepalive=False`` to an app."""
    def app(environ: dict[str, Any], start: Any) -> Any:
        environ.update(extra or {})

        def started(status: str, headers: Any, exc_info: Any = None) -> Any:
            if closing:
                headers = [*headers, ('Connection', 'close')]
            return start(status, headers, exc_info)
        return site(environ, started)
    return app


def server(sock: Any, site: Any, log: Any = None,
           environ: dict[str, Any] | None = None, keepalive: Any = True,
           **keywords: Any) -> None:
    """Serve until killed, like the function that it replaces."""
    ours = Server(_adapted(site, environ, not keepalive),
                  _limits(keepalive=keepalive, **keywords))
    ours.listen(sock, getattr(sock, '_context', None))
    try:
        with _logging_to(log):
            ours.wait()
    finally:
        ours.drain(0)


@contextlib.contextmanager
def _logging_to(log: Any) -> Iterator[None]:
    """Write our log to the file in which the peer's tests look."""
    handler = logging.StreamHandler(log)
    logger = logging.getLogger('service.process')
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def modern(data: bytes) -> bytes:
    """Return a request of the peer's tests as valid HTTP/1.1.

    Many requests lack Host or have chunks in HTTP/1.0, though this is not
    what the tests test.
    """
    head, end, body = data.partition(b'\r\n\r\n')
    if b'Transfer-Encoding' in head:
        head = head.replace(b' HTTP/1.0', b' HTTP/1.1', 1)
    if re.search(rb' HTTP/1\.1(\r\n|$)', head) and b'\r\nHost:' not in head:
        line, _, rest = head.partition(b'\r\n')
        head = b'\r\n'.join((line, b'Host: localhost', rest)).rstrip()
    return head + end + body


@pytest.fixture(autouse=True)
def modern_clients(request: pytest.FixtureRequest,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.name not in MODERNISED:
        return
    plain = eventlet.connect

    def connect(*args: Any, **words: Any) -> Any:
        sock = plain(*args, **words)
        sendall = sock.sendall
        sock.sendall = lambda data: sendall(modern(data))
        return sock
    monkeypatch.setattr(eventlet, 'connect', connect)


def pytest_configure(config: pytest.Config) -> None:
    wsgi.server = server
    wsgi.ChunkReadError = BodyError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the deviations as expected to fail; one that passes is an error.
    """
    names = {item.name for item in items}
    unknown = {*DEVIATIONS, *MODERNISED} - names
    if unknown:
        raise pytest.UsageError(f'no such tests of the peer: {unknown}')
    for item in items:
        if item.name in DEVIATIONS:
            item.add_marker(pytest.mark.xfail(
                strict=True, reason=DEVIATIONS[item.name]))
