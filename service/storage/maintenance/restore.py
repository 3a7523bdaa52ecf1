# SPDX-License-Identifier: Apache-2.0
"""A dump into an empty database of the same types.

A chunk is a transaction, in which a mark says how far it has come: who is
killed begins again after the last one that was kept. Until the end writers
are shut out as they are while types are applied, and references are not
looked at: what a row refers to may come later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service import failpoints
from service.errors import StartError
from service.storage import migrations
from service.storage.database import schema_lock
from service.storage.database.engine import writer
from service.storage.database.schema_lock import SchemaLock
from service.storage.maintenance import export
from service.storage.maintenance.dump_file import Chunk, ExportReader, Header
from service.storage.schema import applied_types
from service.storage.tables.columns import MYSQL
from service.storage.tables.declared import Tables

#: How far an import has come; there is no such table but while one is under
#: way.
_MARK = sa.Table(
    'pileus_import', sa.MetaData(),
    sa.Column('dump', sa.String(36), primary_key=True),
    sa.Column('chunk', sa.BigInteger(), nullable=False),
    mysql_engine='InnoDB')

Progress = Callable[[int, int], None]


def restore(engine: Engine, reading: ExportReader, progress: Progress) -> int:
    """Store all rows of a dump; how many they are.

    StartError where the database is not empty, not of the dump's types, or
    holds half of another dump. ``progress`` is told how many of how many
    rows are stored.
    """
    with _exclusive_connection(engine) as (connection, lock):
        return _Restore(connection, lock, reading, progress).run()


class _Restore:
    """One import, by who has the lock."""

    def __init__(self, connection: Connection, lock: SchemaLock,
                 reading: ExportReader, progress: Progress) -> None:
        self._connection = connection
        self._lock = lock
        self._reading = reading
        self._progress = progress
        with connection.begin():
            found = export.require_types(connection)
            if applied_types.unfinished_apply(connection):
                raise StartError('an apply of types has begun and is not at '
                                 'its end: run pileus-manage schema apply '
                                 'first')
        self._catalogue = found.catalogue
        self._tables, moved = export.exported_tables(found.catalogue)
        self._moved = {one.name: one for one in moved}

    def run(self) -> int:
        header = self._reading.header
        self._fits(header)
        with self._connection.begin():
            generation = applied_types.begin_import(self._connection,
                                              self._catalogue)
            done = self._begun(header)
        _without_references(self._connection, self._tables)
        total, stored = sum(header.rows.values()), 0
        for chunk in self._reading.chunks():
            if chunk.number > done:
                self._lock.check()
                self._store(chunk, header)
                failpoints.reach('import_chunk')
            stored += len(chunk.rows)
            self._progress(stored, total)
        self._lock.check()
        self._finish(header, generation)
        return stored

    def _fits(self, header: Header) -> None:
        """The same release and types wrote the dump as shall hold it."""
        if header.core != migrations.HEAD:
            raise StartError(
                f'the dump is of core tables of version {header.core}, and '
                f'this release has {migrations.HEAD}: export it with this '
                f'release')
        if header.digest != self._catalogue.digest:
            raise StartError(
                'the types of the dump are not those of the database ('
                + _differing(header.files, self._catalogue.files)
                + '): apply the type files of the dump first, by '
                'pileus-manage schema apply')

    def _begun(self, header: Header) -> int:
        """How many chunks are stored already; the mark is there then."""
        if sa.inspect(self._connection).has_table(_MARK.name):
            mark = self._connection.execute(sa.select(_MARK)).first()
            if mark is not None and mark.dump != header.dump:
                raise StartError(
                    'the database holds a part of another dump: import that '
                    'one again to complete it, or begin with an empty '
                    'database')
            if mark is not None:
                return int(mark.chunk)
        self._empty()
        _MARK.create(self._connection, checkfirst=True)
        self._connection.execute(
            sa.insert(_MARK).values(dump=header.dump, chunk=0))
        return 0

    def _empty(self) -> None:
        for table in self._moved.values():
            if self._connection.execute(
                    sa.select(sa.literal(1)).select_from(table).limit(1)
                    ).first():
                raise StartError(
                    f'the database is not empty: there are rows in '
                    f'{table.name}. A dump is imported into a new one')

    def _store(self, chunk: Chunk, header: Header) -> None:
        table = self._moved.get(chunk.table)
        if table is None:
            raise StartError(f'line {chunk.line}: there is no table '
                             f'{chunk.table} to import into')
        with self._connection.begin():
            moved = self._connection.execute(
                sa.update(_MARK).values(chunk=chunk.number).where(
                    _MARK.c.dump == header.dump,
                    _MARK.c.chunk == chunk.number - 1))
            if not moved.rowcount:
                raise StartError('another import into this database is '
                                 'under way')
            self._connection.execute(sa.insert(table), chunk.rows)

    def _finish(self, header: Header, generation: int) -> None:
        """Let readers and writers in, if everything is there."""
        with self._connection.begin():
            for name, table in self._moved.items():
                there = self._connection.scalar(
                    sa.select(sa.func.count()).select_from(table))
                if there != header.rows.get(name, 0):
                    raise StartError(
                        f'{name} has {there} rows and should have '
                        f'{header.rows.get(name, 0)}: somebody else wrote '
                        f'to the database; begin with an empty one')
            self._connection.execute(sa.update(self._tables.core.counter)
                                     .values(n=header.number))
            _with_references(self._connection, self._tables)
            applied_types.publish(self._connection, generation)
            self._connection.execute(sa.delete(_MARK))
        with self._connection.begin():
            _MARK.drop(self._connection)


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    names = sorted(name for name in {*ours, *theirs}
                   if ours.get(name) != theirs.get(name))
    return ', '.join(names)


@contextmanager
def _exclusive_connection(
        engine: Engine) -> Iterator[tuple[Connection, SchemaLock]]:
    """A connection whose references are off, while nobody applies types.

    It is closed after it, so that nobody else gets it as it is then.
    """
    with (engine.connect() as guard,
          schema_lock.acquire(guard, 'schema') as lock,
          writer(engine).connect() as connection):
        connection.detach()
        driver: Any = connection.connection.dbapi_connection
        for said in _SESSION.get(connection.dialect.name, ()):
            driver.cursor().execute(said)
        yield connection, lock


#: What a session is told first. PostgreSQL has no such word for everybody:
#: there the constraints themselves go, and come again.
_SESSION = {'sqlite': ('PRAGMA busy_timeout = 60000',
                       'PRAGMA foreign_keys = OFF'),
            **dict.fromkeys(MYSQL, ('SET SESSION foreign_key_checks = 0',))}


def _without_references(connection: Connection, built: Tables) -> None:
    if connection.dialect.name == 'postgresql':
        with connection.begin():
            for key, standing in _references(connection, built):
                if standing:
                    connection.execute(sa.schema.DropConstraint(key))


def _with_references(connection: Connection, built: Tables) -> None:
    """See that every reference finds its record, and have it so for ever."""
    for key, standing in _references(connection, built):
        _resolved(connection, key)
        if not standing:
            connection.execute(sa.schema.AddConstraint(key))


def _references(connection: Connection, built: Tables
                ) -> Iterator[tuple[sa.ForeignKeyConstraint, bool]]:
    """Each reference between the types' tables, and if it is there."""
    inspector = sa.inspect(connection)
    for table in built.types.values():
        real = {one['name'] for one in inspector.get_foreign_keys(table.name)}
        for key in table.foreign_key_constraints:
            yield key, key.name in real


def _resolved(connection: Connection, key: sa.ForeignKeyConstraint) -> None:
    (element,) = key.elements
    column, target = element.parent, element.column.table.alias('target')
    lost = connection.execute(
        sa.select(element.parent.table.c.id).where(
            column.is_not(None), ~sa.exists().where(
                target.c.id == column)).limit(1)).first()
    if lost is not None:
        raise StartError(f'{column.table.name}: {column.name} of the record '
                         f'{lost.id} refers to what is not in the dump')
