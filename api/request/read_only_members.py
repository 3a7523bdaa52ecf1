# SPDX-License-Identifier: Apache-2.0
"""Members of a document that a client cannot write, or not with its roles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from service.domain.catalogue.types import Shape
from service.domain.documents import pointers, values
from service.domain.errors import FieldForbidden, Violation

#: Members of a document that only the service writes.
SERVICE_MEMBERS = ('id', 'project_id', 'generation', 'created_at',
                   'updated_at', 'links')


def names(shape: Shape, roles: frozenset[str]) -> frozenset[str]:
    """Return the names that a caller with these roles may not write."""
    return frozenset(SERVICE_MEMBERS) | {
        name for name, prop in shape.properties.items()
        if not prop.writable(roles)}


def writable(members: Mapping[str, Any], full: Mapping[str, Any],
             read_only: Collection[str], pointer: str
             ) -> tuple[dict[str, Any], list[Violation]]:
    """Return the members that a client may write, and the violations.

    ``full`` is the document as the client would read it. A read-only member
    with its current value is no violation, so that a client can send back a
    document that it read, with one member changed (D15). Raises
    FieldForbidden for changes that only other roles may make.
    """
    changed = [name for name, value in members.items()
               if name in read_only and (
                   name not in full or not values.same(full[name], value))]
    bad = change_violations(changed, pointer, 'written')
    return {name: value for name, value in members.items()
            if name not in read_only}, bad


def change_violations(names: Iterable[str], pointer: str,
                      change: str) -> list[Violation]:
    """Return a violation for each read-only member that a client changes.

    ``change`` is 'written' or 'removed'. Raises FieldForbidden for members
    that other roles may change.
    """
    places = [(name, pointers.child(pointer, name)) for name in names]
    forbidden = [Violation(f'{name} cannot be {change} by your roles', place)
                 for name, place in places if name not in SERVICE_MEMBERS]
    if forbidden:
        raise FieldForbidden(forbidden)
    return [Violation(f'{name} cannot be {change}', place)
            for name, place in places]
