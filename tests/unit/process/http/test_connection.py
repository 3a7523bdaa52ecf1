# SPDX-License-Identifier: Apache-2.0
"""A connection whose input arrives in pieces that the test controls."""

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
    """Records what must not depend on the pieces of a request."""

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


EXPECTED = outcome([CONVERSATION])


def test_the_conversation_as_a_whole_is_parsed_correctly() -> None:
    seen, sent = EXPECTED
    assert [request['body'] for request in seen] == [
        b'', b'hello world', b'hello world', b'']
    assert seen[0]['PATH_INFO'] == '/a b'
    assert seen[0]['RAW_PATH_INFO'] == '/a%20b'
    assert seen[0]['REQUEST_URI'] == '/a%20b?c=d'
    assert seen[0]['HTTP_X_A'] == 'b, c'
    assert 'HTTP_T' not in seen[2]
    assert sent.count(b'HTTP/1.1 200 OK\r\n') == 4


@pytest.mark.parametrize('position', range(1, len(CONVERSATION)))
def test_a_split_at_any_position_makes_the_same_requests(
        position: int) -> None:
    """H18"""
    assert outcome([CONVERSATION[:position],
                    CONVERSATION[position:]]) == EXPECTED


def test_byte_by_byte_makes_the_same_requests() -> None:
    """H18"""
    pieces = [CONVERSATION[i:i + 1] for i in range(len(CONVERSATION))]
    assert outcome(pieces) == EXPECTED


@settings(max_examples=150, deadline=None)
@given(st.sets(st.integers(1, len(CONVERSATION) - 1), max_size=12))
def test_any_splits_make_the_same_requests(positions: set[int]) -> None:
    """H18"""
    cuts = [0, *sorted(positions), len(CONVERSATION)]
    assert outcome([CONVERSATION[a:b]
                    for a, b in itertools.pairwise(cuts)]) == EXPECTED


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
def test_random_bytes_are_refused_or_ended(pieces: list[bytes]) -> None:
    """H24: there is at most one answer, and the connection ends."""
    app = Recorder()
    wire, state = converse(app, pieces)
    sent = b''.join(wire.sent)
    assert app.seen == []
    assert sent.count(b'HTTP/1.1 ') <= 1
    assert not sent.startswith((b'HTTP/1.1 2', b'HTTP/1.1 500'))
    assert state.counters.in_flight == 0


def status(sent: list[bytes]) -> bytes:
    return sent[0].split(b' ')[1]


def test_a_deadline_in_a_head_is_a_408() -> None:
    """R01"""
    wire, state = converse(Recorder(), [b'GET / HT', DeadlineExceeded])
    assert status(wire.sent) == b'408'
    assert state.counters.refused == {'slow': 1}


def test_a_deadline_before_a_head_is_an_end() -> None:
    """R04"""
    wire, state = converse(Recorder(), [DeadlineExceeded])
    assert wire.sent == [] and not state.counters.refused


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
def test_an_end_within_a_request_gets_no_answer(
        pieces: list[bytes]) -> None:
    wire, state = converse(Recorder(), list(pieces))
    assert wire.sent == []
    assert state.counters.clients_gone == 1


def test_the_reply_of_the_application_to_a_bad_body_is_not_sent() -> None:
    """R08: the application cannot turn a 413 into a 500."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        try:
            environ['wsgi.input'].read()
        except OSError:
            start('500 Oops', [])
            return [b'oops']
        raise AssertionError('the body was read')

    wire, state = converse(app, [
        b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
        b'fffff\r\n'], max_body=1024)
    assert status(wire.sent) == b'413'
    assert state.counters.broken_replies == 0


def test_each_request_uses_the_current_application() -> None:
    """S03: it is replaced between two requests of a connection."""
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


def test_small_replies_are_sent_in_one_piece() -> None:
    """Two pieces would cost another packet."""
    wire, _ = converse(Recorder(), [b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    assert len(wire.sent) == 1


def test_the_first_piece_of_a_stream_is_sent_with_the_head() -> None:
    def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        start('200 OK', [])
        yield b'one'
        yield b'two'
    wire, _ = converse(app, [b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    assert [piece[-9:] for piece in wire.sent] == [
        b'\r\n3\r\none\r\n'[-9:], b'3\r\ntwo\r\n'[-9:], b'0\r\n\r\n']


@pytest.mark.parametrize('error', [ClientDisconnected, DeadlineExceeded])
def test_a_client_that_stops_reading_releases_its_slot(error: Any) -> None:
    """R03: the iterable is closed, and no further piece is produced."""
    pieces: list[int] = []
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(10):
                pieces.append(number)
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

    state = ServerState(app, limits())
    wire: Any = Stuck([b'GET / HTTP/1.1\r\nHost: h\r\n\r\n'])
    Connection(state, wire, ('127.0.0.1', '1'), TEMPLATE).run()
    assert pieces == [0, 1] and ended == [True]
    assert state.counters.in_flight == 0 and wire.closed


def test_a_connection_between_requests_belongs_to_no_project() -> None:
    """R12: behind a proxy, the next request may be of any project. Waits for
    the body of a request count for its project."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        caller_hint.report_project(environ, environ['HTTP_X_PROJECT_ID'])
        environ['wsgi.input'].read()
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']
    head = (b'POST / HTTP/1.1\r\nHost: h\r\nX-Project-Id: a\r\n'
            b'Content-Length: 2\r\n\r\n')
    wire, _ = converse(app, [head, b'ok', head, b'ok'])
    assert wire.waited == [None, '', None, 'a', None]
