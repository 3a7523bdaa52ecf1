# SPDX-License-Identifier: Apache-2.0
"""The core tables' versions, and the way from each to the newest.

``storage.core`` says what the newest looks like. The types' own tables are
no business of this room: ``evolve`` compares those with what is declared.

PERF: alembic takes a tenth of a second to import, and most starts find
nothing to do.
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

#: Every version there was, in order; each has its script in ``versions``.
VERSIONS = ('0001', '0002')
HEAD = VERSIONS[-1]

#: Where the version stands.
TABLE = 'pileus_alembic_version'

#: How long an upgrade on SQLite waits for those who write, in seconds.
_SQLITE_WAIT_SECONDS = 60.0


def version(connection: Connection) -> str | None:
    """The version the core tables are of; None before there was any."""
    if not sa.inspect(connection).has_table(TABLE):
        return None
    return connection.scalar(sa.select(sa.column('version_num')).select_from(
        sa.table(TABLE)))


def pending_upgrade(connection: Connection) -> str | None:
    """What is to be done before this release can serve; None: nothing.

    StartError where a newer release has been here: it knows its tables, we
    do not.
    """
    found = version(connection)
    if found is not None and found not in VERSIONS:
        raise StartError(
            f'[database] connection: the core tables are of version {found}, '
            f'of a newer release; this one knows {VERSIONS[0]} to {HEAD}: '
            f'install the newer release, or restore the database from before '
            f'it was upgraded')
    if found == HEAD:
        return None
    return (f'the core tables are of version {found or "none"} and must be '
            f'of {HEAD}')


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the core tables to the newest version; say from where to where.

    A second one waits and finds nothing to do. Killed on the way it can be
    run again: where DDL is transactional nothing was done, elsewhere each
    step looks first whether it was. StartError where the database will not.
    """
    try:
        return Transactions(engine, _SQLITE_WAIT_SECONDS).write(_upgrade)
    except FAILURES as exc:
        said = getattr(exc, 'inner_exception', None) or exc
        raise unusable_error(engine, said) from exc


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    with schema_lock.acquire(connection, 'core'):
        before = version(connection)
        if pending_upgrade(connection):
            found = sa.inspect(connection).has_table('pileus_counter')
            (_migrate if found else _create)(connection)
        return before, HEAD


def _create(connection: Connection) -> None:
    """The newest tables where there were none.

    The counter comes last but for the version: while it is missing, whoever
    was killed here begins anew.
    """
    metadata = sa.MetaData()
    made = core.build(metadata)
    metadata.create_all(connection, tables=[
        one for one in metadata.tables.values() if one is not made.counter])
    made.counter.create(connection, checkfirst=True)
    connection.execute(sa.insert(made.counter).values(
        id=1, n=0, generation=0))
    stamp = sa.Table(TABLE, sa.MetaData(), sa.Column(
        'version_num', sa.String(32), nullable=False), sa.PrimaryKeyConstraint(
        'version_num', name=f'{TABLE}_pkc'))
    stamp.create(connection, checkfirst=True)
    connection.execute(sa.insert(stamp).values(version_num=HEAD))


def _migrate(connection: Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    script = ScriptDirectory(str(Path(__file__).parent))
    with EnvironmentContext(
            Config(), script,
            fn=lambda found, context: script._upgrade_revs(HEAD, found)
            ) as environment:
        environment.configure(connection=connection, version_table=TABLE,
                              transactional_ddl=False)
        environment.run_migrations()
