# SPDX-License-Identifier: Apache-2.0
"""The applied types: the catalogue that the tables match, and its number.

Type files are proposals; what was applied is stored in the database (D24).
The catalogue number is on the counter's row too, which each write updates
(D25): the write of a worker with other types finds no row and is rolled back.
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
    """An applied catalogue and its number."""

    number: int
    digest: str
    catalogue: Catalogue


def current(connection: Connection,
            proposed: Catalogue | None = None) -> Applied | None:
    """Return the newest applied catalogue, None if there is none.

    PERF: if ``proposed`` has the same meaning, the stored files are not
    parsed. Raises StartError if they are of a newer release, which this one
    cannot read.
    """
    row = connection.execute(
        sa.select(_CATALOGUES).where(_CATALOGUES.c.state == _APPLIED)
        .order_by(_CATALOGUES.c.generation.desc()).limit(1)).first()
    if row is None:
        return None
    if proposed is not None and proposed.digest == row.digest:
        return Applied(row.generation, row.digest, proposed)
    return Applied(row.generation, row.digest,
                   _parse(row.generation, row.files))


def announced_number(connection: Connection) -> int:
    """Return the number on the counter's row.

    It is the number of the newest catalogue, even while that catalogue is
    still being applied.
    """
    return connection.scalar(sa.select(_COUNTER.c.generation)) or 0


def applied_number(connection: Connection) -> int | None:
    """Return the number of the catalogue that ``current`` would return."""
    return connection.scalar(
        sa.select(sa.func.max(_CATALOGUES.c.generation))
        .where(_CATALOGUES.c.state == _APPLIED))


def number_of(connection: Connection, digest: str) -> int | None:
    """Return the newest number under which these types were applied."""
    return connection.scalar(
        sa.select(sa.func.max(_CATALOGUES.c.generation)).where(
            _CATALOGUES.c.digest == digest,
            _CATALOGUES.c.state == _APPLIED))


def writes_blocked(connection: Connection) -> bool:
    """Whether an apply or an import is running or was interrupted."""
    return _any_in(connection, _APPLYING) or _any_in(connection, _IMPORTING)


def import_unfinished(connection: Connection) -> bool:
    """Whether only a part of an export file is in the database."""
    return _any_in(connection, _IMPORTING)


def _any_in(connection: Connection, state: str) -> bool:
    return connection.scalar(
        sa.select(_CATALOGUES.c.generation)
        .where(_CATALOGUES.c.state == state).limit(1)) is not None


def unfinished_apply(connection: Connection) -> Catalogue | None:
    """Return the catalogue of an apply that is running or was interrupted."""
    row = connection.execute(
        sa.select(_CATALOGUES).where(_CATALOGUES.c.state == _APPLYING)
        .order_by(_CATALOGUES.c.generation.desc()).limit(1)).first()
    return None if row is None else _parse(row.generation, row.files)


def begin(connection: Connection, wanted: Catalogue) -> int:
    """Announce that ``wanted`` is being applied; return its number.

    Commit this before the first change of a table. From then on every write
    with an older number is refused. Earlier writes have ended by then: each
    locks the counter's row until its commit. After an interruption call this
    again: the new announcement replaces the interrupted one.
    """
    return _begin(connection, wanted, _APPLYING)


def begin_import(connection: Connection, existing: Catalogue) -> int:
    """Announce that records are being imported; return the new number.

    Until ``publish``, writes are refused and no service starts, so that a
    part of the records is never served as all of them.
    """
    return _begin(connection, existing, _IMPORTING)


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


def withdraw(connection: Connection, number: int, before: Catalogue) -> None:
    """Serve the previous types again after an apply that changed nothing.

    Does nothing if another apply has begun since ``number``.
    """
    announced = connection.scalar(
        sa.select(_COUNTER.c.generation).with_for_update())
    if announced == number:
        publish(connection, begin(connection, before))


def publish(connection: Connection, number: int) -> None:
    """Serve the catalogue of this number: the tables match it."""
    connection.execute(
        sa.update(_CATALOGUES).where(_CATALOGUES.c.generation == number)
        .values(state=_APPLIED, at=timestamps.now()))


def _parse(number: int, files: dict[str, str]) -> Catalogue:
    try:
        return type_files.parse(files)
    except type_files.DeclarationError as exc:
        raise StartError(
            f'[database] connection: this release cannot read the resource '
            f'types in the database (catalogue number {number}); they were '
            f'applied by a newer release or edited in the database: '
            f'{"; ".join(exc.mistakes)}') from exc
