# SPDX-License-Identifier: Apache-2.0
"""What one declared property is as a SQL column, on every database.

In Python a time is its canonical text (``instants.read``) and an object or
array is itself, whatever the database: nobody above storage meets a driver's
idea of either.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from service.domain import values
from service.domain.types import Property

#: The longest text that is a VARCHAR; what may be longer is TEXT. MariaDB
#: counts every VARCHAR of a row towards 65535 bytes.
VARCHAR = 1024

#: What SQLAlchemy calls MariaDB and MySQL, by the URL they are reached with.
MYSQL = ('mysql', 'mariadb')

Processor = Callable[[Any], Any] | None


def text(length: int) -> TypeEngine[str]:
    """Text compared by code point, trailing blanks significant (D13)."""
    if length > VARCHAR:
        return sa.Text().with_variant(
            postgresql.TEXT(collation='C'), 'postgresql').with_variant(
            mysql.MEDIUMTEXT(charset='utf8mb4',
                             collation='utf8mb4_nopad_bin'), *MYSQL)
    return sa.String(length).with_variant(
        postgresql.VARCHAR(length, collation='C'), 'postgresql').with_variant(
        mysql.VARCHAR(length, charset='utf8mb4',
                      collation='utf8mb4_nopad_bin'), *MYSQL)


class Instant(TypeDecorator[str]):
    """A time: canonical UTC text in Python.

    SQLite keeps that very text, which sorts as the times do; the others keep
    a timestamp with microseconds.
    """

    impl = sa.String(27)
    cache_ok = True

    _NATIVE = {'postgresql': postgresql.TIMESTAMP(precision=6),
               **dict.fromkeys(MYSQL, mysql.DATETIME(fsp=6))}

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = self._NATIVE.get(dialect.name)
        return dialect.type_descriptor(native or sa.String(27))

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _to_native if dialect.name in self._NATIVE else None

    def process_literal_param(self, value: str | None,
                              dialect: Dialect) -> Any:
        """For the default of a new column, which DDL cannot bind."""
        native = dialect.name in self._NATIVE
        return _to_native(value) if native else value

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        return _from_native if dialect.name in self._NATIVE else None


class Document(TypeDecorator[Any]):
    """An object or array, stored as canonical JSON text (D13)."""

    impl = sa.Text()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(text(VARCHAR + 1))

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _to_json

    def process_literal_param(self, value: Any, dialect: Dialect) -> Any:
        return _to_json(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        return _from_json


def _to_native(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value[:-1])


def _from_native(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(
        timespec='microseconds') + 'Z'


def _to_json(value: Any) -> str | None:
    return None if value is None else values.canonical(value)


def _from_json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


#: The column type of each kind that has only one.
_KIND: dict[str, TypeEngine[Any]] = {
    'integer': sa.BigInteger(),
    'number': sa.Double(),
    'boolean': sa.Boolean(create_constraint=False),
    'object': Document(),
    'array': Document(),
}

ID = text(36)
PROJECT = text(64)


def of(prop: Property) -> TypeEngine[Any]:
    """The column type of a property."""
    if prop.kind != 'string':
        return _KIND[prop.kind]
    if prop.references:
        return ID
    if prop.format == 'date-time':
        return Instant()
    return text(prop.max_length or 255)
