# SPDX-License-Identifier: Apache-2.0
"""A proxy before a database server that cuts a connection at its COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping

from tests.functional.harness.daemon import WAIT_SECONDS


class _Pair:
    """A client's connection, and the connection to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.muted = False
        self.answered = threading.Event()

    def hang_up(self) -> None:
        _close(self.client)

    def close(self) -> None:
        _close(self.client)
        _close(self.server)


class CuttingProxy:
    """Forwards all bytes, and can cut the connection at the next COMMIT.

    While it is ``away`` it refuses new connections, like a stopped server.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self._how: str | None = None
        self._then_away = False
        self.away = False
        self.cuts = self.turned_away = 0
        self._late: tuple[_Pair, bytes] | None = None
        self._pairs: list[_Pair] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, how: str, *, away: bool = False) -> None:
        """Cut the connection at the next COMMIT.

        ``how`` is ``unsent`` (the server gets no COMMIT), ``unanswered`` (the
        client gets no answer) or ``late`` (``deliver`` sends the COMMIT).
        With ``away``, refuse connections from then on.
        """
        self._then_away = away
        self._how = how

    def deliver(self) -> None:
        """Send the late COMMIT to the server, and wait for its answer."""
        assert self._late
        self._unanswered(*self._late)

    def close(self) -> None:
        _close(self._listener)
        for pair in self._pairs:
            pair.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = None if self.away else self._reached()
                if server is None:
                    client.close()
                    self.turned_away += 1
                    continue
                pair = _Pair(client, server)
                self._pairs.append(pair)
                for work in (self._asks, self._answers):
                    threading.Thread(target=work, args=(pair,),
                                     daemon=True).start()

    def _reached(self) -> socket.socket | None:
        """Connect to the server; None if it does not listen."""
        with contextlib.suppress(ConnectionError):
            return socket.create_connection(('127.0.0.1', self._target))
        return None

    def _asks(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.client.recv(65536):
                if self._how and data.endswith((b'COMMIT', b'COMMIT\0')):
                    self._cut(pair, data)
                    return
                pair.server.sendall(data)
        pair.close()

    def _answers(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.server.recv(65536):
                if pair.muted:
                    pair.answered.set()
                else:
                    pair.client.sendall(data)
        pair.close()

    def _cut(self, pair: _Pair, data: bytes) -> None:
        how, self._how = self._how or '', None
        self.away = self._then_away
        _HOW[how](self, pair, data)
        self.cuts += 1

    def _unsent(self, pair: _Pair, data: bytes) -> None:
        pair.close()

    def _unanswered(self, pair: _Pair, data: bytes) -> None:
        pair.muted = True
        pair.server.sendall(data)
        assert pair.answered.wait(WAIT_SECONDS)
        pair.close()

    def _later(self, pair: _Pair, data: bytes) -> None:
        self._late = pair, data
        pair.muted = True
        pair.hang_up()


def _close(endpoint: socket.socket) -> None:
    with contextlib.suppress(OSError):
        endpoint.shutdown(socket.SHUT_RDWR)
    endpoint.close()


_HOW: Mapping[str, Callable[[CuttingProxy, _Pair, bytes], None]] = {
    'unsent': CuttingProxy._unsent, 'unanswered': CuttingProxy._unanswered,
    'late': CuttingProxy._later}
