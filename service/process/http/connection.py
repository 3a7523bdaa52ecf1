# SPDX-License-Identifier: Apache-2.0
"""The life of one connection: HTTP/1.1, one request after the other.

    wait idle -> head -> a slot -> the application -> reply -> the next

One green thread does all of it, so replies leave in the order of their
requests. ``head``, ``body`` and ``reply`` know the protocol's rules; here is
what happens when one of them is broken.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import Any

import eventlet
from greenlet import getcurrent
from oslo_log import log

from service.hosting import caller_hint
from service.logs import escape
from service.process import refusals
from service.process.http import environ
from service.process.http.body import Body, BodyError, ChunkedBody, FixedBody
from service.process.http.head import Head
from service.process.http.head_parser import HeadParser
from service.process.http.read_buffer import SEGMENT_BYTES, ReadBuffer
from service.process.http.reply import Reply
from service.process.http.server_state import ServerState, WSGIApplication
from service.process.http.wire import (
    ClientDisconnected,
    DeadlineExceeded,
    Wire,
)
from service.process.refusals import RequestRefused
from service.process.scheduling.known_projects import STRANGERS

LOG = log.getLogger(__name__)

CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'

#: SECURITY: or headers behind a bare CR or LF would be told as a part of it.
_LINE_END = re.compile(rb'\r?\n|(?<= HTTP/\d\.\d)\r')

#: How long a connection that was just busy may send one more request to a
#: server that is closing: it may be on its way already.
DRAIN_GRACE_SECONDS = 1.0


class Connection:
    """Reads requests from a wire and answers them until one side ends it.

    ``parting`` says that all has been answered that ever will be.
    """

    __slots__ = ('wire', 'idle_since', '_shared', '_template', '_client',
                 '_incoming', '_parser', '_data', '_reply', '_admitted',
                 '_credential', '_flow', 'parting')

    def __init__(self, shared: ServerState, wire: Wire,
                 client: tuple[str, str], template: dict[str, Any],
                 ) -> None:
        self.wire = wire
        self.idle_since = monotonic()
        self._shared = shared
        self._template = template
        self._client = client
        self._incoming = ReadBuffer(wire, shared.limits)
        self._parser = HeadParser(shared.limits)
        self._data = b''
        self._reply: Reply | None = None
        self._admitted = False
        self._credential = 0
        self._flow = STRANGERS
        self.parting = False

    def run(self) -> None:
        """Serve until the end; whatever happens, the wire is closed."""
        try:
            self._run()
        except ClientDisconnected:
            self._shared.counters.clients_gone += 1
        except DeadlineExceeded:
            self.wire.reset()
        finally:
            self.wire.close()

    def _run(self) -> None:
        limits = self._shared.limits
        self.wire.handshake(monotonic() + limits.header_timeout)
        try:
            while self._serve():
                pass
        except RequestRefused as exc:
            self._refuse(exc)

    def _serve(self) -> bool:
        """One request; whether another may follow."""
        if not self._await_request():
            return False
        head = self._read_head()
        body = self._body_of(head)
        shared = self._shared
        shared.counters.parsed += 1
        self._credential = shared.known.credential(head.fields)
        self._enter(head)
        try:
            reply = self._answer(head, body)
        finally:
            self._leave()
        return self._settle(reply, body)

    def _enter(self, head: Head) -> None:
        """Wait for a slot. What this thread waits for while it has one, it
        waits for in the flow's name."""
        self._flow = self._shared.known.flow(self._credential)
        self._shared.admission.enter(head.path, self._flow)
        self._admitted = True
        self._wait_as(self._flow)

    def _wait_as(self, flow: str | None) -> None:
        thread: Any = getcurrent()
        self.wire.flow = thread.flow = flow

    def _leave(self) -> None:
        """Give the slot back, once.

        An application may do so before its reply is over: one that waits for
        hours for something to tell a watcher works no more than an idle
        connection does.
        """
        if self._admitted:
            self._admitted = False
            self._wait_as(None)
            self._shared.admission.leave(self._flow)

    def _note(self, project_id: str) -> None:
        """The application knows whose the request is: so do we, next time."""
        self._shared.known.note(self._credential, project_id)

    def _await_request(self) -> bool:
        """Wait for a request's first byte, without a slot or a deadline but
        that for idle connections. Pipelined ones give way to others first.
        """
        if self._incoming.waiting:
            eventlet.sleep(0)
            return True
        shared = self._shared
        self.idle_since = now = monotonic()
        shared.idle[self] = None
        try:
            return self._incoming.begin(now + (
                DRAIN_GRACE_SECONDS if shared.draining
                else shared.limits.keepalive_timeout))
        except DeadlineExceeded:
            return False
        finally:
            del shared.idle[self]

    def _read_head(self) -> Head:
        self._data = b''
        try:
            self._data = self._incoming.head()
        except DeadlineExceeded:
            raise RequestRefused(
                'slow', 'The request head came too slowly.') from None
        return self._parser.parse(self._data)

    def _body_of(self, head: Head) -> Body | None:
        if head.length == 0:
            return None
        invite = self._invite if head.expecting else None
        limits = self._shared.limits
        if head.length is None:
            return ChunkedBody(self._incoming, limits, invite)
        return FixedBody(self._incoming, limits, head.length, invite)

    def _invite(self) -> None:
        """The application wants the body: let the client send it."""
        if self._reply is not None and not self._reply.begun:
            self.wire.send(CONTINUE,
                           monotonic() + self._shared.limits.write_timeout)

    def _answer(self, head: Head, body: Body | None) -> Reply:
        """Run the application: the server's boundary around foreign code.

        What it raises is logged here once and never shown; it ends as a 500
        or, where the reply had begun, with the connection.
        """
        shared = self._shared
        self._reply = reply = Reply(self.wire, head, body, shared)
        values = environ.for_request(self._template, self._client, head, body)
        values['pileus.release_slot'] = self._leave
        values[caller_hint.REPORT_PROJECT] = self._note
        try:
            _call(shared.app, values, reply)
        except (ClientDisconnected, DeadlineExceeded, RequestRefused):
            raise
        except (Exception, eventlet.Timeout) as exc:
            self._fail(reply, body, exc)
        shared.counters.answered += 1
        return reply

    def _fail(self, reply: Reply, body: Body | None, exc: BaseException,
              ) -> None:
        """Answer for an application that could not; raises Refused or Gone.

        Where the client's body was at fault, the client is told so and the
        application's own words on it are dropped.
        """
        failure = body.failure if body is not None else None
        if failure is None or not isinstance(exc, BodyError):
            self._log_failure(exc)
        if reply.complete:
            return
        if reply.begun:
            if not reply.delimited:
                self.wire.reset()
            raise ClientDisconnected('the reply was cut') from exc
        if failure is not None:
            raise failure.refused or ClientDisconnected(
                'the body was cut') from exc
        raise RequestRefused(
            'broken', 'The service failed to answer; the request id finds '
            'the reason in its log.', True) from exc

    def _log_failure(self, exc: BaseException) -> None:
        self._shared.counters.broken_replies += 1
        LOG.error('the application failed on "%s"', self._line(),
                  exc_info=exc)

    def _settle(self, reply: Reply, body: Body | None) -> bool:
        """Read what is left of the body, or part with the client over it."""
        self._reply = None
        unread = body is not None and not body.ended
        if unread and body is not None and reply.lasting:
            unread = not self._drain(body)
        if reply.lasting and not unread:
            return True
        self._linger()
        return False

    def _drain(self, body: Body) -> bool:
        complete = body.drain(self._shared.limits.max_drain)
        self._shared.counters.drained_bytes += body.drained
        return complete

    def _refuse(self, refused: RequestRefused) -> None:
        """Answer in the application's place, then part with the client."""
        shared = self._shared
        shared.counters.refused[refused.reason] += 1
        name = refusals.request_id()
        LOG.info('%s refused "%s" %d %s [%s]', self._client[0], self._line(),
                 refused.status, escape.escape(str(refused)), name)
        answer = refusals.render(
            refused, shared.limits.service_type, name, shared.date(),
            self._data.startswith(b'HEAD '))
        self.wire.send(answer, monotonic() + shared.limits.write_timeout)
        self._linger()

    def _line(self) -> str:
        line = _LINE_END.split(self._data, maxsplit=1)[0]
        return escape.escape(escape.mask_secrets(line.decode('latin-1')), 512)

    def _linger(self) -> None:
        """Let the client read the answer before the connection is gone.

        Closing while the client still sends resets it, and the reset
        overtakes the answer. What it sends is read and thrown away until it
        ends too, for a short time and not all of a large body.
        """
        limits = self._shared.limits
        self.parting = True
        self.wire.finish_sending()
        deadline = monotonic() + limits.drain_timeout
        left = limits.max_drain
        try:
            while left > 0 and (data := self._incoming.some(
                    min(left, SEGMENT_BYTES), deadline)):
                left -= len(data)
        except DeadlineExceeded:
            pass
        self._shared.counters.drained_bytes += limits.max_drain - left


def _call(app: WSGIApplication, values: dict[str, Any], reply: Reply) -> None:
    """WSGI, from the server's side; ``close`` is owed whatever happens."""
    result = app(values, reply.start)
    try:
        reply.send(result)
    finally:
        close = getattr(result, 'close', None)
        if close is not None:
            close()
