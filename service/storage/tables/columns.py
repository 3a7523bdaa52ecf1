# SPDX-License-Identifier: Apache-2.0
"""What one declared property is as a SQL column, on every database.

In Python a time is its canonical text (``instants.read``) and an object or
array is itself, whatever the database: nobody above storage meets a driver's
idea of either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine

from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.domain.catalogue.types import Property
from service.domain.documents import values

#: The longest text that is a VARCHAR; what may be longer is TEXT. MariaDB
#: counts every VARCHAR of a row towards 65535 bytes.
MAX_VARCHAR_LENGTH = 1024

#: What SQLAlchemy calls MariaDB and MySQL, by the URL they are reached with.
MYSQL = ('mysql', 'mariadb')

Processor = Callable[[Any], Any] | None

_ID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


class _Varchar(mysql.VARCHAR):
    """Text of MariaDB or MySQL, compared by code point."""


class _MediumText(mysql.MEDIUMTEXT):
    """Long text of the same kind."""


@compiles(_Varchar, *MYSQL)
@compiles(_MediumText, *MYSQL)
def _by_code_point(type_: _Varchar | _MediumText, compiler: Any,
                   **options: Any) -> str:
    """The collations that tell ``a`` from ``A`` and from ``a `` have other
    names in MariaDB and in MySQL; which it is, the connection found out."""
    words = f'{type_.__visit_name__}({type_.length})' if type_.length else (
        type_.__visit_name__)
    collation = ('utf8mb4_nopad_bin' if compiler.dialect.is_mariadb
                 else 'utf8mb4_0900_bin')
    return f'{words} CHARACTER SET utf8mb4 COLLATE {collation}'


def text(length: int) -> TypeEngine[str]:
    """Text compared by code point, trailing blanks significant (D13)."""
    if length > MAX_VARCHAR_LENGTH:
        return sa.Text().with_variant(
            postgresql.TEXT(collation='C'), 'postgresql').with_variant(
            _MediumText(), *MYSQL)
    return sa.String(length).with_variant(
        postgresql.VARCHAR(length, collation='C'), 'postgresql').with_variant(
        _Varchar(length), *MYSQL)


class RecordId(TypeDecorator[str]):
    """The id of a record: a UUID in lower case, text in Python.

    PostgreSQL's own type for it takes half the room in every index, and sorts
    as the text does. It also takes other spellings for the same id, and a
    CHAR any number of blanks behind it: here those are nobody's id.
    """

    impl = sa.String(36)
    cache_ok = True

    _NATIVE: Mapping[str, TypeEngine[Any]] = {
        'postgresql': postgresql.UUID(as_uuid=False),
        **dict.fromkeys(MYSQL, mysql.CHAR(36, charset='ascii',
                                          collation='ascii_bin'))}

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = self._NATIVE.get(dialect.name)
        return dialect.type_descriptor(native or sa.String(36))

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _to_id if dialect.name in self._NATIVE else None

    def process_literal_param(self, value: str | None,
                              dialect: Dialect) -> Any:
        return value

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        return _from_id if dialect.name == 'postgresql' else None


class Timestamp(TypeDecorator[str]):
    """A time: canonical UTC text in Python.

    SQLite keeps that very text, which sorts as the times do; the others keep
    a timestamp with microseconds.
    """

    impl = sa.String(27)
    cache_ok = True

    _NATIVE = {'postgresql': postgresql.TIMESTAMP(timezone=True, precision=6),
               **dict.fromkeys(MYSQL, mysql.DATETIME(fsp=6))}

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = self._NATIVE.get(dialect.name)
        return dialect.type_descriptor(native or sa.String(27))

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _to_native if dialect.name in self._NATIVE else None

    def process_literal_param(self, value: str | None,
                              dialect: Dialect) -> Any:
        """For the default of a new column, which DDL cannot bind. In
        MariaDB's literals no offset may stand."""
        if dialect.name in MYSQL and value is not None:
            return datetime.fromisoformat(value.removesuffix('Z'))
        native = dialect.name in self._NATIVE
        return _to_native(value) if native else value

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        return _from_native if dialect.name in self._NATIVE else None


class Document(TypeDecorator[Any]):
    """An object or array, stored as canonical JSON text (D13)."""

    impl = sa.Text()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(text(MAX_VARCHAR_LENGTH + 1))

    def bind_processor(self, dialect: Dialect) -> Processor:
        return _to_json

    def process_literal_param(self, value: Any, dialect: Dialect) -> Any:
        return _to_json(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Processor:
        return _from_json


def _to_id(value: str | None) -> str | None:
    return value if value is not None and _ID.fullmatch(value) else None


def _from_id(value: Any) -> str | None:
    return None if value is None else str(value)


def _to_native(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _from_native(value: datetime | None) -> str | None:
    """A session's times are UTC, with or without saying so."""
    return None if value is None else value.replace(tzinfo=None).isoformat(
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

ID = RecordId()
PROJECT = text(MAX_PROJECT_ID_CHARS)


def of(prop: Property) -> TypeEngine[Any]:
    """The column type of a property."""
    if prop.kind != 'string':
        return _KIND[prop.kind]
    if prop.references:
        return ID
    if prop.format == 'date-time':
        return Timestamp()
    return text(prop.max_length or 255)
