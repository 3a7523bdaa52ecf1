# SPDX-License-Identifier: Apache-2.0
"""Import an export file into an empty database with the same types.

Each chunk is a transaction, which also stores the chunk's number: an import
that was killed continues after the last stored chunk. Until the end, writes
are refused as during an apply, and foreign keys are off, because a row may
refer to a later one.
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

#: The progress of an import. The table exists only during an import.
_PROGRESS = sa.Table(
    'pileus_import', sa.MetaData(),
    sa.Column('dump', sa.String(36), primary_key=True),
    sa.Column('chunk', sa.BigInteger(), nullable=False),
    mysql_engine='InnoDB')

Progress = Callable[[int, int], None]


def restore(engine: Engine, reader: ExportReader, progress: Progress) -> int:
    """Store all rows of an export file; return their number.

    Raises StartError if the database is not empty, has other types, or has a
    part of another file. ``progress`` gets the number of stored rows and of
    all rows.
    """
    with _exclusive_connection(engine) as (connection, lock):
        return _Restore(connection, lock, reader, progress).run()


class _Restore:
    """One import, by the holder of the schema lock."""

    def __init__(self, connection: Connection, lock: SchemaLock,
                 reader: ExportReader, progress: Progress) -> None:
        self._connection = connection
        self._lock = lock
        self._reader = reader
        self._progress = progress
        with connection.begin():
            applied = export.require_types(connection)
            if applied_types.unfinished_apply(connection):
                raise StartError('an apply of types was interrupted: run '
                                 'pileus-manage schema apply first')
        self._catalogue = applied.catalogue
        self._tables, exported = export.exported_tables(applied.catalogue)
        self._exported = {table.name: table for table in exported}

    def run(self) -> int:
        header = self._reader.header
        self._require_same_types(header)
        with self._connection.begin():
            number = applied_types.begin_import(self._connection,
                                                self._catalogue)
            done = self._stored_chunks(header)
        _drop_foreign_keys(self._connection, self._tables)
        total, stored = sum(header.rows.values()), 0
        for chunk in self._reader.chunks():
            if chunk.number > done:
                self._lock.check()
                self._store(chunk, header)
                failpoints.reach('import_chunk')
            stored += len(chunk.rows)
            self._progress(stored, total)
        self._lock.check()
        self._finish(header, number)
        return stored

    def _require_same_types(self, header: Header) -> None:
        """Raise StartError unless this release and these types wrote the
        file."""
        if header.core != migrations.HEAD:
            raise StartError(
                f'the file was exported from core tables of version '
                f'{header.core}, and this release has {migrations.HEAD}: '
                f'upgrade the exported database to this release and export '
                f'it again')
        if header.digest != self._catalogue.digest:
            raise StartError(
                'the types of the file are not those of the database ('
                + _differing(header.files, self._catalogue.files)
                + '): first apply the type files of the export with '
                'pileus-manage schema apply')

    def _stored_chunks(self, header: Header) -> int:
        """Return the number of chunks stored by an interrupted import; create
        the progress table if there was none."""
        if sa.inspect(self._connection).has_table(_PROGRESS.name):
            row = self._connection.execute(sa.select(_PROGRESS)).first()
            if row is not None and row.dump != header.dump:
                raise StartError(
                    'the database has a part of another export file: import '
                    'that file again to complete it, or start with an empty '
                    'database')
            if row is not None:
                return int(row.chunk)
        self._require_empty()
        _PROGRESS.create(self._connection, checkfirst=True)
        self._connection.execute(
            sa.insert(_PROGRESS).values(dump=header.dump, chunk=0))
        return 0

    def _require_empty(self) -> None:
        for table in self._exported.values():
            if self._connection.execute(
                    sa.select(sa.literal(1)).select_from(table).limit(1)
                    ).first():
                raise StartError(
                    f'the database is not empty: {table.name} has rows. '
                    f'Import into a new database')

    def _store(self, chunk: Chunk, header: Header) -> None:
        table = self._exported.get(chunk.table)
        if table is None:
            raise StartError(f'line {chunk.line}: the database has no table '
                             f'{chunk.table}')
        with self._connection.begin():
            moved = self._connection.execute(
                sa.update(_PROGRESS).values(chunk=chunk.number).where(
                    _PROGRESS.c.dump == header.dump,
                    _PROGRESS.c.chunk == chunk.number - 1))
            if not moved.rowcount:
                raise StartError('another import into this database is '
                                 'running')
            self._connection.execute(sa.insert(table), chunk.rows)

    def _finish(self, header: Header, number: int) -> None:
        """Admit readers and writers if all rows are stored."""
        with self._connection.begin():
            for name, table in self._exported.items():
                rows = self._connection.scalar(
                    sa.select(sa.func.count()).select_from(table))
                if rows != header.rows.get(name, 0):
                    raise StartError(
                        f'{name} has {rows} rows instead of '
                        f'{header.rows.get(name, 0)}: another program wrote '
                        f'to the database; start with an empty one')
            self._connection.execute(sa.update(self._tables.core.counter)
                                     .values(n=header.number))
            _restore_foreign_keys(self._connection, self._tables)
            applied_types.publish(self._connection, number)
            self._connection.execute(sa.delete(_PROGRESS))
        with self._connection.begin():
            _PROGRESS.drop(self._connection)


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    names = sorted(name for name in {*ours, *theirs}
                   if ours.get(name) != theirs.get(name))
    return ', '.join(names)


@contextmanager
def _exclusive_connection(
        engine: Engine) -> Iterator[tuple[Connection, SchemaLock]]:
    """Connect with foreign keys off, under the schema lock.

    The connection leaves the pool, because it keeps these settings.
    """
    with (engine.connect() as guard,
          schema_lock.acquire(guard, 'schema') as lock,
          writer(engine).connect() as connection):
        connection.detach()
        driver: Any = connection.connection.dbapi_connection
        for statement in _SESSION.get(connection.dialect.name, ()):
            driver.cursor().execute(statement)
        yield connection, lock


#: Statements that switch foreign keys off. On PostgreSQL only a superuser
#: can, so there the constraints are dropped and added again.
_SESSION = {'sqlite': ('PRAGMA busy_timeout = 60000',
                       'PRAGMA foreign_keys = OFF'),
            **dict.fromkeys(MYSQL, ('SET SESSION foreign_key_checks = 0',))}


def _drop_foreign_keys(connection: Connection, tables: Tables) -> None:
    if connection.dialect.name == 'postgresql':
        with connection.begin():
            for key, exists in _foreign_keys(connection, tables):
                if exists:
                    connection.execute(sa.schema.DropConstraint(key))


def _restore_foreign_keys(connection: Connection, tables: Tables) -> None:
    """Check all references, and add the foreign keys that were dropped."""
    for key, exists in _foreign_keys(connection, tables):
        _require_targets(connection, key)
        if not exists:
            connection.execute(sa.schema.AddConstraint(key))


def _foreign_keys(connection: Connection, tables: Tables
                  ) -> Iterator[tuple[sa.ForeignKeyConstraint, bool]]:
    """Yield each foreign key of the types' tables, and whether it exists."""
    inspector = sa.inspect(connection)
    for table in tables.types.values():
        real = {key['name'] for key in inspector.get_foreign_keys(table.name)}
        for key in table.foreign_key_constraints:
            yield key, key.name in real


def _require_targets(connection: Connection,
                     key: sa.ForeignKeyConstraint) -> None:
    """Raise StartError if a record refers to no record."""
    (element,) = key.elements
    column, target = element.parent, element.column.table.alias('target')
    lost = connection.execute(
        sa.select(element.parent.table.c.id).where(
            column.is_not(None), ~sa.exists().where(
                target.c.id == column)).limit(1)).first()
    if lost is not None:
        raise StartError(f'{column.table.name}: {column.name} of the record '
                         f'{lost.id} refers to a record that is not in the '
                         f'file')
