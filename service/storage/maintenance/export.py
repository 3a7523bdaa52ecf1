# SPDX-License-Identifier: Apache-2.0
"""Export all records of a database as of one moment.

The export reads one snapshot: later writes are not in it. The catalogue
numbers and the locks of this database are not exported.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.domain.catalogue.types import Catalogue
from service.domain.documents import timestamps
from service.errors import StartError
from service.storage import migrations
from service.storage.maintenance import dump_file
from service.storage.maintenance.dump_file import Header, Row
from service.storage.schema import applied_types
from service.storage.schema.applied_types import Applied
from service.storage.tables import declared as declared_tables
from service.storage.tables.columns import MYSQL

#: How many rows are fetched at a time.
_FETCH_ROWS = 500

#: Core tables that are not exported.
_NOT_EXPORTED = ('counter', 'catalogues', 'locks')

_SNAPSHOT: Mapping[str, str] = {
    'sqlite': 'BEGIN',
    'postgresql': 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY',
    **dict.fromkeys(MYSQL, 'START TRANSACTION WITH CONSISTENT SNAPSHOT, '
                           'READ ONLY')}


def exported_tables(catalogue: Catalogue
                    ) -> tuple[declared_tables.Tables, list[sa.Table]]:
    """Return all tables of these types, and the tables that are exported."""
    tables = declared_tables.build(catalogue)
    core = (table for name, table in tables.core._asdict().items()
            if name not in _NOT_EXPORTED)
    return tables, [*tables.types.values(), *core]


def lines(engine: Engine,
          progress: Callable[[str, int, int], None]) -> Iterator[bytes]:
    """Yield the lines of an export file.

    ``progress`` gets a table, its exported rows so far, and all its rows.
    """
    with _snapshot(engine) as connection:
        applied = require_types(connection)
        if applied_types.writes_blocked(connection):
            raise StartError(
                '[database] connection: an apply or an import is running or '
                'was interrupted: wait until it has finished, or run it '
                'again')
        tables, exported = exported_tables(applied.catalogue)
        counts = {str(table.name): connection.scalar(
            sa.select(sa.func.count()).select_from(table)) or 0
            for table in exported}
        header = Header(
            str(uuid.uuid4()), timestamps.now(), migrations.HEAD,
            applied.digest, dict(applied.catalogue.files), connection.scalar(
                sa.select(tables.core.counter.c.n)) or 0, counts)

        def rows() -> Iterator[tuple[str, Row]]:
            for table in exported:
                for done, row in enumerate(_rows(connection, table), 1):
                    progress(table.name, done, counts[table.name])
                    yield str(table.name), row
        yield from dump_file.lines(header, rows())


def require_types(connection: Connection) -> Applied:
    """Return the applied types; raise StartError if the core tables or the
    types were not applied by this release."""
    pending = migrations.pending_upgrade(connection)
    applied = None if pending else applied_types.current(connection)
    if pending or applied is None:
        raise StartError(f'[database] connection: '
                         f'{pending or "no types were ever applied"}: run '
                         f'pileus-manage schema apply')
    return applied


def _rows(connection: Connection, table: sa.Table) -> Iterator[Row]:
    """Yield rows in key order, so that exports of the same data are equal."""
    names = [str(column.name) for column in table.c]
    with connection.execution_options(yield_per=_FETCH_ROWS).execute(
            sa.select(table).order_by(*table.primary_key)) as result:
        for row in result:
            yield dict(zip(names, row, strict=True))


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """Connect and start a transaction that sees one moment of the database.

    The connection leaves the pool, because it keeps its isolation level.
    """
    with engine.connect() as connection:
        connection.detach()
        dialect = connection.dialect.name
        if dialect in MYSQL:
            connection.exec_driver_sql(
                'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
        connection.exec_driver_sql(_SNAPSHOT[dialect])
        yield connection
