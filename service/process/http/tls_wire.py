# SPDX-License-Identifier: Apache-2.0
"""A client's socket with TLS.

TLS records pass through memory buffers. So any ``ssl.SSLContext`` works,
whether it was created before or after the monkey patching, and only ``wire``
waits on sockets.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from service.process.http.wire import ClientDisconnected, Wire

#: The maximum content of a TLS record, and some bytes for its frame.
RECORD_BYTES = 16 * 1024 + 512


class TlsWire(Wire):

    __slots__ = ('_tls', '_incoming', '_outgoing')

    scheme = 'https'

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing,
                                     server_side=True)

    def handshake(self, deadline: float) -> None:
        """Do the TLS handshake; ClientDisconnected if it fails."""
        while True:
            try:
                self._tls.do_handshake()
                return self._flush(deadline)
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._fill(deadline)
            except ssl.SSLError as exc:
                self._flush(deadline)
                raise ClientDisconnected(
                    f'TLS handshake failed: {exc.reason}') from exc

    def wait(self, deadline: float) -> None:
        """Yield until there is something to read.

        Returns at once while received records are not read to their end.
        """
        if not self._tls.pending() and not self._incoming.pending:
            super().wait(deadline)

    def recv(self, size: int, deadline: float) -> bytes:
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush(deadline)
                if not self._fill(deadline):
                    return b''
            except ssl.SSLError:
                return b''

    def send(self, data: bytes, deadline: float) -> None:
        """Encrypt and send record by record, to limit the memory used."""
        rest = memoryview(data)
        while rest:
            try:
                sent = self._tls.write(rest[:RECORD_BYTES])
            except ssl.SSLError as exc:
                raise ClientDisconnected(
                    'the TLS connection has ended') from exc
            rest = rest[sent:]
            self._flush(deadline)

    def has_input(self) -> bool:
        return bool(self._tls.pending()) or super().has_input()

    def finish_sending(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        close_notify = self._outgoing.read()
        if close_notify:
            self._send_without_waiting(close_notify)
        super().finish_sending()

    def _send_without_waiting(self, data: bytes) -> None:
        """Send what the kernel takes at once."""
        try:
            self._try_send(data)
        except ClientDisconnected:
            return

    def _fill(self, deadline: float) -> bool:
        data = super().recv(RECORD_BYTES, deadline)
        if not data:
            self._incoming.write_eof()
            return False
        self._incoming.write(data)
        return True

    def _flush(self, deadline: float) -> None:
        data = self._outgoing.read()
        if data:
            super().send(data, deadline)
