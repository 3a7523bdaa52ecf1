# SPDX-License-Identifier: Apache-2.0
"""Connections that stay open, and of which it is known whose they are."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator, Mapping

from tests.functional.harness.daemon import PATIENCE, Daemon

Wire = http.client.HTTPConnection


@contextlib.contextmanager
def to_each(daemon: Daemon, workers: int,
            share: int = 1) -> Iterator[dict[str, list[Wire]]]:
    """So many connections to each of so many workers, by its process id."""
    with contextlib.ExitStack() as opened:
        found: dict[str, list[Wire]] = {}
        while len(found) < workers or min(map(len, found.values())) < share:
            wire = opened.enter_context(contextlib.closing(Wire(
                daemon.host, daemon.port, timeout=PATIENCE)))
            told = asked(wire, 'GET', '/metrics')[1].decode()
            kept = found.setdefault(
                re.findall(r'worker="(\d+)"', told)[0], [])
            if len(kept) < share:
                kept.append(wire)
            else:
                wire.close()
        yield found


def asked(wire: Wire, method: str, path: str, body: object = None,
          headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """The status of the answer, and its body."""
    kind = {'Content-Type': 'application/json'} if body else {}
    wire.request(method, path, body and json.dumps(body),
                 {**kind, **(headers or {})})
    reply = wire.getresponse()
    return reply.status, reply.read()
