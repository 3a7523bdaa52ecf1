# SPDX-License-Identifier: Apache-2.0
"""One connection, with full control over the pieces it comes in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.hosting import caller_hint
from service.process.http.connection import Connection
from service.process.http.server_state import ServerState
from service.process.http.wire import ClientDisconnected, DeadlineExceeded
from tests.unit.process.scripted import (
    TEMPLATE,
    ScriptedWire,
    converse,
    limits,
)

CONVERSATION = (
    b'GET /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nX-A: b\r\nX-A:  c \r\n\r\n'
    b'POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\nhello world'
    b'\r\n'
    b'PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n'
    b'5\r\nhello\r\n6;a=b;c="d"\r\n world\r\n0\r\nT: u\r\nV: w\r\n\r\n'
    b'GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')


class Recorder:
    """Everything about each request that must not depend on its pieces."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        body = environ['wsgi.input'].read()
        self.seen.append({key: value for key, value in environ.items()
                          if isinstance(value, str)} | {'body': body})
        start('200 OK', [('Content-Length', '2'), ('Date', 'now')])
        return [b'ok']


def outcome(pieces: list[bytes]) -> tuple[list[dict[str, Any]], bytes]:
    app = Recorder()
    wire, _ = converse(app, pieces)
    return app.seen, b''.join(wire.sent)


WHOLE = outcome([CONVERSATION])


def test_the_conversation_is_what_it_should_be() -> None:
    seen, sent = WHOLE
    assert [one['body'] for one in seen] == [
        b'', b'hello world', b'hello world', b'']
    assert seen[0]['PATH_INFO'] == '/a b'
    assert seen[0]['RAW_PATH_INFO'] == '/a%20b'
    assert seen[0]['REQUEST_URI'] == '/a%20b?c=d'
    assert seen[0]['HTTP_X_A'] == 'b, c'
    assert 'HTTP_T' not in seen[2]
    assert sent.count(b'HTTP/1.1 200 OK\r\n') == 4


@pytest.mark.parametrize('place', range(1, len(CONVERSATION)))
def test_every_split_makes_the_same_requests(place: int) -> None:
    """H18"""
    assert outcome([CONVERSATION[:place], CONVERSATION[place:]]) == WHOLE


def test_byte_by_byte_makes_the_same_requests() -> None:
    """H18"""
    pieces = [CONVERSATION[i:i + 1] for i in range(len(CONVERSATION))]
    assert outcome(pieces) == WHOLE


@settings(max_examples=150, deadline=None)
@given(st.sets(st.integers(1, len(CONVERSATION) - 1), max_size=12))
def test_any_splits_make_the_same_requests(places: set[int]) -> None:
    """H18"""
    cuts = [0, *sorted(places), len(CONVERSATION)]
    assert outcome([CONVERSATION[a:b]
                    for a, b in itertools.pairwise(cuts)]) == WHOLE


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_random_bytes_are_refused_or_ended(pieces: list[bytes]) -> None:
    """H24: whatever comes, there is one answer or none, and an end."""
    app = Recorder()
    wire, shared = converse(app, pieces)
    sent = b''.join(wire.sent)
    assert app.seen == []
    assert sent.count(b'HTTP/1.1 ') <= 1
    assert not sent.startswith((b'HTTP/1.1 2', b'HTTP/1.1 500'))
    assert shared.counters.in_flight == 0


def status(sent: list[bytes]) -> bytes:
    return sent[0].split(b' ')[1]


def test_a_deadline_in_a_head_is_a_408() -> None:
    """R01"""
    wire, shared = converse(Recorder(), [b'GET / HT', DeadlineExceeded])
    assert status(wire.sent) == b'408'
    assert shared.counters.refused == {'slow': 1}


def test_a_deadline_before_a_head_is_an_end() -> None:
    """R04"""
    wire, shared = converse(Recorder(), [DeadlineExceeded])
    assert wire.sent == [] and not shared.counters.refused


