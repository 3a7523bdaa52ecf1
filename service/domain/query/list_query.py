# SPDX-License-Identifier: Apache-2.0
"""Parse the query parameters of a list into a ``Query``.

``filter_syntax`` parses the text of a filter, ``filters`` gives it a column
and typed values, and ``sorts`` makes the order total. A ``Query`` names
columns; the names of the requested version are resolved here.
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
from service.domain.query.filters import Filter, parse_boolean
from service.domain.query.sorts import SortKey
from service.domain.query.tag_filters import MAX_GROUPS, TagFilter

__all__ = ['Filter', 'SortKey', 'TagFilter', 'Query', 'ListOptions',
           'list_options', 'parse', 'printable_name', 'unknown_marker',
           'violation', 'MAX_PARAMETERS', 'MAX_VALUES', 'PARAMETERS']

#: The most parameters of one request. MariaDB joins at most 61 tables, and
#: each ``tags-any`` adds a join.
MAX_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class Query:
    """The list that a client asks for.

    ``sort`` is a total order and ``limit`` is within the maximum. Filters
    name columns; ``fields`` are names of the requested version. ``project``
    is the project that a list with ``all_projects`` is restricted to.
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
    """The filters and the sort orders that lists of a shape offer.

    A client can sort by any leading part of an order in ``sorts``.
    """

    filters: tuple[str, ...]
    sorts: tuple[tuple[str, ...], ...]


def list_options(shape: Shape, hidden: Sequence[str] = ()) -> ListOptions:
    """Return what lists offer; ``hidden`` columns are left out."""
    return ListOptions(tuple(filters.filterable(shape, hidden)),
                   sorts.longest_orders(shape, hidden))


def unknown_marker() -> Invalid:
    """Return the error for a marker that names no record of the list.

    SECURITY: unknown, purged and foreign records get the same error. A
    difference would reveal which ids exist.
    """
    return Invalid([violation('marker', _MARKER)])


_MARKER = 'names no record of this list; omit it for the first page'


