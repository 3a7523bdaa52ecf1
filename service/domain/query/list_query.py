# SPDX-License-Identifier: Apache-2.0
"""One list as it was asked for, read once from its query parameters.

``operands`` reads the text of a filter, ``filters`` gives it a column and
typed values, ``sorts`` makes the order total; here they become one ``Query``
that names columns, whatever names the asked version has for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from service.domain.catalogue.types import Property, Shape
from service.domain.documents import values
from service.domain.errors import Invalid, Violation
from service.domain.query import all_projects as all_projects_filter
from service.domain.query import filter_syntax, filters, sorts, tag_filters
from service.domain.query.filter_syntax import MAX_VALUES, InvalidParameter
from service.domain.query.filters import Filter
from service.domain.query.sorts import SortKey
from service.domain.query.tag_filters import MAX_GROUPS, TagFilter

__all__ = ['Filter', 'SortKey', 'TagFilter', 'Query', 'ListOptions',
           'list_options', 'parse', 'printable_name', 'unknown_marker',
           'violation', 'MAX_PARAMETERS', 'MAX_VALUES', 'PARAMETERS']

#: The most parameters of one request. MariaDB joins at most 61 tables, and
#: each tags-any is one.
MAX_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class Query:
    """A list asked for: ``sort`` is total, ``limit`` within the maximum.

    Filters name columns; ``fields`` are names as the asked version has them.
    ``project`` is the one that a list of ``all_projects`` is narrowed to.
    """

    filters: tuple[Filter, ...] = ()
    tags: TagFilter = TagFilter()
    sort: tuple[SortKey, ...] = sorts.DEFAULT
    limit: int = 1000
    marker: str | None = None
    fields: tuple[str, ...] | None = None
    with_count: bool = False
    all_projects: bool = False
    project: str | None = None


class ListOptions(NamedTuple):
    """What lists of a type may be asked for: names of filters, and orders.

    Any beginning of an order may be sorted by.
    """

    filters: tuple[str, ...]
    sorts: tuple[tuple[str, ...], ...]


def list_options(shape: Shape, hidden: Sequence[str] = ()) -> ListOptions:
    return ListOptions(tuple(filters.filterable(shape, hidden)),
                   sorts.longest_orders(shape, hidden))


def unknown_marker() -> Invalid:
    """What a marker gets that is unknown, purged or another project's.

    SECURITY: one error for all of them, or the marker would tell which ids
    exist.
    """
    return Invalid([violation('marker', _MARKER)])


_MARKER = ('names no record of this list; leave it out to begin at the first '
           'page')


def parse(shape: Shape, parameters: Sequence[tuple[str, str]],
          max_limit: int, hidden: Sequence[str] = ()) -> Query:
    """Read what a client asks of a list; Invalid names every mistake.

    ``parameters`` are decoded and in order, a repeated one repeated.
    ``hidden`` are the columns that the caller may not read: to filter or
    sort by one would tell its values.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise Invalid([Violation(
            f'The query has {len(parameters)} parameters; at most '
            f'{MAX_PARAMETERS} are taken.')])
    parser = _Parser(shape, hidden, max_limit, _texts_by_name(parameters))
    query = parser.query()
    if parser.mistakes:
        raise Invalid(parser.mistakes)
    return query


def violation(name: str, reason: object) -> Violation:
    """What is wrong with a parameter, as a predicate behind its name."""
    return Violation(f'The parameter {name} {reason}.', parameter=name)


