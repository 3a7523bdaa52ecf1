# SPDX-License-Identifier: Apache-2.0
"""Turn records into JSON documents, with links, ETags and pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from api.request.call import Parameters
from service.domain.catalogue.types import MISSING, Property, Shape
from service.domain.documents import timestamps
from service.domain.records import preconditions
from service.domain.records import revisions as record_revisions
from service.domain.records.paging import Page
from service.domain.records.revisions import RevisionPage
from service.domain.records.store import Record

Document = dict[str, Any]


class View:
    """The representation of a type's records for one kind of caller.

    A view depends on the shape, on the properties that the caller's roles may
    read, and on the requested ``fields``. ``mark`` is a hash of the view in
    ETags, because different representations need different ETags (D16). The
    hash covers the values shown for records older than a property: changing
    such a value does not change any record's generation.
    """

    def __init__(self, shape: Shape, roles: frozenset[str],
                 fields: Collection[str] | None = None) -> None:
        self.shape = shape
        self.hidden = shape.hidden(roles)
        self._members = tuple(
            member for member in self._all_members()
            if fields is None or member[0] in fields)
        self._linked = fields is None or 'links' in fields
        self._path = shape.declared.path
        names = ' '.join(member[0] for member in self._members)
        filled = [(name, prop.existing_value)
                  for name, prop in shape.properties.items()
                  if prop.existing_value is not MISSING]
        self.mark = hashlib.blake2b(
            f'{shape.since} {names} {self._linked} {filled}'.encode(),
            digest_size=4).hexdigest()

    def document(self, record: Record, mount: str) -> Document:
        """Return the record's document; ``mount`` is the URL of ``/v1``."""
        document = {name: record[column] if convert is None
                    else convert(record[column])
                    for name, column, convert in self._members}
        if self._linked:
            document['links'] = [{'rel': 'self', 'href': self.address(
                record['id'], mount)}]
        return document

    def address(self, id: str, mount: str) -> str:
        return f'{mount}/{self._path}/{id}'

    def etag(self, record: Record) -> str:
        """Return a strong ETag of the record's state in this view."""
        return f'"{preconditions.state_token(record)}-{self.mark}"'

    def revision_etag(self, number: int) -> str:
        """Return the ETag of a revision, whose state never changes."""
        return f'"{record_revisions.state_token(number)}-{self.mark}"'

    def _all_members(self) -> Iterable[tuple[str, str, Converter]]:
        """Yield the name, column and conversion of each member."""
        yield 'id', 'id', None
        if self.shape.declared.owned:
            yield 'project_id', 'project_id', None
        for name, prop in self.shape.properties.items():
            if prop.name not in self.hidden:
                yield name, prop.name, _converter(prop)
        yield 'generation', 'generation', None
        yield 'created_at', 'created_at', timestamps.display
        yield 'updated_at', 'updated_at', timestamps.display
        yield 'tags', 'tags', None
        yield 'metadata', 'metadata', None


Converter = Callable[[Any], Any] | None


def _converter(prop: Property) -> Converter:
    return _display_time if prop.format == 'date-time' else None


def _display_time(value: str | None) -> str | None:
    return None if value is None else timestamps.display(value)


def page(view: View, page: Page, mount: str, parameters: Parameters
         ) -> Document:
    """Return a list document with its links.

    ``links`` has all links. Older clients read ``<plural>_links``, which has
    only the link to the next page.
    """
    plural = view.shape.declared.plural
    address = f'{mount}/{view.shape.declared.path}'
    document = _list_document(
        plural, [view.document(record, mount) for record in page.records],
        _links(page.previous, page.records[-1]['id'] if page.more
               else None, address, parameters))
    if page.total is not None:
        document['count'] = page.total
    return document


def revisions(view: View, id: str, page: RevisionPage, mount: str,
              parameters: Parameters) -> Document:
    """Return a list document of a record's revisions.

    Each revision has the record's document after the change.
    """
    name = view.shape.declared.name
    return _list_document(
        'revisions', [{
            'number': number, 'action': revision.action,
            'generation': revision.record_generation,
            'created_at': timestamps.display(revision.at),
            'user_id': revision.user_id, 'project_id': revision.project_id,
            'request_id': revision.request_id,
            'global_request_id': revision.global_request_id,
            name: view.document(revision.document, mount)}
            for number, revision in page.revisions],
        _links(page.previous, str(page.revisions[-1].number)
               if page.more else None,
               f'{view.address(id, mount)}/revisions', parameters))


def _list_document(name: str, items: list[Document],
                   links: list[Mapping[str, str]]) -> Document:
    document: Document = {name: items, 'links': links}
    following = [link for link in links if link['rel'] == 'next']
    if following:
        document[f'{name}_links'] = following
    return document


def _links(previous: str | None, last: str | None, address: str,
           parameters: Parameters) -> list[Mapping[str, str]]:
    """Return the links self, first, prev and next that apply (PAGE-4).

    ``previous`` is the marker of the previous page, empty for the first page,
    and ``last`` that of the next; None means that there is no such page.
    """
    rest = [pair for pair in parameters if pair[0] != 'marker']

    def link(rel: str, pairs: Parameters) -> Mapping[str, str]:
        query = urlencode(pairs, safe=':,')
        return {'rel': rel, 'href': f'{address}?{query}' if query
                else address}

    links = [link('self', parameters), link('first', rest)]
    if previous is not None:
        marker = [('marker', previous)] if previous else []
        links.append(link('prev', rest + marker))
    if last is not None:
        links.append(link('next', [*rest, ('marker', last)]))
    return links
