# SPDX-License-Identifier: Apache-2.0
"""The core tables of the first release, which stored no version."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from service.storage.migrations import steps
from service.storage.tables import columns

revision = '0001'
down_revision = None

#: Ids were texts of any form, and times had no time zone.
_ID = columns.text(36)
_INSTANT = sa.String(27).with_variant(
    postgresql.TIMESTAMP(precision=6), 'postgresql').with_variant(
    mysql.DATETIME(fsp=6), *columns.MYSQL)
_DOCUMENT = columns.text(columns.MAX_VARCHAR_LENGTH + 1)


def upgrade() -> None:
    steps.table(
        'pileus_counter',
        sa.Column('id', sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column('n', sa.BigInteger(), nullable=False),
        sa.Column('generation', sa.BigInteger(), nullable=False))
    steps.table(
        'pileus_revisions',
        sa.Column('number', sa.BigInteger(), primary_key=True,
                  autoincrement=False),
        sa.Column('type', columns.text(48), nullable=False),
        sa.Column('record_id', _ID, nullable=False),
        sa.Column('record_generation', sa.BigInteger(), nullable=False),
        sa.Column('action', columns.text(16), nullable=False),
        sa.Column('document', _DOCUMENT, nullable=False),
        sa.Column('project_id', columns.text(64)),
        sa.Column('user_id', columns.text(255)),
        sa.Column('request_id', columns.text(64)),
        sa.Column('at', _INSTANT, nullable=False))
    steps.index('ix_pileus_revisions_record', 'pileus_revisions',
                'record_id', 'number')
    steps.table(
        'pileus_tags',
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('record_id', _ID, primary_key=True),
        sa.Column('tag', columns.text(60), primary_key=True))
    steps.index('ix_pileus_tags_tag', 'pileus_tags',
                'type', 'tag', 'record_id')
    steps.table(
        'pileus_keys',
        sa.Column('scope', columns.text(64), primary_key=True),
        sa.Column('body_hash', columns.text(64), nullable=False),
        sa.Column('status', sa.Integer(), nullable=False),
        sa.Column('headers', _DOCUMENT, nullable=False),
        sa.Column('body', columns.text(columns.MAX_VARCHAR_LENGTH + 1),
                  nullable=False),
        sa.Column('at', _INSTANT, nullable=False))
    steps.index('ix_pileus_keys_at', 'pileus_keys', 'at')
    steps.row('pileus_counter', id=1, n=0, generation=0)
