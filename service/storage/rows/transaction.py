# SPDX-License-Identifier: Apache-2.0
"""What every room of rows works with: one transaction, and the tables."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from service.storage.rows.audit_log import Deed
from service.storage.tables.declared import Tables


class Transaction:
    """One open transaction on the tables of one generation of types."""

    def __init__(self, connection: Connection, tables: Tables,
                 generation: int) -> None:
        self._connection = connection
        self._tables = tables
        self._generation = generation
        #: What was done, for the audit log once it is committed.
        self.deeds: list[Deed] = []