def test_a_deadline_in_a_body_is_a_408() -> None:
    """R02"""
    wire, _ = converse(Recorder(), [
        b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc',
        DeadlineExceeded])
    assert status(wire.sent) == b'408'


@pytest.mark.parametrize('pieces', [
    [b'GET / HTTP/1.1\r\n'], [b'POST / HTTP/1.1\r\nHost: h\r\n'
                              b'Content-Length: 9\r\n\r\nabc']],
    ids=['in the head', 'in the body'])
def test_an_end_in_the_middle_is_answered_by_none(
        pieces: list[bytes]) -> None:
    wire, shared = converse(Recorder(), list(pieces))
    assert wire.sent == []
    assert shared.counters.clients_gone == 1


def test_what_the_application_makes_of_a_bad_body_is_not_sent() -> None:
    """R08: a catch-all in the application does not turn a 413 into a 500."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        try:
            environ['wsgi.input'].read()
        except OSError:
            start('500 Oops', [])
            return [b'oops']
        raise AssertionError('the body was read')

    wire, shared = converse(app, [
        b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
        b'fffff\r\n'], max_body=1024)
    assert status(wire.sent) == b'413'
    assert shared.counters.broken_replies == 0


def test_the_application_asked_for_is_the_one_of_that_moment() -> None:
    """S03: swap between two requests of one connection."""
    after = Recorder()

    def before(environ: dict[str, Any], start: Any) -> list[bytes]:
        holder[0].app = after
        start('200 OK', [])
        return [b'before']
    holder = [ServerState(before, limits())]
    request = b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'
    wire: Any = ScriptedWire([request, request])
    Connection(holder[0], wire, ('127.0.0.1', '1'), TEMPLATE).run()
    assert wire.sent[0].endswith(b'before')
    assert wire.sent[1].endswith(b'ok')


def test_small_replies_are_one_piece() -> None:
    """A head and its body in two pieces cost a packet and a wait."""
    wire, _ = converse(Recorder(), [b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    assert len(wire.sent) == 1


def test_the_first_piece_of_a_stream_leaves_with_its_head() -> None:
    def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start('200 OK', [])
        yield b'one'
        yield b'two'
    wire, _ = converse(app, [b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    assert [one[-9:] for one in wire.sent] == [
        b'\r\n3\r\none\r\n'[-9:], b'3\r\ntwo\r\n'[-9:], b'0\r\n\r\n']


@pytest.mark.parametrize('error', [ClientDisconnected, DeadlineExceeded])
def test_a_client_that_stops_reading_frees_its_slot(error: Any) -> None:
    """R03: close() is called, nothing more is made for it."""
    made: list[int] = []
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(10):
                made.append(number)
                yield b'x'

        def close(self) -> None:
            ended.append(True)

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        return Stream()

    class Stuck(ScriptedWire):
        def send(self, data: bytes, deadline: float) -> None:
            if self.sent:
                raise error
            self.sent.append(data)

    shared = ServerState(app, limits())
    wire: Any = Stuck([b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    Connection(shared, wire, ('127.0.0.1', '1'), TEMPLATE).run()
    assert made == [0, 1] and ended == [True]
    assert shared.counters.in_flight == 0 and wire.closed


def test_between_requests_a_connection_waits_in_nobodys_name() -> None:
    """R12: behind a proxy the next one on it may be anybody's. The body of
    one is waited for in its project's name."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        caller_hint.report_project(environ, environ['HTTP_X_PROJECT_ID'])
        environ['wsgi.input'].read()
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']
    head = (b'POST / HTTP/1.1\r\nHost: h\r\nX-Project-Id: a\r\n'
            b'Content-Length: 2\r\n\r\n')
    wire, _ = converse(app, [head, b'ok', head, b'ok'])
    assert wire.waited == [None, '', None, 'a', None]
