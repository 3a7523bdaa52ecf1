# SPDX-License-Identifier: Apache-2.0
"""A parsed request head."""

from __future__ import annotations


class Head:
    """One request head.

    ``fields`` holds the headers by their names in a WSGI environ. ``length``
    is that of the body, None for a chunked body. ``keep_alive`` is whether
    the client keeps the connection open after the reply, and
    ``keep_alive_requested`` whether a header says so. ``expects_continue``
    is true if the client waits for 100 before it sends the body.
    """

    __slots__ = ('method', 'target', 'path', 'query', 'http_1_1', 'fields',
                 'length', 'keep_alive', 'keep_alive_requested',
                 'expects_continue')

    method: str
    target: str
    path: str
    query: str
    http_1_1: bool
    fields: dict[str, str]
    length: int | None
    keep_alive: bool
    keep_alive_requested: bool
    expects_continue: bool
