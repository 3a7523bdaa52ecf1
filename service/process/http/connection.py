# SPDX-License-Identifier: Apache-2.0
"""Serve one connection: HTTP/1.1, one request after the other.

    wait idle -> read head -> wait for a slot -> application -> reply -> next

One green thread serves the connection, so replies leave in the order of the
requests. ``head_parser``, ``body`` and ``reply`` check the protocol's rules;
this module answers when a rule is broken.
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

#: SECURITY: a bare CR or LF ends the line too; otherwise headers behind it
#: would be logged as a part of the request line.
_LINE_END = re.compile(rb'\r?\n|(?<= HTTP/\d\.\d)\r')

#: How long an idle connection stays open after its last request when the
#: server drains: the next request may already be on the way.
DRAIN_GRACE_SECONDS = 1.0


class Connection:
    """Answers requests until one side closes the connection.

    ``closing`` is true once the last reply has been sent.
    """

    __slots__ = ('wire', 'idle_since', '_state', '_template', '_client',
                 '_buffer', '_parser', '_data', '_reply', '_has_slot',
                 '_credential', '_project', 'closing')

    def __init__(self, state: ServerState, wire: Wire,
                 client: tuple[str, str], template: dict[str, Any],
                 ) -> None:
        self.wire = wire
        self.idle_since = monotonic()
        self._state = state
        self._template = template
        self._client = client
        self._buffer = ReadBuffer(wire, state.limits)
        self._parser = HeadParser(state.limits)
        self._data = b''
        self._reply: Reply | None = None
        self._has_slot = False
        self._credential = 0
        self._project = STRANGERS
        self.closing = False

    def run(self) -> None:
        """Serve until the end, and close the wire in every case."""
        try:
            self._run()
        except ClientDisconnected:
            self._state.counters.clients_gone += 1
        except DeadlineExceeded:
            self.wire.reset()
        finally:
            self.wire.close()

    def _run(self) -> None:
        limits = self._state.limits
        self.wire.handshake(monotonic() + limits.header_timeout)
        try:
            while self._serve():
                pass
        except RequestRefused as exc:
            self._refuse(exc)

    def _serve(self) -> bool:
        """Serve one request; return whether another may follow."""
        if not self._await_request():
            return False
        head = self._read_head()
        body = self._body_of(head)
        self._state.counters.parsed += 1
        self._credential = self._state.known.credential(head.fields)
        self._acquire_slot(head)
        try:
            reply = self._answer(head, body)
        finally:
            self._release_slot()
        return self._finish_request(reply, body)

    def _acquire_slot(self, head: Head) -> None:
        """Wait for a slot; this thread then waits in the project's name."""
        self._project = self._state.known.flow(self._credential)
        self._state.admission.enter(head.path, self._project)
        self._has_slot = True
        self._wait_for_project(self._project)

    def _wait_for_project(self, project: str | None) -> None:
        """Set the project that ``scheduling`` finds for a wait."""
        thread: Any = getcurrent()
        self.wire.flow = thread.flow = project

    def _release_slot(self) -> None:
        """Release the slot, if this has not been done before.

        The application may release it early: a watch that waits for events
        for hours costs no more than an idle connection.
        """
        if self._has_slot:
            self._has_slot = False
            self._wait_for_project(None)
            self._state.admission.leave(self._project)

    def _note_project(self, project_id: str) -> None:
        """Remember the project for the next request with this credential."""
        self._state.known.note(self._credential, project_id)

    def _await_request(self) -> bool:
        """Wait, without a slot, for a request; False at the stream's end.

        Before a pipelined request other green threads run.
        """
        if self._buffer.has_data:
            eventlet.sleep(0)
            return True
        state = self._state
        self.idle_since = now = monotonic()
        state.idle[self] = None
        try:
            return self._buffer.wait_for_request(now + (
                DRAIN_GRACE_SECONDS if state.draining
                else state.limits.keepalive_timeout))
        except DeadlineExceeded:
            return False
        finally:
            del state.idle[self]

    def _read_head(self) -> Head:
        self._data = b''
        try:
            self._data = self._buffer.read_head()
        except DeadlineExceeded:
            raise RequestRefused(
                'slow', 'The request head arrived too slowly.') from None
        return self._parser.parse(self._data)

    def _body_of(self, head: Head) -> Body | None:
        if head.length == 0:
            return None
        send_continue = self._send_continue if head.expects_continue else None
        limits = self._state.limits
        if head.length is None:
            return ChunkedBody(self._buffer, limits, send_continue)
        return FixedBody(self._buffer, limits, head.length, send_continue)

    def _send_continue(self) -> None:
        """Send 100 Continue, unless the reply has already begun."""
        if self._reply is not None and not self._reply.begun:
            self.wire.send(CONTINUE,
                           monotonic() + self._state.limits.write_timeout)

    def _answer(self, head: Head, body: Body | None) -> Reply:
        """Run the application and send its reply.

        An exception is logged once. The client gets a 500 without it or, if
        the reply has begun, a closed connection.
        """
        state = self._state
        self._reply = reply = Reply(self.wire, head, body, state)
        values = environ.for_request(self._template, self._client, head, body)
        values['pileus.release_slot'] = self._release_slot
        values[caller_hint.REPORT_PROJECT] = self._note_project
        try:
            _call(state.app, values, reply)
        except (ClientDisconnected, DeadlineExceeded, RequestRefused):
            raise
        except (Exception, eventlet.Timeout) as exc:
            self._fail(reply, body, exc)
        state.counters.answered += 1
        return reply

    def _fail(self, reply: Reply, body: Body | None, exc: BaseException,
              ) -> None:
        """Raise RequestRefused or ClientDisconnected for a failed request.

        If the request's body has failed, the client gets that error.
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
            'broken', 'The service failed to answer. The log has the reason '
            'under this request id.', True) from exc

    def _log_failure(self, exc: BaseException) -> None:
        self._state.counters.broken_replies += 1
        LOG.error('the application failed on "%s"', self._request_line(),
                  exc_info=exc)

    def _finish_request(self, reply: Reply, body: Body | None) -> bool:
        """Discard the rest of the body, or close if it is long.

        Return whether the connection stays open for another request.
        """
        self._reply = None
        unread = body is not None and not body.ended
        if unread and body is not None and reply.keep_alive:
            unread = not self._drain(body)
        if reply.keep_alive and not unread:
            return True
        self._linger()
        return False

    def _drain(self, body: Body) -> bool:
        complete = body.drain(self._state.limits.max_drain)
        self._state.counters.drained_bytes += body.drained
        return complete

    def _refuse(self, refused: RequestRefused) -> None:
        """Send an error document, then close the connection."""
        state = self._state
        state.counters.refused[refused.reason] += 1
        request_id = refusals.request_id()
        LOG.info('%s: refused "%s" %d %s [%s]', self._client[0],
                 self._request_line(), refused.status,
                 escape.escape(str(refused)), request_id)
        response = refusals.render(
            refused, state.limits.service_type, request_id, state.date(),
            self._data.startswith(b'HEAD '))
        self.wire.send(response, monotonic() + state.limits.write_timeout)
        self._linger()

    def _request_line(self) -> str:
        """Return the request line for the log, without its secrets."""
        line = _LINE_END.split(self._data, maxsplit=1)[0]
        return escape.escape(escape.mask_secrets(line.decode('latin-1')), 512)

    def _linger(self) -> None:
        """Let the client read the reply before the connection is closed.

        Closing while the client sends resets the connection, and the client
        may lose the reply. So input is discarded until the client closes,
        within ``drain_timeout`` and ``max_drain``.
        """
        limits = self._state.limits
        self.closing = True
        self.wire.finish_sending()
        deadline = monotonic() + limits.drain_timeout
        left = limits.max_drain
        try:
            while left > 0 and (data := self._buffer.read_some(
                    min(left, SEGMENT_BYTES), deadline)):
                left -= len(data)
        except DeadlineExceeded:
            pass
        self._state.counters.drained_bytes += limits.max_drain - left


def _call(app: WSGIApplication, values: dict[str, Any], reply: Reply) -> None:
    """Call the application, send its result, and close the result."""
    result = app(values, reply.start)
    try:
        reply.send(result)
    finally:
        close = getattr(result, 'close', None)
        if close is not None:
            close()
