# SPDX-License-Identifier: Apache-2.0
"""The line between the launcher and one worker: short messages both ways.

A worker says LOADED, SERVING, BEAT (it is alive), CLOSED (it takes no more
connections) or FAILED with a text; the launcher says GO or STOP. When the
launcher dies the line ends, however it died, and the worker knows that it is
to finish and go.
"""

from __future__ import annotations

import socket

LOADED = b'loaded'
SERVING = b'serving'
CLOSED = b'closed'
BEAT = b'beat'
FAILED = b'failed '
GO = b'go'
STOP = b'stop'

#: With what status a worker ends: all answered; it could not start or
#: crashed; requests were cut when their time was over.
DONE = 0
FAILURE = 1
CUT = 3

#: The longest message; the list of a hundred wrong type files is cut there.
MAX_MESSAGE = 32768


def pair() -> tuple[socket.socket, socket.socket]:
    """The launcher's end, which never blocks, and the worker's end.

    Sequenced packets keep messages apart, so neither side has to.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def failed(text: str) -> bytes:
    """The message of a worker that cannot start, and why."""
    return (FAILED + text.encode(errors='replace'))[:MAX_MESSAGE]


def reason(message: bytes) -> str:
    """The text of a FAILED message."""
    return message.removeprefix(FAILED).decode(errors='ignore')
