# SPDX-License-Identifier: Apache-2.0
"""Small Paste applications whose behaviour a test of the process can see."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_context.context import RequestContext, get_current

#: Names a file that grows by a byte with each request.
COUNT = 'PILEUS_TEST_COUNT'

#: The paste file that serves them.
PASTE = """
[app:pileus]
paste.app_factory = tests.functional.process.apps:factory
word = {word}
"""


def paste(word: str = 'first') -> str:
    return PASTE.format(word=word)


def factory(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """``/`` says its word and its process; ``/<deed>?<seconds>`` does it."""
    def app(environ: WSGIEnvironment, start_response: StartResponse
            ) -> Iterable[bytes]:
        _count()
        deed = DEEDS.get(environ['PATH_INFO'], said)
        body = deed(word, environ)
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return body
    return app


def _count() -> None:
    """Let the test know how many requests have come this far."""
    path = os.environ.get(COUNT)
    if path:
        with open(path, 'ab') as file:
            file.write(b'.')


def crash(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """End the process that loads it, as a broken C library does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError('still here')


def tells(global_conf: Mapping[str, str], word: str) -> WSGIApplication:
    """Knock at the port ``word``, and go on loading when answered."""
    with socket.create_connection(('127.0.0.1', int(word))) as test:
        test.recv(16)
    return factory(global_conf, word)


def said(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    return [f'{word} {os.getpid()} {environ["REQUEST_METHOD"]}'.encode()]


def slow(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Answer late, as one that waits for a database does."""
    time.sleep(_seconds(environ))
    return said(word, environ)


def stream(word: str, environ: WSGIEnvironment) -> Iterator[bytes]:
    """A line each tenth of a second."""
    for number in range(int(_seconds(environ) * 10)):
        yield b'%d\n' % number
        time.sleep(0.1)
    yield b'end\n'


def hang(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Stop the whole worker, as a C library that blocks does."""
    from eventlet import patcher
    patcher.original('time').sleep(_seconds(environ))
    return said(word, environ)


def context(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    """Which request the log would name, after others have had their turn."""
    mine = environ['QUERY_STRING']
    RequestContext(request_id=mine, overwrite=True)
    time.sleep(0.05)
    found = get_current()
    return [f'{mine} {found.request_id if found else None}'.encode()]


def clock(word: str, environ: WSGIEnvironment) -> Iterable[bytes]:
    return [str(time.time()).encode()]


def _seconds(environ: WSGIEnvironment) -> float:
    return float(environ['QUERY_STRING'])


DEEDS = {'/slow': slow, '/stream': stream, '/hang': hang, '/clock': clock,
         '/context': context}
