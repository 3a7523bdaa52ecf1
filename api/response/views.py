# SPDX-License-Identifier: Apache-2.0
"""Record -> document, links and next page."""

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
    """How the records of a type look to one kind of caller.

    One view stands for a shape, what the caller's roles may read, and the
    ``fields`` asked for. ``mark`` names it in ETags: two views of a record
    differ, and so must their ETags (D16). What is filled in for records from
    before a property was there is part of it: filling in another value moves
    no record's generation.
    """

    def __init__(self, shape: Shape, roles: frozenset[str],
                 fields: Collection[str] | None = None) -> None:
        self.shape = shape
        self.hidden = shape.hidden(roles)
        self._members = tuple(
            member for member in self._all()
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
        """The record's document. ``mount`` is the URL of ``/v1``."""
        document = {name: record[column] if show is None
                    else show(record[column])
                    for name, column, show in self._members}
        if self._linked:
            document['links'] = [{'rel': 'self', 'href': self.address(
                record['id'], mount)}]
        return document

    def address(self, id: str, mount: str) -> str:
        return f'{mount}/{self._path}/{id}'

    def etag(self, record: Record) -> str:
        """Strong: the stored state, then the view of it."""
        return f'"{preconditions.state_token(record)}-{self.mark}"'

    def etag_of(self, number: int) -> str:
        """That of a revision, which never changes."""
        return f'"{record_revisions.state_token(number)}-{self.mark}"'

    def _all(self) -> Iterable[tuple[str, str, Show]]:
        yield 'id', 'id', None
        if self.shape.declared.owned:
            yield 'project_id', 'project_id', None
        for name, prop in self.shape.properties.items():
            if prop.name not in self.hidden:
                yield name, prop.name, _show(prop)
        yield 'generation', 'generation', None
        yield 'created_at', 'created_at', timestamps.display
        yield 'updated_at', 'updated_at', timestamps.display
        yield 'tags', 'tags', None
        yield 'metadata', 'metadata', None


Show = Callable[[Any], Any] | None


def _show(prop: Property) -> Show:
    return _shown if prop.format == 'date-time' else None


def _shown(value: str | None) -> str | None:
    return None if value is None else timestamps.display(value)


def page(view: View, found: Page, mount: str, parameters: Parameters
         ) -> Document:
    """A list's document with its links.

    ``links`` carries all there are, ``<plural>_links`` the next one for older
    clients (section 2.5 of the contract).
    """
    plural = view.shape.declared.plural
    address = f'{mount}/{view.shape.declared.path}'
    document = _listed(
        plural, [view.document(one, mount) for one in found.records],
        _links(found.previous, found.records[-1]['id'] if found.more
               else None, address, parameters))
    if found.total is not None:
        document['count'] = found.total
    return document


def revisions(view: View, id: str, found: RevisionPage, mount: str,
              parameters: Parameters) -> Document:
    """A list of what was done to a record, each with what that left."""
    name = view.shape.declared.name
    return _listed(
        'revisions', [{
            'number': number, 'action': one.action,
            'generation': one.record_generation,
            'created_at': timestamps.display(one.at), 'user_id': one.user_id,
            'project_id': one.project_id, 'request_id': one.request_id,
            'global_request_id': one.global_request_id,
            name: view.document(one.document, mount)}
            for number, one in found.revisions],
        _links(found.previous, str(found.revisions[-1].number)
               if found.more else None,
               f'{view.address(id, mount)}/revisions', parameters))


def _listed(name: str, items: list[Document],
            links: list[Mapping[str, str]]) -> Document:
    document: Document = {name: items, 'links': links}
    following = [one for one in links if one['rel'] == 'next']
    if following:
        document[f'{name}_links'] = following
    return document


def _links(previous: str | None, last: str | None, address: str,
           parameters: Parameters) -> list[Mapping[str, str]]:
    """self, first, prev and next, as they apply (PAGE-4).

    ``last`` is the marker of the next page, if there is one.
    """
    rest = [pair for pair in parameters if pair[0] != 'marker']

    def link(rel: str, pairs: Parameters) -> Mapping[str, str]:
        query = urlencode(pairs, safe=':,')
        return {'rel': rel, 'href': f'{address}?{query}' if query
                else address}

    links = [link('self', parameters), link('first', rest)]
    if previous is not None:
        links.append(link('prev', rest + [
            ('marker', one) for one in [previous] if one]))
    if last is not None:
        links.append(link('next', [*rest, ('marker', last)]))
    return links
