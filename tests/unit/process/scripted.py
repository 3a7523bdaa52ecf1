# SPDX-License-Identifier: Apache-2.0
"""A wire without a network that receives predetermined pieces.

A real socket may join and split segments; here each ``recv`` returns exactly
the next piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from service.config import options
from service.process.http import environ
from service.process.http.connection import Connection
from service.process.http.server_state import ServerState
from service.process.limits import ServerLimits


class ScriptedWire:
    """Receives the pieces in order, then the end; records what is sent.

    A piece may be an exception, which is raised.
    """

    scheme = 'http'

    def __init__(self, pieces: Iterable[bytes | type[Exception]]) -> None:
        self._pieces = list(pieces)
        self.sent: list[bytes] = []
        self.ended = False
        self.closed = False
        self.was_reset = False
        self.flow: str | None = None
        #: The project for which each piece was waited for.
        self.waited: list[str | None] = []

    def handshake(self, deadline: float) -> None:
        return

    def wait(self, deadline: float) -> None:
        return

    def recv(self, size: int, deadline: float) -> bytes:
        self.waited.append(self.flow)
        if not self._pieces:
            return b''
        piece = self._pieces[0]
        if isinstance(piece, type):
            self._pieces.pop(0)
            raise piece
        self._pieces[0] = piece[size:]
        if not self._pieces[0]:
            self._pieces.pop(0)
        return piece[:size]

    def send(self, data: bytes, deadline: float) -> None:
        assert not self.ended and not self.closed
        self.sent.append(bytes(data))

    def finish_sending(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def reset(self) -> None:
        self.was_reset = True
        self.closed = True


TEMPLATE = {'wsgi.url_scheme': 'http', 'SERVER_NAME': 'a', 'SCRIPT_NAME': '',
            'wsgi.errors': environ.ErrorLog()}


def limits(**changes: Any) -> ServerLimits:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.GROUPS['api'], 'api')
    conf([], project='unit', default_config_files=[], default_config_dirs=[])
    for name, value in changes.items():
        conf.set_override(name, value, 'api')
    return ServerLimits.read(conf)


def converse(app: Callable[..., Any],
             pieces: Iterable[bytes | type[Exception]],
             **changes: Any) -> tuple[ScriptedWire, ServerState]:
    """Serve a connection to its end; return the wire and the state."""
    wire = ScriptedWire(pieces)
    state = ServerState(app, limits(**changes))
    Connection(state, wire, ('127.0.0.1', '1'), TEMPLATE).run()  # type: ignore[arg-type]
    assert wire.closed
    return wire, state
