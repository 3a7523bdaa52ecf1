# SPDX-License-Identifier: Apache-2.0
"""Properties of tables that SQLAlchemy's inspector does not return.

They are read from the system catalogs of the server. SQLite has none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.storage.tables.columns import MYSQL

_MYSQL_COLLATIONS = '''
SELECT table_name, column_name, collation_name
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name IN :names
'''
_COLLATIONS: Mapping[str, str] = {
    'postgresql': '''
SELECT t.relname, a.attname, c.collname
FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
JOIN pg_collation c ON c.oid = a.attcollation
WHERE t.relname IN :names AND pg_table_is_visible(t.oid)
''', **dict.fromkeys(MYSQL, _MYSQL_COLLATIONS)}

_INVALID = '''
SELECT t.relname, i.relname
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid AND t.relname IN :names AND pg_table_is_visible(t.oid)
'''


def collations(connection: Connection, names: Collection[str]
               ) -> dict[tuple[str, str], str]:
    """Return the collation of each text column, by table and column."""
    query = _COLLATIONS.get(connection.dialect.name)
    return {} if query is None else {
        (table, column): collation for table, column, collation
        in connection.execute(_of(query, names))}


def invalid(connection: Connection,
            names: Collection[str]) -> set[tuple[str, str]]:
    """Return the invalid indexes, as (table, index).

    They are left by a CREATE INDEX CONCURRENTLY that failed: PostgreSQL
    updates such an index but does not read it.
    """
    if connection.dialect.name != 'postgresql':
        return set()
    return {(table, index) for table, index
            in connection.execute(_of(_INVALID, names))}


def _of(query: str, names: Collection[str]) -> sa.Executable:
    return sa.text(query).bindparams(
        sa.bindparam('names', list(names), expanding=True))
