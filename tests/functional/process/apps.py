# SPDX-License-Identifier: Apache-2.0
"""Small Paste applications, for tests of the launcher and the workers."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_context.context import RequestContext, get_current

#: Environment variable: a file that grows by a byte with each request.
COUNT = 'PILEUS_TEST_COUNT'

#: The paste file of the application below.
PASTE = """
[app:pileus]
paste.app_factory = tests.functional.process.apps:factory
word = {word}
"""


def paste(word: str = 'first') -> str:
    return PASTE.format(word=word)


def factory(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """Return an application that answers with ``word`` and its process id.

    ``/<action>?<seconds>`` runs one of ``ACTIONS`` for this time.
    """
    def app(environ: WSGIEnvironment, start_response: StartResponse
            ) -> Iterable[bytes]:
        _count()
        action = ACTIONS.get(environ['PATH_INFO'], word_and_pid)
        body = action(word, environ)
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return body
    return app


def _count() -> None:
    """Count the request in the file of ``COUNT``."""
    path = os.environ.get(COUNT)
    if path:
        with open(path, 'ab') as file:
            file.write(b'.')


def crash(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """Kill the process that loads the application, as a broken C library can.
    """
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError('still here')


def waits(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """Connect to the port ``word``, and wait for bytes before loading."""
    with socket.create_connection(('127.0.0.1', int(word))) as test:
        test.recv(16)
    return factory(global_conf, word)


def word_and_pid(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    return [f'{word} {os.getpid()} {environ["REQUEST_METHOD"]}'.encode()]


def slow(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Answer late, as if the application waited for a database."""
    time.sleep(_seconds(environ))
    return word_and_pid(word, environ)


def stream(word: str, environ: WSGIEnvironment) -> Iterator[bytes]:
    """Yield a line each tenth of a second."""
    for number in range(int(_seconds(environ) * 10)):
        yield b'%d\n' % number
        time.sleep(0.1)
    yield b'end\n'


def hang(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Block the whole worker, as a C library can."""
    from eventlet import patcher
    patcher.original('time').sleep(_seconds(environ))
    return word_and_pid(word, environ)


def context(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Return the request id for the log, after other requests have run."""
    request_id = environ['QUERY_STRING']
    RequestContext(request_id=request_id, overwrite=True)
    time.sleep(0.05)
    current = get_current()
    return [f'{request_id} {current.request_id if current else None}'
            .encode()]


def clock(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    return [str(time.time()).encode()]


def _seconds(environ: WSGIEnvironment) -> float:
    return float(environ['QUERY_STRING'])


ACTIONS = {'/slow': slow, '/stream': stream, '/hang': hang,
           '/clock': clock, '/context': context}
