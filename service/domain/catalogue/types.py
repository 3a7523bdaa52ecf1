# SPDX-License-Identifier: Apache-2.0
"""The declared resource types, as frozen values.

``service.domain.typefiles`` builds them from YAML once, and no other package
reads YAML. Other packages derive everything from these values: tables in
``storage.tables``, routes in ``api.routing.router``, body schemas in
``api.request.schemas``, documents in ``api.response.views``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from service.domain.catalogue.exclusive_periods import ExclusivePeriod
from service.domain.catalogue.microversion import FIRST_VERSION, Version

#: The fields of every record besides its declared properties, in the order
#: of replies. Only records of project scope have ``project_id``.
COMMON_FIELDS = ('id', 'project_id', 'generation', 'created_at', 'updated_at',
                 'tags', 'metadata', 'links')

#: The type name of quota changes in the history; no declared type may have it.
QUOTA_TYPE = 'quota'

#: Stands for a keyword that is absent, because None is the value null.
MISSING: Any = type('Missing', (), {'__repr__': lambda self: 'MISSING'})()


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an enum, and the versions in which it is valid."""

    const: Any
    since: Version = FIRST_VERSION
    until: Version | None = None

    def known(self, version: Version) -> bool:
        return self.since <= version and (
            self.until is None or version < self.until)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a type: one column of its table.

    ``schema`` holds the declared JSON Schema keywords (type, pattern, items,
    ...), with maxLength for every string. It leaves out Pileus' own keywords,
    and ``enum`` and ``const``, which depend on the version: ``enum`` has
    their values. ``kind`` is the JSON type; a reference is a string.
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
        """The value for records older than the property, or MISSING."""
        return self.default if self.backfill is MISSING else self.backfill

    def name_at(self, version: Version) -> str | None:
        """The property's name in ``version``; None if it does not exist there.

        A renamed property keeps its old name in versions below the rename, so
        that older clients never see the change.
        """
        if self.until is not None and version >= self.until:
            return None
        return self.name if version >= self.since else self.renamed_from

    def choices(self, version: Version) -> tuple[Any, ...]:
        return tuple(choice.const for choice in self.enum
                     if choice.known(version))

    def readable(self, roles: frozenset[str]) -> bool:
        return not self.read_roles or not roles.isdisjoint(self.read_roles)

    def writable(self, roles: frozenset[str]) -> bool:
        return not self.write_roles or not roles.isdisjoint(self.write_roles)


@dataclass(frozen=True, eq=False)
class Shape:
    """A type as clients of one range of versions see it.

    ``properties`` maps the name in bodies and queries to the property.
    ``since`` is the first version of the range, and identifies the shape.
    """

    declared: ResourceType
    since: Version
    properties: Mapping[str, Property]

    @cached_property
    def read_roles(self) -> frozenset[str]:
        """The roles that any property requires for reading."""
        return frozenset(role for prop in self.properties.values()
                         for role in prop.read_roles)

    def hidden(self, roles: frozenset[str]) -> tuple[str, ...]:
        """The columns that a caller with these roles may not read."""
        return tuple(prop.name for prop in self.properties.values()
                     if not prop.readable(roles))

    def choices(self, prop: Property) -> tuple[Any, ...]:
        return prop.choices(self.since)

    def name_of(self, column: str) -> str | None:
        """The name of a column in this shape; None if the shape lacks it."""
        return self.declared.properties[column].name_at(self.since)


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A declared type: one table, and one collection under ``/v1``.

    ``unique``, ``indexes`` and ``exclusive`` name columns, never a property's
    name in an older version. ``dropped`` marks the tombstone of a removed
    type. ``file`` is the type file, for messages.
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
        shapes = tuple(self._shape(version) for version in self.changes()
                       if self.known(version))
        object.__setattr__(self, 'shapes', shapes)

    @property
    def path(self) -> str:
        """The collection's name in URLs, with hyphens (NAME-1)."""
        return self.plural.replace('_', '-')

    @property
    def owned(self) -> bool:
        """Whether each record belongs to one project."""
        return self.scope == 'project'

    @property
    def common(self) -> tuple[str, ...]:
        """The fields of a record besides its properties, in reply order."""
        return tuple(name for name in COMMON_FIELDS
                     if name != 'project_id' or self.owned)

    @property
    def live(self) -> Iterable[Property]:
        """The properties that have a column."""
        return (prop for prop in self.properties.values() if not prop.dropped)

    def key(self, names: Iterable[str],
            record: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that two records must share to conflict.

        For a type of project scope the project is one of them.
        """
        owner = ('project_id',) if self.owned else ()
        return tuple(record[name] for name in (*owner, *names))

    def known(self, version: Version) -> bool:
        return not self.dropped and self.since <= version and (
            self.until is None or version < self.until)

    def changes(self) -> list[Version]:
        """The versions in which the type looks different, ascending."""
        versions = {self.since}
        for prop in self.live:
            spans = [(prop.since, prop.until)]
            spans += [(choice.since, choice.until) for choice in prop.enum]
            versions.update(version for span in spans for version in span
                            if version is not None)
        if self.until is not None:
            versions.add(self.until)
        return sorted(versions)

    def at(self, version: Version) -> Shape | None:
        """The shape in ``version``; None if the type does not exist there."""
        if not self.known(version):
            return None
        return next(shape for shape in reversed(self.shapes)
                    if shape.since <= version)

    def _shape(self, version: Version) -> Shape:
        named = ((prop.name_at(version), prop) for prop in self.live)
        return Shape(self, version, MappingProxyType(
            {name: prop for name, prop in named if name is not None}))


class Referrer(NamedTuple):
    """A property, of any type, that references a type."""

    declared: ResourceType
    property: Property


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All declared types by name, tombstones included.

    ``files`` maps file names to the texts that the types were read from. Two
    catalogues have the same ``digest`` if they declare the same; comments,
    YAML style and file names do not count.
    """

    types: Mapping[str, ResourceType]
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str = ''

    @property
    def live(self) -> tuple[ResourceType, ...]:
        """The types that have a table."""
        return tuple(declared for declared in self.types.values()
                     if not declared.dropped)

    @property
    def maximum(self) -> Version:
        """The newest version: the highest ``since`` or ``until`` declared."""
        return max((version for declared in self.live
                    for version in declared.changes()),
                   default=FIRST_VERSION)

    def referrers(self, name: str) -> tuple[Referrer, ...]:
        """The properties that reference the type ``name``."""
        return tuple(Referrer(declared, prop) for declared in self.live
                     for prop in declared.live if prop.references == name)
