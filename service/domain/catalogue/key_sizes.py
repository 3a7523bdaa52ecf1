# SPDX-License-Identifier: Apache-2.0
"""How many bytes a type's keys and rows may need, whatever the database.

The tightest of the supported databases sets each bound, so that a file
accepted on SQLite is not refused on the day it meets MariaDB or PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.caller import MAX_PROJECT
from service.domain.catalogue.types import Property, ResourceType

#: PostgreSQL's B-tree takes 2704 bytes, InnoDB's 3072; some are overhead.
MAX_KEY = 2600
#: MariaDB takes 65535 for a row's columns but the longest texts.
MAX_ROW = 65000
#: The longest text kept in the row itself; a longer one is stored apart.
IN_ROW = 1024

#: utf8mb4 and UTF-8: the longest character.
_CHARACTER = 4
ID = 36 * _CHARACTER
PROJECT = MAX_PROJECT * _CHARACTER
_FIXED = 8
#: What a row holds of a text stored apart.
_APART = 20
#: id, project_id, generation, the two times, tags and metadata.
_COMMON = ID + PROJECT + 3 * _FIXED + 2 * _APART


def of(prop: Property) -> int:
    """The most bytes a value takes in a key; a time is 8 bytes."""
    if prop.references is not None:
        return ID
    if prop.kind == 'string' and prop.max_length is not None:
        return prop.max_length * _CHARACTER
    return _FIXED


def key(declared: ResourceType, columns: Iterable[Property],
        with_id: bool) -> int:
    """The most bytes of one entry of an index over these columns.

    Every index begins with the project where the type has one, and ends with
    the id where it orders lists.
    """
    return (declared.owned * PROJECT + sum(map(of, columns))
            + with_id * ID)


def row(declared: ResourceType) -> int:
    return _COMMON + sum(_in_row(one) for one in declared.live)


def _in_row(prop: Property) -> int:
    apart = prop.kind in ('object', 'array') or (
        prop.max_length or 0) > IN_ROW
    return _APART if apart else of(prop) + 2
