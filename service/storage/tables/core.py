# SPDX-License-Identifier: Apache-2.0
"""The tables that are there whatever types are declared, ``pileus_*``."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from service.storage.tables import columns

#: MariaDB and MySQL: the engine with transactions and foreign keys.
ENGINE: Any = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4'}


class Core(NamedTuple):
    """The core tables, by what they hold."""

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
    """One row: the number of the newest revision, in commit order.

    ``generation`` is that of the catalogue in force, the newest of
    ``pileus_catalogues`` that was applied: a write that knows another one
    finds no row here and is undone (D25).
    """
    return sa.Table(
        'pileus_counter', metadata,
        sa.Column('id', sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column('n', sa.BigInteger(), nullable=False),
        sa.Column('generation', sa.BigInteger(), nullable=False),
        **ENGINE)


def _catalogues(metadata: sa.MetaData) -> sa.Table:
    """The type files of each generation: what they said when applied (D24).

    ``files`` is their text by file name; ``digest`` is equal for files that
    say the same. ``state`` is ``applying`` until the tables are as the files
    say, or ``importing`` until a dump's rows are there, then ``applied``.
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
    """What every write did: the record after it, who, when, by what request.

    The document holds raw values, before any version's view (D26).
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
    """Where a list finds records by tag.

    The record's own row shows its tags; this is their index, written with it.
    SECURITY: by type as well. Clients choose ids, and a record of another
    type and project may have this one's.
    """
    return sa.Table(
        'pileus_tags', metadata,
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('record_id', columns.ID, primary_key=True),
        sa.Column('tag', columns.text(60), primary_key=True),
        sa.Index('ix_pileus_tags_tag', 'type', 'tag', 'record_id'),
        **ENGINE)


def _keys(metadata: sa.MetaData) -> sa.Table:
    """Idempotency keys, each with the reply its first request was given."""
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
    """How many records of a type a project has.

    Moved with the records themselves, in the same transaction: its row is
    what creators of one project wait for, so none counts past another.
    """
    return sa.Table(
        'pileus_usage', metadata,
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('used', sa.BigInteger(), nullable=False),
        **ENGINE)


def _quotas(metadata: sa.MetaData) -> sa.Table:
    """Limits that differ from the type's own, by project; -1 is none."""
    return sa.Table(
        'pileus_quotas', metadata,
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('quota', sa.BigInteger(), nullable=False),
        **ENGINE)


def _locks(metadata: sa.MetaData) -> sa.Table:
    """What writers of periods that may overlap wait for: a row for each
    value of ``over`` of each rule."""
    return sa.Table(
        'pileus_locks', metadata,
        sa.Column('name', columns.text(64), primary_key=True),
        **ENGINE)
