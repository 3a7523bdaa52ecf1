# SPDX-License-Identifier: Apache-2.0
"""The channel between the launcher and a worker: messages, exit statuses.

A worker sends LOADED, SERVING, HEARTBEAT, CLOSED (it accepts no more
connections) or FAILED with a reason. The launcher sends GO or STOP. When the
launcher dies, for whatever reason, the channel ends, and the worker finishes
its requests and ends too.
"""

from __future__ import annotations

import socket

LOADED = b'loaded'
SERVING = b'serving'
CLOSED = b'closed'
HEARTBEAT = b'beat'
FAILED = b'failed '
GO = b'go'
STOP = b'stop'

#: Exit statuses of a worker. DONE: all requests were answered. FAILURE: it
#: could not start, or crashed. CUT: its time was over and requests were cut.
DONE = 0
FAILURE = 1
CUT = 3

#: Longer messages are cut, such as a list of a hundred invalid type files.
MAX_MESSAGE_BYTES = 32768


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the launcher's end, which never blocks, and the worker's end.

    SOCK_SEQPACKET keeps the boundaries of messages.
    """
    launcher_end, worker_end = socket.socketpair(
        socket.AF_UNIX, socket.SOCK_SEQPACKET)
    launcher_end.setblocking(False)
    return launcher_end, worker_end


def failed(reason: str) -> bytes:
    """Return the message of a worker that cannot start."""
    return (FAILED + reason.encode(errors='replace'))[:MAX_MESSAGE_BYTES]


def reason(message: bytes) -> str:
    """Return the reason in a FAILED message."""
    return message.removeprefix(FAILED).decode(errors='ignore')
