# SPDX-License-Identifier: Apache-2.0
"""The versions of the core tables, and the migrations between them.

``tables.core`` has the newest version. Types' tables have no versions: the
package ``schema`` compares them with the declared types.

PERF: alembic is imported only for a migration. The import takes a tenth of a
second, and most starts have nothing to migrate.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.errors import StartError
from service.storage.database import schema_lock
from service.storage.database.engine import (
    FAILURES,
    Transactions,
    unusable_error,
)
from service.storage.tables import core

#: All versions, in order; each has its script in ``versions``.
VERSIONS = ('0001', '0002')
HEAD = VERSIONS[-1]

#: The table that stores the version.
TABLE = 'pileus_alembic_version'

#: How long an upgrade on SQLite waits for writers.
_SQLITE_WAIT_SECONDS = 60.0


def version(connection: Connection) -> str | None:
    """Return the version of the core tables; None if they have none yet."""
    if not sa.inspect(connection).has_table(TABLE):
        return None
    return connection.scalar(sa.select(sa.column('version_num')).select_from(
        sa.table(TABLE)))


def pending_upgrade(connection: Connection) -> str | None:
    """Describe the upgrade that this release needs; None if it needs none.

    Raises StartError if a newer release has upgraded the tables.
    """
    current = version(connection)
    if current is not None and current not in VERSIONS:
        raise StartError(
            f'[database] connection: the core tables have version {current}, '
            f'which is of a newer release; this release supports '
            f'{VERSIONS[0]} to {HEAD}: install the newer release, or restore '
            f'the database from before its upgrade')
    if current == HEAD:
        return None
    return (f'the core tables have version {current or "none"}, and this '
            f'release needs version {HEAD}')


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Upgrade the core tables; return the versions before and after.

    Concurrent upgrades wait for each other. An upgrade that was killed can be
    run again: either DDL was rolled back, or (MariaDB, MySQL) each step skips
    what is done. Raises StartError if the database fails.
    """
    try:
        return Transactions(engine, _SQLITE_WAIT_SECONDS).write(_upgrade)
    except FAILURES as exc:
        error = getattr(exc, 'inner_exception', None) or exc
        raise unusable_error(engine, error) from exc


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    with schema_lock.acquire(connection, 'core'):
        before = version(connection)
        if pending_upgrade(connection):
            exists = sa.inspect(connection).has_table('pileus_counter')
            (_migrate if exists else _create)(connection)
        return before, HEAD


def _create(connection: Connection) -> None:
    """Create the newest tables in an empty database.

    The counter is created last, except for the version: an upgrade that is
    killed before is recognized by the missing counter and starts again.
    """
    metadata = sa.MetaData()
    tables = core.build(metadata)
    metadata.create_all(connection, tables=[
        table for table in metadata.tables.values()
        if table is not tables.counter])
    tables.counter.create(connection, checkfirst=True)
    connection.execute(sa.insert(tables.counter).values(
        id=1, n=0, generation=0))
    versions = sa.Table(TABLE, sa.MetaData(), sa.Column(
        'version_num', sa.String(32), nullable=False), sa.PrimaryKeyConstraint(
        'version_num', name=f'{TABLE}_pkc'))
    versions.create(connection, checkfirst=True)
    connection.execute(sa.insert(versions).values(version_num=HEAD))


def _migrate(connection: Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    script = ScriptDirectory(str(Path(__file__).parent))
    with EnvironmentContext(
            Config(), script,
            fn=lambda current, context: script._upgrade_revs(HEAD, current)
            ) as environment:
        environment.configure(connection=connection, version_table=TABLE,
                              transactional_ddl=False)
        environment.run_migrations()
