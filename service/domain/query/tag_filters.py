# SPDX-License-Identifier: Apache-2.0
"""The tags that a list requires its records to have or to lack.

The parameters work as in Nova, Neutron and Keystone: ``tags`` matches records
with all of the tags, ``tags-any`` records with at least one tag, ``not-tags``
records that lack at least one tag and ``not-tags-any`` records that lack all.
A tag contains no comma, so tags need no quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.domain.query.filter_syntax import InvalidParameter

TagGroup = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """The tags a record must have and lack; all four conditions are AND-ed.

    A record has every tag of ``all`` and one of each group of ``any``. It
    lacks one of each group of ``not_all`` and every tag of ``not_any``.
    """

    all: TagGroup = ()
    any: tuple[TagGroup, ...] = ()
    not_all: tuple[TagGroup, ...] = ()
    not_any: TagGroup = ()

    @property
    def count(self) -> int:
        """How many tags the filter names."""
        return len(self.all) + len(self.not_any) + sum(
            map(len, (*self.any, *self.not_all)))


#: The most groups of one list. SECURITY: a database evaluates each group
#: separately. With 44 groups SQLite took eight seconds to list fifty thousand
#: records with twenty tags each.
MAX_GROUPS = 10

PARAMETERS = ('tags', 'tags-any', 'not-tags', 'not-tags-any')


def parse_groups(texts: Sequence[str]) -> tuple[TagGroup, ...]:
    """Return each text's tags, sorted and without duplicates.

    ``texts`` are the values of one parameter, which may be repeated.
    """
    parsed = tuple(dict.fromkeys(
        tuple(sorted(set(text.split(',')))) for text in texts))
    if any('' in group for group in parsed):
        raise InvalidParameter(
            'has an empty tag; separate tags with single commas')
    return parsed


def tag_filter(groups: dict[str, tuple[TagGroup, ...]]) -> TagFilter:
    """Combine the groups of each parameter of PARAMETERS."""
    return TagFilter(all=_union(groups['tags']), any=groups['tags-any'],
                     not_all=groups['not-tags'],
                     not_any=_union(groups['not-tags-any']))


def _union(groups: Iterable[TagGroup]) -> TagGroup:
    """Merge groups whose tags must all hold into one group."""
    return tuple(sorted({tag for group in groups for tag in group}))
