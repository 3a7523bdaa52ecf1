# SPDX-License-Identifier: Apache-2.0
"""The core tables, ``pileus_*``, which do not depend on the declared types.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from service.storage.tables import columns

#: Options of MariaDB and MySQL: the engine with transactions and foreign
#: keys, and four-byte characters.
ENGINE: Any = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4'}


class Core(NamedTuple):
    """The core tables, by their content."""

    counter: sa.Table
    catalogues: sa.Table
    revisions: sa.Table
    tags: sa.Table
    keys: sa.Table
    usage: sa.Table
    quotas: sa.Table
    locks: sa.Table


def build(metadata: sa.MetaData) -> Core:
    return Core(_counter(metadata), _catalogues(metadata),
                _revisions(metadata), _tags(metadata), _keys(metadata),
                _usage(metadata), _quotas(metadata), _locks(metadata))


def _counter(metadata: sa.MetaData) -> sa.Table:
    """One row: ``n`` is the number of the newest revision, in commit order.

    ``generation`` is the catalogue number of the newest types in
    ``pileus_catalogues``. A write updates the row where it has the number of
    the worker's types; a worker with other types finds no row, and its
    transaction is rolled back (D25).
    """
    return sa.Table(
        'pileus_counter', metadata,
        sa.Column('id', sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column('n', sa.BigInteger(), nullable=False),
        sa.Column('generation', sa.BigInteger(), nullable=False),
        **ENGINE)


def _catalogues(metadata: sa.MetaData) -> sa.Table:
    """The type files of each applied catalogue (D24).

    ``generation`` is the catalogue number. ``files`` has the text by file
    name; ``digest`` is equal for files with the same meaning. ``state`` is
    ``applying`` until the tables match the files, ``importing`` until all
    rows of an export file are stored, then ``applied``.
    """
    return sa.Table(
        'pileus_catalogues', metadata,
        sa.Column('generation', sa.BigInteger(), primary_key=True,
                  autoincrement=False),
        sa.Column('digest', columns.text(64), nullable=False),
        sa.Column('files', columns.Document(), nullable=False),
        sa.Column('state', columns.text(16), nullable=False),
        sa.Column('at', columns.Timestamp(), nullable=False),
        **ENGINE)


def _revisions(metadata: sa.MetaData) -> sa.Table:
    """A revision for each write: action, record, user, request and time.

    The document has the stored values, which no microversion has converted
    (D26).
    """
    return sa.Table(
        'pileus_revisions', metadata,
        sa.Column('number', sa.BigInteger(), primary_key=True,
                  autoincrement=False),
        sa.Column('type', columns.text(48), nullable=False),
        sa.Column('record_id', columns.ID, nullable=False),
        sa.Column('record_generation', sa.BigInteger(), nullable=False),
        sa.Column('action', columns.text(16), nullable=False),
        sa.Column('document', columns.Document(), nullable=False),
        sa.Column('project_id', columns.PROJECT),
        sa.Column('user_id', columns.text(255)),
        sa.Column('request_id', columns.text(64)),
        sa.Column('global_request_id', columns.text(64)),
        sa.Column('at', columns.Timestamp(), nullable=False),
        sa.Index('ix_pileus_revisions_record', 'type', 'record_id',
                 'number'),
        **ENGINE)


def _tags(metadata: sa.MetaData) -> sa.Table:
    """An index of records by tag, for lists.

    The record's own row has its tags; both are written in one transaction.
    SECURITY: the key includes the type. Clients choose ids, so a record of
    another type and project may have the same id.
    """
    return sa.Table(
        'pileus_tags', metadata,
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('record_id', columns.ID, primary_key=True),
        sa.Column('tag', columns.text(60), primary_key=True),
        sa.Index('ix_pileus_tags_tag', 'type', 'tag', 'record_id'),
        **ENGINE)


def _keys(metadata: sa.MetaData) -> sa.Table:
    """Idempotency keys, each with the reply to its first request."""
    return sa.Table(
        'pileus_keys', metadata,
        sa.Column('scope', columns.text(64), primary_key=True),
        sa.Column('body_hash', columns.text(64), nullable=False),
        sa.Column('status', sa.Integer(), nullable=False),
        sa.Column('headers', columns.Document(), nullable=False),
        sa.Column('body', columns.text(columns.MAX_VARCHAR_LENGTH + 1),
                  nullable=False),
        sa.Column('at', columns.Timestamp(), nullable=False),
        sa.Index('ix_pileus_keys_at', 'at'),
        **ENGINE)


def _usage(metadata: sa.MetaData) -> sa.Table:
    """The number of records of a type in a project.

    The number changes in the transaction that creates or deletes the records.
    That locks the row, so that concurrent creations in one project count one
    after the other.
    """
    return sa.Table(
        'pileus_usage', metadata,
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('used', sa.BigInteger(), nullable=False),
        **ENGINE)


def _quotas(metadata: sa.MetaData) -> sa.Table:
    """Limits of projects that differ from the type's default; -1 is no limit.
    """
    return sa.Table(
        'pileus_quotas', metadata,
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('quota', sa.BigInteger(), nullable=False),
        **ENGINE)


def _locks(metadata: sa.MetaData) -> sa.Table:
    """Rows to lock: writers of periods that may overlap wait for each other.

    Each rule has a row for each value of ``over``.
    """
    return sa.Table(
        'pileus_locks', metadata,
        sa.Column('name', columns.text(64), primary_key=True),
        **ENGINE)
