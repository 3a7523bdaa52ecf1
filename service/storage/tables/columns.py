# SPDX-License-Identifier: Apache-2.0
"""The column types of declared properties, on each kind of database.

In Python a time is its canonical text (``timestamps.read``), and an object or
array is a dict or list, whatever types a driver returns.
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

#: The longest text, in characters, stored as VARCHAR; longer text is TEXT. In
#: MariaDB all VARCHAR columns of a table may have 65535 bytes in total.
MAX_VARCHAR_LENGTH = 1024

#: SQLAlchemy's dialect names of MariaDB and MySQL; which one applies depends
#: on the URL.
MYSQL = ('mysql', 'mariadb')

Processor = Callable[[Any], Any] | None

_ID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


class _Varchar(mysql.VARCHAR):
    """Text compared by code point, on MariaDB and MySQL."""


class _MediumText(mysql.MEDIUMTEXT):
    """Long text compared by code point, on MariaDB and MySQL."""


@compiles(_Varchar, *MYSQL)
@compiles(_MediumText, *MYSQL)
def _by_code_point(type_: _Varchar | _MediumText, compiler: Any,
                   **options: Any) -> str:
    """Write the collation that distinguishes ``a`` from ``A`` and ``a ``.

    Its name differs between MariaDB and MySQL. SQLAlchemy finds out which of
    them the server is when it connects.
    """
    name = f'{type_.__visit_name__}({type_.length})' if type_.length else (
        type_.__visit_name__)
    collation = ('utf8mb4_nopad_bin' if compiler.dialect.is_mariadb
                 else 'utf8mb4_0900_bin')
    return f'{name} CHARACTER SET utf8mb4 COLLATE {collation}'


def text(length: int) -> TypeEngine[str]:
    """Return a text type compared by code point; trailing blanks are
    significant (D13)."""
    if length > MAX_VARCHAR_LENGTH:
        return sa.Text().with_variant(
            postgresql.TEXT(collation='C'), 'postgresql').with_variant(
            _MediumText(), *MYSQL)
    return sa.String(length).with_variant(
        postgresql.VARCHAR(length, collation='C'), 'postgresql').with_variant(
        _Varchar(length), *MYSQL)


class RecordId(TypeDecorator[str]):
    """The id of a record: a UUID in lower case, text in Python.

    PostgreSQL's uuid type halves the size of each index and has the sort
    order of the text. But uuid also accepts other spellings of an id, and
    CHAR ignores trailing blanks. Such values match no record here.
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

    SQLite stores this text, whose sort order is that of the times. The other
    databases store a timestamp with microseconds.
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
        """Return the literal for the default of a new column.

        DDL takes no parameters. MariaDB's literals take no UTC offset.
        """
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
    """Return canonical text; a driver's time is UTC, with or without a
    tzinfo."""
    return None if value is None else value.replace(tzinfo=None).isoformat(
        timespec='microseconds') + 'Z'


def _to_json(value: Any) -> str | None:
    return None if value is None else values.canonical(value)


def _from_json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


#: Column types of the kinds that have only one.
_TYPE: dict[str, TypeEngine[Any]] = {
    'integer': sa.BigInteger(),
    'number': sa.Double(),
    'boolean': sa.Boolean(create_constraint=False),
    'object': Document(),
    'array': Document(),
}

ID = RecordId()
PROJECT = text(MAX_PROJECT_ID_CHARS)


def of(prop: Property) -> TypeEngine[Any]:
    """Return the column type of a property."""
    if prop.kind != 'string':
        return _TYPE[prop.kind]
    if prop.references:
        return ID
    if prop.format == 'date-time':
        return Timestamp()
    return text(prop.max_length or 255)
