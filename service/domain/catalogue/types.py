# SPDX-License-Identifier: Apache-2.0
"""What an operator declared, as frozen values.

``declare`` makes them from YAML, once. Everything else is derived from them:
tables in ``storage.tables``, routes in ``api.routing.router``, body schemas in
``api.request.schemas``, documents in ``api.response.views``. Only
``service.domain.typefiles`` reads YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from service.domain.catalogue.exclusive_periods import ExclusivePeriod
from service.domain.catalogue.microversion import FIRST_VERSION, Version

#: What every record has besides its declared properties, in reply order.
#: ``project_id`` stands only on records of project scope.
COMMON_FIELDS = ('id', 'project_id', 'generation', 'created_at', 'updated_at',
                 'tags', 'metadata', 'links')

#: What history calls the limits of a project, and therefore no type.
QUOTA_TYPE = 'quota'

#: No default was declared; ``None`` cannot say so, null is a value.
MISSING: Any = type('Missing', (), {'__repr__': lambda self: 'MISSING'})()


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an enum and the versions that know it."""

    const: Any
    since: Version = FIRST_VERSION
    until: Version | None = None

    def known(self, version: Version) -> bool:
        return self.since <= version and (
            self.until is None or version < self.until)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a type: one column of its table.

    ``words`` are the JSON Schema words as declared (type, pattern, items,
    ...) with the maxLength every string has, without those that are ours or
    change with the version: enum, and const as an enum of one. ``kind`` is
    the one JSON type; a reference is a string.
    """

    name: str
    kind: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    enum: tuple[Choice, ...] = ()
    max_length: int | None = None
    description: str = ''
    default: Any = MISSING
    required: bool = False
    immutable: bool = False
    references: str | None = None
    on_delete: str = 'restrict'
    since: Version = FIRST_VERSION
    until: Version | None = None
    renamed_from: str | None = None
    backfill: Any = MISSING
    read_roles: tuple[str, ...] = ()
    write_roles: tuple[str, ...] = ()
    dropped: bool = False

    @property
    def nullable(self) -> bool:
        return not self.required and self.default is MISSING

    @property
    def existing_value(self) -> Any:
        """What records made before the property was there have for it."""
        return self.default if self.backfill is MISSING else self.backfill

    def name_at(self, version: Version) -> str | None:
        """The name clients of ``version`` know it by, or None.

        A renamed property keeps its old name below the version of the
        rename, so that an older client never sees the change.
        """
        if self.until is not None and version >= self.until:
            return None
        return self.name if version >= self.since else self.renamed_from

    def choices(self, version: Version) -> tuple[Any, ...]:
        return tuple(one.const for one in self.enum if one.known(version))

    def readable(self, roles: frozenset[str]) -> bool:
        return not self.read_roles or not roles.isdisjoint(self.read_roles)

    def writable(self, roles: frozenset[str]) -> bool:
        return not self.write_roles or not roles.isdisjoint(self.write_roles)


@dataclass(frozen=True, eq=False)
class Shape:
    """How a type looks to the clients of one stretch of versions.

    ``properties`` maps the name in bodies and queries to the property.
    ``since`` is the first version that looks like this: it names the shape.
    """

    declared: ResourceType
    since: Version
    properties: Mapping[str, Property]

    @cached_property
    def read_roles(self) -> frozenset[str]:
        """The roles that decide who may read what of it."""
        return frozenset(role for prop in self.properties.values()
                         for role in prop.read_roles)

    def hidden(self, roles: frozenset[str]) -> tuple[str, ...]:
        """The columns that a caller of these roles may not read."""
        return tuple(prop.name for prop in self.properties.values()
                     if not prop.readable(roles))

    def choices(self, prop: Property) -> tuple[Any, ...]:
        return prop.choices(self.since)

    def name_of(self, column: str) -> str | None:
        """The name a declared property has in this shape, if it has one."""
        return self.declared.properties[column].name_at(self.since)


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A declared type: one table, one collection under ``/v1``.

    ``unique`` and ``indexes`` name properties as declared (columns), never by
    an older version's name. ``dropped`` marks the tombstone of a type;
    ``file`` is where it was declared, for messages.
    """

    name: str
    plural: str
    description: str = ''
    scope: str = 'project'
    since: Version = FIRST_VERSION
    until: Version | None = None
    controller: str | None = None
    dropped: bool = False
    properties: Mapping[str, Property] = field(default_factory=dict)
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    exclusive: tuple[ExclusivePeriod, ...] = ()
    quota: int | None = None
    policy: Mapping[str, str] = field(default_factory=dict)
    file: str = ''
    shapes: tuple[Shape, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        shapes = tuple(self._shape(point) for point in self.changes()
                       if self.known(point))
        object.__setattr__(self, 'shapes', shapes)

    @property
    def path(self) -> str:
        """The collection's word in URLs (NAME-1: hyphens)."""
        return self.plural.replace('_', '-')

    @property
    def owned(self) -> bool:
        """Each record belongs to one project."""
        return self.scope == 'project'

    @property
    def common(self) -> tuple[str, ...]:
        """What its records have besides their properties, in reply order."""
        return tuple(name for name in COMMON_FIELDS
                     if name != 'project_id' or self.owned)

    @property
    def live(self) -> Iterable[Property]:
        """The properties that have a column."""
        return (one for one in self.properties.values() if not one.dropped)

    def key(self, names: Iterable[str],
            record: Mapping[str, Any]) -> tuple[Any, ...]:
        """What a record must share with another to compete with it."""
        owner = ('project_id',) if self.owned else ()
        return tuple(record[name] for name in (*owner, *names))

    def known(self, version: Version) -> bool:
        return not self.dropped and self.since <= version and (
            self.until is None or version < self.until)

    def changes(self) -> list[Version]:
        """Every version at which a client may see a difference, ascending."""
        points = {self.since}
        for one in self.live:
            spans = [(one.since, one.until)]
            spans += [(choice.since, choice.until) for choice in one.enum]
            points.update(point for span in spans for point in span
                          if point is not None)
        if self.until is not None:
            points.add(self.until)
        return sorted(points)

    def at(self, version: Version) -> Shape | None:
        """The shape ``version`` sees, or None where the type is not known."""
        if not self.known(version):
            return None
        return next(shape for shape in reversed(self.shapes)
                    if shape.since <= version)

    def _shape(self, version: Version) -> Shape:
        named = ((one.name_at(version), one) for one in self.live)
        return Shape(self, version, MappingProxyType(
            {name: one for name, one in named if name is not None}))


class Referrer(NamedTuple):
    """A property of another (or the same) type that points at a type."""

    declared: ResourceType
    property: Property


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All declared types, by name; tombstones are among them.

    ``files`` are the texts it was read from, by file name. ``digest`` is
    equal for files that say the same: comments and spelling do not matter,
    nor what a file is called.
    """

    types: Mapping[str, ResourceType]
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str = ''

    @property
    def live(self) -> tuple[ResourceType, ...]:
        return tuple(one for one in self.types.values() if not one.dropped)

    @property
    def maximum(self) -> Version:
        """The newest version: the highest ``since`` or ``until`` declared."""
        return max((point for one in self.live for point in one.changes()),
                   default=FIRST_VERSION)

    def referrers(self, name: str) -> tuple[Referrer, ...]:
        """Who points at records of the type ``name``."""
        return tuple(Referrer(one, prop) for one in self.live
                     for prop in one.live if prop.references == name)
