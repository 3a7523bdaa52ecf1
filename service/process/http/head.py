# SPDX-License-Identifier: Apache-2.0
"""A request head as a value."""

from __future__ import annotations


class Head:
    """One request head as it was understood.

    ``fields`` has the names of a WSGI environ. ``length`` is the body's, None
    for chunked; ``lasting`` says the client keeps the connection, ``asked``
    that it said so in words.
    """

    __slots__ = ('method', 'target', 'path', 'query', 'modern', 'fields',
                 'length', 'lasting', 'asked', 'expecting')

    method: str
    target: str
    path: str
    query: str
    modern: bool
    fields: dict[str, str]
    length: int | None
    lasting: bool
    asked: bool
    expecting: bool
