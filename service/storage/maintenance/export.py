# SPDX-License-Identifier: Apache-2.0
"""Everything in a database as one dump, as it was at one moment.

What others write meanwhile is not in it. What does not go with the records
stays behind: which generations of types there were, and who waits for whom.
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

#: How many rows are fetched at once.
_FETCH_ROWS = 500

#: Core tables whose rows are of this database alone.
_NOT_EXPORTED = ('counter', 'catalogues', 'locks')

_SNAPSHOT: Mapping[str, str] = {
    'sqlite': 'BEGIN',
    'postgresql': 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY',
    **dict.fromkeys(MYSQL, 'START TRANSACTION WITH CONSISTENT SNAPSHOT, '
                           'READ ONLY')}


def exported_tables(catalogue: Catalogue
           ) -> tuple[declared_tables.Tables, list[sa.Table]]:
    """The tables of these types, and those whose rows a dump holds."""
    built = declared_tables.build(catalogue)
    core = (table for name, table in built.core._asdict().items()
            if name not in _NOT_EXPORTED)
    return built, [*built.types.values(), *core]


def lines(engine: Engine,
          progress: Callable[[str, int, int], None]) -> Iterator[bytes]:
    """The lines of a dump of a database.

    ``progress`` is told of each table, how many rows of how many are out.
    """
    with _snapshot(engine) as connection:
        found = require_types(connection)
        if applied_types.writes_blocked(connection):
            raise StartError(
                '[database] connection: types are being applied, or a dump '
                'imported, or whoever did so was interrupted: wait until it '
                'is over, or do it again')
        built, moved = exported_tables(found.catalogue)
        counts = {str(one.name): connection.scalar(
            sa.select(sa.func.count()).select_from(one)) or 0
            for one in moved}
        header = Header(
            str(uuid.uuid4()), timestamps.now(), migrations.HEAD, found.digest,
            dict(found.catalogue.files), connection.scalar(
                sa.select(built.core.counter.c.n)) or 0, counts)

        def rows() -> Iterator[tuple[str, Row]]:
            for table in moved:
                for out, row in enumerate(_rows(connection, table), 1):
                    progress(table.name, out, counts[table.name])
                    yield str(table.name), row
        yield from dump_file.lines(header, rows())


def require_types(connection: Connection) -> Applied:
    """The types of a database that this release can read and write whole."""
    behind = migrations.pending_upgrade(connection)
    found = None if behind else applied_types.current(connection)
    if behind or found is None:
        raise StartError(f'[database] connection: '
                         f'{behind or "no types were ever applied"}: run '
                         f'pileus-manage schema apply')
    return found


def _rows(connection: Connection, table: sa.Table) -> Iterator[Row]:
    """In the order of the key, so that two dumps of the same are alike."""
    names = [str(one.name) for one in table.c]
    with connection.execution_options(yield_per=_FETCH_ROWS).execute(
            sa.select(table).order_by(*table.primary_key)) as found:
        for row in found:
            yield dict(zip(names, row, strict=True))


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees nothing of what is committed from now on.

    It is closed after it: it is not as others of the pool are.
    """
    with engine.connect() as connection:
        connection.detach()
        dialect = connection.dialect.name
        if dialect in MYSQL:
            connection.exec_driver_sql(
                'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
        connection.exec_driver_sql(_SNAPSHOT[dialect])
        yield connection
