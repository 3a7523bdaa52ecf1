# SPDX-License-Identifier: Apache-2.0
"""Connections that stay open, to workers that the test can tell apart."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon


@contextlib.contextmanager
def connect_to_each_worker(
        daemon: Daemon, workers: int,
        count: int = 1) -> Iterator[dict[str, list[HTTPConnection]]]:
    """Open ``count`` connections to each of ``workers`` workers.

    The keys are the process ids of the workers.
    """
    with contextlib.ExitStack() as opened:
        by_worker: dict[str, list[HTTPConnection]] = {}
        while (len(by_worker) < workers
               or min(map(len, by_worker.values())) < count):
            connection = opened.enter_context(contextlib.closing(
                HTTPConnection(daemon.host, daemon.port,
                               timeout=WAIT_SECONDS)))
            metrics = send_request(connection, 'GET', '/metrics')[1].decode()
            worker = re.findall(r'worker="(\d+)"', metrics)[0]
            connections = by_worker.setdefault(worker, [])
            if len(connections) < count:
                connections.append(connection)
            else:
                connection.close()
        yield by_worker


def send_request(connection: HTTPConnection, method: str, path: str,
                 body: object = None,
                 headers: Mapping[str, str] | None = None
                 ) -> tuple[int, bytes]:
    """Return the status and the body of the answer."""
    content_type = {'Content-Type': 'application/json'} if body else {}
    connection.request(method, path, body and json.dumps(body),
                       {**content_type, **(headers or {})})
    reply = connection.getresponse()
    return reply.status, reply.read()
