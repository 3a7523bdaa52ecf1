# SPDX-License-Identifier: Apache-2.0
"""How many bytes a type's keys and rows may need, whatever the database.

The tightest of the supported databases sets each bound, so that a file
accepted on SQLite is not refused on the day it meets MariaDB or PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.domain.catalogue.types import Property, ResourceType

#: PostgreSQL's B-tree takes 2704 bytes, InnoDB's 3072; some are overhead.
MAX_KEY_BYTES = 2600
#: MariaDB takes 65535 for a row's columns but the longest texts.
MAX_ROW_BYTES = 65000
#: The longest text kept in the row itself; a longer one is stored apart.
MAX_INLINE_CHARS = 1024

#: utf8mb4 and UTF-8: the longest character.
_CHARACTER_BYTES = 4
_ID_BYTES = 36 * _CHARACTER_BYTES
_PROJECT_ID_BYTES = MAX_PROJECT_ID_CHARS * _CHARACTER_BYTES
_FIXED_BYTES = 8
#: What a row holds of a text stored apart.
_POINTER_BYTES = 20
#: id, project_id, generation, the two times, tags and metadata.
_COMMON_BYTES = (_ID_BYTES + _PROJECT_ID_BYTES + 3 * _FIXED_BYTES
                 + 2 * _POINTER_BYTES)


def value_bytes(prop: Property) -> int:
    """The most bytes a value takes in a key; a time is 8 bytes."""
    if prop.references is not None:
        return _ID_BYTES
    if prop.kind == 'string' and prop.max_length is not None:
        return prop.max_length * _CHARACTER_BYTES
    return _FIXED_BYTES


def key_bytes(declared: ResourceType, columns: Iterable[Property],
              with_id: bool) -> int:
    """The most bytes of one entry of an index over these columns.

    Every index begins with the project where the type has one, and ends with
    the id where it orders lists.
    """
    return (declared.owned * _PROJECT_ID_BYTES + sum(map(value_bytes, columns))
            + with_id * _ID_BYTES)


def row_bytes(declared: ResourceType) -> int:
    return _COMMON_BYTES + sum(_inline_bytes(one) for one in declared.live)


def _inline_bytes(prop: Property) -> int:
    apart = prop.kind in ('object', 'array') or (
        prop.max_length or 0) > MAX_INLINE_CHARS
    return _POINTER_BYTES if apart else value_bytes(prop) + 2
