# SPDX-License-Identifier: Apache-2.0
"""The bytes that index keys and rows of a type can take, on any database.

The tightest supported database sets each limit, so that a type file valid on
SQLite is valid on MariaDB and PostgreSQL too.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.domain.catalogue.types import Property, ResourceType

#: An entry of a B-tree holds 2704 bytes in PostgreSQL and 3072 in InnoDB,
#: overhead included.
MAX_KEY_BYTES = 2600
#: MariaDB holds 65535 bytes in a row, without the texts stored outside it.
MAX_ROW_BYTES = 65000
#: The longest text stored in the row itself; longer ones are stored outside.
MAX_INLINE_CHARS = 1024

#: The longest character in utf8mb4 and UTF-8.
_CHARACTER_BYTES = 4
_ID_BYTES = 36 * _CHARACTER_BYTES
_PROJECT_ID_BYTES = MAX_PROJECT_ID_CHARS * _CHARACTER_BYTES
_FIXED_BYTES = 8
#: The pointer in a row to a text stored outside.
_POINTER_BYTES = 20
#: id, project_id, generation, the two times, tags and metadata.
_COMMON_BYTES = (_ID_BYTES + _PROJECT_ID_BYTES + 3 * _FIXED_BYTES
                 + 2 * _POINTER_BYTES)


def value_bytes(prop: Property) -> int:
    """The maximum size of a value in a key; a date-time has 8 bytes."""
    if prop.references is not None:
        return _ID_BYTES
    if prop.kind == 'string' and prop.max_length is not None:
        return prop.max_length * _CHARACTER_BYTES
    return _FIXED_BYTES


def key_bytes(declared: ResourceType, columns: Iterable[Property],
              with_id: bool) -> int:
    """The maximum size of one entry of an index over these columns.

    The index begins with project_id if the type has project scope, and ends
    with the id if it sorts lists.
    """
    return (declared.owned * _PROJECT_ID_BYTES + sum(map(value_bytes, columns))
            + with_id * _ID_BYTES)


def row_bytes(declared: ResourceType) -> int:
    """The maximum size of a row, without texts stored outside it."""
    return _COMMON_BYTES + sum(map(_inline_bytes, declared.live))


def _inline_bytes(prop: Property) -> int:
    outside = prop.kind in ('object', 'array') or (
        prop.max_length or 0) > MAX_INLINE_CHARS
    return _POINTER_BYTES if outside else value_bytes(prop) + 2