def _texts_by_name(parameters: Iterable[tuple[str, str]]) -> dict[str,
                                                                  list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in parameters:
        found.setdefault(name, []).append(text)
    return found


_T = TypeVar('_T')
_D = TypeVar('_D')


class _Parser:
    """The reading of one query, which goes on after a mistake."""

    def __init__(self, shape: Shape, hidden: Sequence[str],
                 max_limit: int, given: Mapping[str, list[str]]) -> None:
        self.shape, self.hidden, self.given = shape, hidden, given
        self.max_limit = max_limit
        self.mistakes: list[Violation] = []

    def query(self) -> Query:
        self._storable()
        asked, project = self._filters(), None
        everybody = self._one('all_projects', filters.parse_boolean, False)
        if everybody:
            project, asked = all_projects_filter.split_project(asked)
        query = Query(
            filters=asked,
            tags=self._tags(),
            sort=self._sort(),
            limit=self._one('limit', self._limit, self.max_limit),
            marker=self._one('marker', _marker, None),
            fields=self._fields(),
            with_count=self._one('with_count', filters.parse_boolean, False),
            all_projects=everybody, project=project)
        self._bounded(query)
        if everybody and project is None:
            self._served(query)
        return query

    def _served(self, query: Query) -> None:
        for name, reason in all_projects_filter.refusals(
                self.shape, query.filters, query.sort, self.hidden):
            self._refuse(self._spelt(name), reason)

    def _spelt(self, name: str) -> str:
        """As the client spelt it, who may have used the older words."""
        older = name == 'sort' and 'sort_key' in self.given
        return 'sort_key' if older else name

    def _refuse(self, name: str, reason: object) -> None:
        self.mistakes.append(violation(name, reason))

    def _try(self, name: str, read: Callable[[], _T],
             otherwise: _D) -> _T | _D:
        try:
            return read()
        except InvalidParameter as exc:
            self._refuse(name, exc)
            return otherwise

    def _one(self, name: str, read: Callable[[str], _T],
             otherwise: _D) -> _T | _D:
        """The value of a parameter that may be given once."""
        texts = self.given.get(name, [])
        if len(texts) > 1:
            self._refuse(name, 'is given more than once')
        if len(texts) != 1:
            return otherwise
        return self._try(name, lambda: read(texts[0]), otherwise)

    def _storable(self) -> None:
        """Set aside what no database could be asked for."""
        sound = {}
        for name, texts in self.given.items():
            flaws = [reason for text in texts
                     for _, reason in values.storage_flaws(text)]
            if flaws:
                self._refuse(printable_name(name), flaws[0])
            else:
                sound[name] = texts
        self.given = sound

    def _filters(self) -> tuple[Filter, ...]:
        """The filters in one order, whatever the client's.

        PERF: lists that differ only in the order of their filters are one
        statement to SQLAlchemy and to the database.
        """
        found = []
        asked = [one for one in self.given if not self._known(one)]
        offered = filters.filterable(self.shape, self.hidden) if asked else {}
        for name in asked:
            if name not in offered:
                self._unknown(name, offered)
                continue
            read = [self._filter(name, offered[name], text)
                    for text in self.given[name]]
            found += [one for one in read if one is not None]
        return tuple(sorted(dict.fromkeys(found), key=lambda one: (
            one.column, one.operator)))

    def _filter(self, name: str, prop: Property, text: str) -> Filter | None:
        return self._try(
            name, lambda: filters.parse(self.shape, prop, text), None)

    def _known(self, name: str) -> bool:
        return name in PARAMETERS and (
            name != 'all_projects' or self.shape.declared.owned)

    def _unknown(self, name: str, offered: Iterable[str]) -> None:
        others = ', '.join(filter(self._known, PARAMETERS))
        self._refuse(printable_name(name), (
            f'is not known here; one may filter by {", ".join(offered)} and '
            f'give {others}'))

    def _tags(self) -> TagFilter:
        return tag_filters.tag_filter({name: self._groups(name)
                             for name in tag_filters.PARAMETERS})

    def _groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        texts = self.given.get(name, [])
        return self._try(name, lambda: tag_filters.parse_groups(texts), ())

    def _sort(self) -> tuple[SortKey, ...]:
        older = [one for one in ('sort_key', 'sort_dir') if one in self.given]
        if older and 'sort' in self.given:
            self._refuse('sort', f'is given beside {" and ".join(older)}')
        name = 'sort_key' if older else 'sort'
        asked = self._older() if older else self._one('sort', sorts.split,
                                                      None)
        if not asked:
            return sorts.DEFAULT
        return self._try(name, lambda: sorts.total_order(
            self.shape, asked, self.hidden), sorts.DEFAULT)

    def _older(self) -> list[tuple[str, str]]:
        keys = self.given.get('sort_key', [])
        directions = self.given.get('sort_dir', [])
        return self._try('sort_dir', lambda: sorts.pairs(keys, directions),
                         [])

    def _limit(self, text: str) -> int:
        return filter_syntax.parse_limit(text, self.max_limit)

    def _fields(self) -> tuple[str, ...] | None:
        """The names asked for, of one list or of a repeated parameter."""
        if 'fields' not in self.given:
            return None
        known = self._readable()
        asked = [name for text in self.given['fields']
                 for name in text.split(',')]
        wrong = dict.fromkeys(one for one in asked if one not in known)
        if wrong:
            self._refuse('fields', (
                f'asks for {values.quoted(next(iter(wrong)))}, which is none '
                f'of {", ".join(known)}'))
        return tuple(dict.fromkeys(asked))

    def _readable(self) -> list[str]:
        return [*self.shape.declared.common, *(
            name for name, one in self.shape.properties.items()
            if one.name not in self.hidden)]

    def _bounded(self, query: Query) -> None:
        count = query.tags.count + sum(
            len(one.values) for one in query.filters)
        if count > MAX_VALUES:
            self.mistakes.append(Violation(
                f'The query names {count} values in all; at most '
                f'{MAX_VALUES} are taken.'))
        groups = len(query.tags.any) + len(query.tags.not_all)
        if groups > MAX_GROUPS:
            self.mistakes.append(Violation(
                f'The query gives tags-any and not-tags {groups} times; at '
                f'most {MAX_GROUPS} are taken.'))


#: Every parameter of a list that is no filter.
PARAMETERS = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields',
              'with_count', 'all_projects', *tag_filters.PARAMETERS)


def _marker(text: str) -> str:
    """A marker in the form of an id; another names no record for sure."""
    try:
        return filters.parse_id(text)
    except InvalidParameter:
        raise InvalidParameter(_MARKER) from None


def printable_name(name: str) -> str:
    """A parameter's name in an error: a reply can hold it, and is short."""
    text = name.encode(errors='replace').decode().replace('\0', '?') or '""'
    return text if len(text) <= 64 else text[:61] + '...'
