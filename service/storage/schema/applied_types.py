# SPDX-License-Identifier: Apache-2.0
"""The applied types: which catalogue the tables are as, and its number.

Type files are proposals; what was applied stands in the database (D24). Its
number, the generation, is on the counter's row as well, where every write
meets it (D25): a worker with other types finds no such row and is undone.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import Catalogue
from service.domain.documents import timestamps
from service.domain.typefiles import type_files
from service.errors import StartError
from service.storage.tables import core

_CORE = core.build(sa.MetaData())
_COUNTER = _CORE.counter
_CATALOGUES = _CORE.catalogues

_APPLYING = 'applying'
_IMPORTING = 'importing'
_APPLIED = 'applied'


class Applied(NamedTuple):
    """A catalogue that the tables were brought to, and its number."""

    number: int
    digest: str
    catalogue: Catalogue


def current(connection: Connection,
            proposed: Catalogue | None = None) -> Applied | None:
    """The newest catalogue that was applied; None where none ever was.

    PERF: one that says the same as ``proposed`` is not read anew. Raises
    StartError where a newer release has applied what this one cannot read.
    """
    row = connection.execute(
        sa.select(_CATALOGUES).where(_CATALOGUES.c.state == _APPLIED)
        .order_by(_CATALOGUES.c.generation.desc()).limit(1)).first()
    if row is None:
        return None
    if proposed is not None and proposed.digest == row.digest:
        return Applied(row.generation, row.digest, proposed)
    return Applied(row.generation, row.digest,
                   _read(row.generation, row.files))


def announced_number(connection: Connection) -> int:
    """The number on the counter's row: that of the newest catalogue, also
    while it is being applied."""
    return connection.scalar(sa.select(_COUNTER.c.generation)) or 0


def applied_number(connection: Connection) -> int | None:
    """The number of the catalogue that ``current`` would read."""
    return connection.scalar(
        sa.select(sa.func.max(_CATALOGUES.c.generation))
        .where(_CATALOGUES.c.state == _APPLIED))


def number_of(connection: Connection, digest: str) -> int | None:
    """The last generation that said the same as this digest's files."""
    return connection.scalar(
        sa.select(sa.func.max(_CATALOGUES.c.generation)).where(
            _CATALOGUES.c.digest == digest,
            _CATALOGUES.c.state == _APPLIED))


def writes_blocked(connection: Connection) -> bool:
    """Nobody can write: somebody applies a catalogue or imports a dump now,
    or was interrupted when he did."""
    return _any_in(connection, _APPLYING) or _any_in(connection, _IMPORTING)


def import_unfinished(connection: Connection) -> bool:
    """A part of a dump is in the database, and the rest is to come."""
    return _any_in(connection, _IMPORTING)


def _any_in(connection: Connection, state: str) -> bool:
    return connection.scalar(
        sa.select(_CATALOGUES.c.generation)
        .where(_CATALOGUES.c.state == state).limit(1)) is not None


def unfinished_apply(connection: Connection) -> Catalogue | None:
    """What an apply began with that is not at its end, if there is one."""
    row = connection.execute(
        sa.select(_CATALOGUES).where(_CATALOGUES.c.state == _APPLYING)
        .order_by(_CATALOGUES.c.generation.desc()).limit(1)).first()
    return None if row is None else _read(row.generation, row.files)


def begin(connection: Connection, wanted: Catalogue) -> int:
    """Announce that the tables are about to become as ``wanted`` says.

    Commit it before the first change: from then on every write of an older
    generation is refused, and those that had begun are over, for the
    counter's row was theirs until they ended. After an interruption begin
    anew: it takes the place of the one that never ended.
    """
    return _begin(connection, wanted, _APPLYING)


def begin_import(connection: Connection, there: Catalogue) -> int:
    """Announce that rows of these types are about to come, as ``begin``
    announces a change: nobody may take half of them for all there is."""
    return _begin(connection, there, _IMPORTING)


def _begin(connection: Connection, wanted: Catalogue, state: str) -> int:
    number = 1 + max(announced_number(connection), connection.scalar(
        sa.select(sa.func.max(_CATALOGUES.c.generation))) or 0)
    connection.execute(sa.update(_COUNTER).values(generation=number))
    connection.execute(sa.delete(_CATALOGUES).where(
        _CATALOGUES.c.state != _APPLIED))
    connection.execute(sa.insert(_CATALOGUES).values(
        generation=number, digest=wanted.digest, files=dict(wanted.files),
        state=state, at=timestamps.now()))
    return number


def withdraw(connection: Connection, generation: int,
             before: Catalogue) -> None:
    """Serve the types of before again: of what was begun as ``generation``
    nothing was done. Not if somebody else has begun since."""
    found = connection.scalar(
        sa.select(_COUNTER.c.generation).with_for_update())
    if found == generation:
        publish(connection, begin(connection, before))


def publish(connection: Connection, generation: int) -> None:
    """The tables are as the catalogue of this generation says: serve it."""
    connection.execute(
        sa.update(_CATALOGUES).where(_CATALOGUES.c.generation == generation)
        .values(state=_APPLIED, at=timestamps.now()))


def _read(generation: int, files: dict[str, str]) -> Catalogue:
    try:
        return type_files.parse(files)
    except type_files.DeclarationError as exc:
        raise StartError(
            f'[database] connection: the resource types in the database '
            f'(generation {generation}) are of a newer release, or were '
            f'changed by hand: {"; ".join(exc.mistakes)}') from exc
