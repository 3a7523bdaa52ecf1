# SPDX-License-Identifier: Apache-2.0
"""Tables of the applied types, quotas and periods; types of ids and times.

From this version on PostgreSQL stores ids as uuid and times with a time zone;
MariaDB and MySQL store ids in an ASCII column. ``pileus_usage`` starts empty:
the records of a project are counted when it first creates or deletes one.
"""

from __future__ import annotations

import sqlalchemy as sa

from service.storage.migrations import steps
from service.storage.tables import columns

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    for table, column in (('pileus_revisions', 'record_id'),
                          ('pileus_tags', 'record_id')):
        steps.kind(table, sa.Column(column, columns.ID, nullable=False),
                   f'{column}::uuid')
    for table in ('pileus_revisions', 'pileus_keys'):
        steps.kind(table, sa.Column('at', columns.Timestamp(), nullable=False),
                   "at AT TIME ZONE 'UTC'")
    steps.column('pileus_revisions',
                 sa.Column('global_request_id', columns.text(64)))
    steps.index('ix_pileus_revisions_record', 'pileus_revisions',
                'type', 'record_id', 'number')
    steps.table(
        'pileus_catalogues',
        sa.Column('generation', sa.BigInteger(), primary_key=True,
                  autoincrement=False),
        sa.Column('digest', columns.text(64), nullable=False),
        sa.Column('files', columns.Document(), nullable=False),
        sa.Column('state', columns.text(16), nullable=False),
        sa.Column('at', columns.Timestamp(), nullable=False))
    steps.table(
        'pileus_usage',
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('used', sa.BigInteger(), nullable=False))
    steps.table(
        'pileus_quotas',
        sa.Column('project_id', columns.PROJECT, primary_key=True),
        sa.Column('type', columns.text(48), primary_key=True),
        sa.Column('quota', sa.BigInteger(), nullable=False))
    steps.table(
        'pileus_locks',
        sa.Column('name', columns.text(64), primary_key=True))
