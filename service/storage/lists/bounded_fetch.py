# SPDX-License-Identifier: Apache-2.0
"""How much of a list is held at once."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy.engine import CursorResult

#: The JSON of the rows of a page is at most so long, and one row more.
MAX_PAGE_BYTES = 2 ** 23


def read(result: CursorResult[Any], limit: int
         ) -> tuple[list[dict[str, Any]], bool]:
    """At most ``limit`` rows of a result, and whether more follow.

    SECURITY: it ends early where rows are large. A thousand of a megabyte
    each would take ten times that to be held at once.
    """
    found: list[dict[str, Any]] = []
    size = 0
    with result:
        names = tuple(result.keys())
        for row in result:
            if len(found) == limit or size > MAX_PAGE_BYTES:
                return found, True
            found.append(dict(zip(names, row, strict=True)))
            size += len(orjson.dumps(tuple(row)))
    return found, False
