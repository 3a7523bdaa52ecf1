# SPDX-License-Identifier: Apache-2.0
"""Fetch the rows of a page up to a size in bytes."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy.engine import CursorResult

#: A page ends after the row whose JSON exceeds this size in total.
MAX_PAGE_BYTES = 2 ** 23


def read(result: CursorResult[Any], limit: int
         ) -> tuple[list[dict[str, Any]], bool]:
    """Return at most ``limit`` rows, and whether more rows follow.

    SECURITY: a page of large rows ends early. A thousand rows of a megabyte
    each would need ten times that memory.
    """
    rows: list[dict[str, Any]] = []
    size = 0
    with result:
        names = tuple(result.keys())
        for row in result:
            if len(rows) == limit or size > MAX_PAGE_BYTES:
                return rows, True
            rows.append(dict(zip(names, row, strict=True)))
            size += len(orjson.dumps(tuple(row)))
    return rows, False
