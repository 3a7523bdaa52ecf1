# SPDX-License-Identifier: Apache-2.0
"""The tags a list asks its records to have, and to lack.

``tags`` and ``tags-any`` are all of and one of. ``not-tags`` finds what has
not all of its tags and ``not-tags-any`` what has none of them, as Nova,
Neutron and Keystone have it. A tag holds no comma, so nothing is quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.domain.query.filter_syntax import Misread

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tags:
    """Which tags a record must have and lack; all four are AND-ed.

    A record has every tag of ``all`` and one of each group of ``any``. It
    lacks one of each group of ``not_all`` and every tag of ``not_any``.
    """

    all: Group = ()
    any: tuple[Group, ...] = ()
    not_all: tuple[Group, ...] = ()
    not_any: Group = ()

    @property
    def count(self) -> int:
        """How many tags are named in all."""
        return len(self.all) + len(self.not_any) + sum(
            map(len, (*self.any, *self.not_all)))


#: The most groups of one list. A database looks each of them up by itself: 44
#: took SQLite eight seconds among fifty thousand records of twenty tags.
MAX_GROUPS = 10

PARAMETERS = ('tags', 'tags-any', 'not-tags', 'not-tags-any')


def groups(texts: Sequence[str]) -> tuple[Group, ...]:
    """Each occurrence of a parameter as its tags, sorted, each once."""
    found = tuple(dict.fromkeys(
        tuple(sorted(set(text.split(',')))) for text in texts))
    if any('' in group for group in found):
        raise Misread('has an empty tag; write tags with one comma between '
                      'two')
    return found


def tags(given: dict[str, tuple[Group, ...]]) -> Tags:
    """The groups of each parameter together, repeated ones AND-ed."""
    return Tags(all=_joined(given['tags']), any=given['tags-any'],
                not_all=given['not-tags'],
                not_any=_joined(given['not-tags-any']))


def _joined(found: Iterable[Group]) -> Group:
    """Groups of which every one must hold, as one."""
    return tuple(sorted({tag for group in found for tag in group}))