def parse(shape: Shape, parameters: Sequence[tuple[str, str]],
          max_limit: int, hidden: Sequence[str] = ()) -> Query:
    """Parse the parameters of a list; raise Invalid with all mistakes.

    ``parameters`` are decoded and in the order sent; names may repeat.
    SECURITY: ``hidden`` are the columns that the caller may not read. A
    filter or sort by one of them is refused, since it would reveal values.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise Invalid([Violation(
            f'The query has {len(parameters)} parameters; at most '
            f'{MAX_PARAMETERS} are allowed.')])
    parser = _Parser(shape, hidden, max_limit, _texts_by_name(parameters))
    query = parser.query()
    if parser.violations:
        raise Invalid(parser.violations)
    return query


def violation(name: str, reason: object) -> Violation:
    """Return a violation; ``reason`` completes "The parameter ..."."""
    return Violation(f'The parameter {name} {reason}.', parameter=name)


def _texts_by_name(parameters: Iterable[tuple[str, str]]
                   ) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, text in parameters:
        texts.setdefault(name, []).append(text)
    return texts


_T = TypeVar('_T')
_D = TypeVar('_D')


class _Parser:
    """Parses one query; continues after a mistake to collect them all."""

    def __init__(self, shape: Shape, hidden: Sequence[str],
                 max_limit: int, texts: Mapping[str, list[str]]) -> None:
        self.shape, self.hidden, self.texts = shape, hidden, texts
        self.max_limit = max_limit
        self.violations: list[Violation] = []

    def query(self) -> Query:
        self._drop_unstorable()
        conditions, project = self._filters(), None
        everywhere = self._single('all_projects', parse_boolean, False)
        if everywhere:
            project, conditions = all_projects_filter.split_project(
                conditions)
        query = Query(
            filters=conditions,
            tags=self._tags(),
            sort=self._sort(),
            limit=self._single('limit', self._limit, self.max_limit),
            marker=self._single('marker', _marker, None),
            fields=self._fields(),
            with_count=self._single('with_count', parse_boolean, False),
            all_projects=everywhere, project=project)
        self._check_size(query)
        if everywhere and project is None:
            self._check_all_projects(query)
        return query

    def _check_all_projects(self, query: Query) -> None:
        for name, reason in all_projects_filter.refusals(
                self.shape, query.filters, query.sort, self.hidden):
            older = name == 'sort' and 'sort_key' in self.texts
            self._refuse('sort_key' if older else name, reason)

    def _refuse(self, name: str, reason: object) -> None:
        self.violations.append(violation(name, reason))

    def _try(self, name: str, parse: Callable[[], _T],
             default: _D) -> _T | _D:
        try:
            return parse()
        except InvalidParameter as exc:
            self._refuse(name, exc)
            return default

    def _single(self, name: str, parse: Callable[[str], _T],
                default: _D) -> _T | _D:
        """Parse a parameter that must not be repeated."""
        texts = self.texts.get(name, [])
        if len(texts) > 1:
            self._refuse(name, 'is given more than once')
        if len(texts) != 1:
            return default
        return self._try(name, lambda: parse(texts[0]), default)

    def _drop_unstorable(self) -> None:
        """Refuse and drop texts that no database statement can contain."""
        storable = {}
        for name, texts in self.texts.items():
            flaws = [reason for text in texts
                     for _, reason in values.storage_flaws(text)]
            if flaws:
                self._refuse(printable_name(name), flaws[0])
            else:
                storable[name] = texts
        self.texts = storable

    def _filters(self) -> tuple[Filter, ...]:
        """Return the filters, sorted.

        PERF: lists that differ only in the order of their filters become the
        same statement in the caches of SQLAlchemy and the database.
        """
        parsed: list[Filter | None] = []
        names = [name for name in self.texts if not self._known(name)]
        offered = filters.filterable(self.shape, self.hidden) if names else {}
        for name in names:
            if name not in offered:
                self._refuse_unknown(name, offered)
                continue
            parsed += [self._filter(name, offered[name], text)
                       for text in self.texts[name]]
        return tuple(sorted(
            dict.fromkeys(each for each in parsed if each is not None),
            key=lambda each: (each.column, each.operator)))

    def _filter(self, name: str, prop: Property, text: str) -> Filter | None:
        return self._try(
            name, lambda: filters.parse(self.shape, prop, text), None)

    def _known(self, name: str) -> bool:
        return name in PARAMETERS and (
            name != 'all_projects' or self.shape.declared.owned)

    def _refuse_unknown(self, name: str, offered: Iterable[str]) -> None:
        others = ', '.join(filter(self._known, PARAMETERS))
        self._refuse(printable_name(name), (
            f'is unknown; the filters are {", ".join(offered)} and the other '
            f'parameters {others}'))

    def _tags(self) -> TagFilter:
        return tag_filters.tag_filter({
            name: self._groups(name) for name in tag_filters.PARAMETERS})

    def _groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        texts = self.texts.get(name, [])
        return self._try(name, lambda: tag_filters.parse_groups(texts), ())

    def _sort(self) -> tuple[SortKey, ...]:
        older = [key for key in ('sort_key', 'sort_dir') if key in self.texts]
        if older and 'sort' in self.texts:
            self._refuse('sort', f'is given beside {" and ".join(older)}; '
                                 'send sort alone')
        name = 'sort_key' if older else 'sort'
        requested = self._sort_key_dir() if older else self._single(
            'sort', sorts.split, None)
        if not requested:
            return sorts.DEFAULT
        return self._try(name, lambda: sorts.total_order(
            self.shape, requested, self.hidden), sorts.DEFAULT)

    def _sort_key_dir(self) -> list[tuple[str, str]]:
        keys = self.texts.get('sort_key', [])
        directions = self.texts.get('sort_dir', [])
        return self._try('sort_dir', lambda: sorts.pairs(keys, directions),
                         [])

    def _limit(self, text: str) -> int:
        return filter_syntax.parse_limit(text, self.max_limit)

    def _fields(self) -> tuple[str, ...] | None:
        """Return the names of a list, or of a repeated parameter."""
        if 'fields' not in self.texts:
            return None
        readable = self._readable()
        names = [name for text in self.texts['fields']
                 for name in text.split(',')]
        unknown = next((name for name in names if name not in readable), None)
        if unknown is not None:
            self._refuse('fields', (
                f'asks for {values.quoted(unknown)}, which is not one of '
                f'{", ".join(readable)}'))
        return tuple(dict.fromkeys(names))

    def _readable(self) -> list[str]:
        return [*self.shape.declared.common, *(
            name for name, prop in self.shape.properties.items()
            if prop.name not in self.hidden)]

    def _check_size(self, query: Query) -> None:
        count = query.tags.count + sum(
            len(each.values) for each in query.filters)
        if count > MAX_VALUES:
            self.violations.append(Violation(
                f'The query names {count} values in all; at most '
                f'{MAX_VALUES} are allowed.'))
        groups = len(query.tags.any) + len(query.tags.not_all)
        if groups > MAX_GROUPS:
            self.violations.append(Violation(
                f'The query gives tags-any and not-tags {groups} times; at '
                f'most {MAX_GROUPS} times are allowed.'))


#: Every parameter of a list that is not a filter.
PARAMETERS = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields',
              'with_count', 'all_projects', *tag_filters.PARAMETERS)


def _marker(text: str) -> str:
    """Return a marker that has the form of an id; refuse any other text."""
    try:
        return filters.parse_id(text)
    except InvalidParameter:
        raise InvalidParameter(_MARKER) from None


def printable_name(name: str) -> str:
    """Return a parameter's name for an error text: encodable and short."""
    text = name.encode(errors='replace').decode().replace('\0', '?') or '""'
    return text if len(text) <= 64 else text[:61] + '...'
