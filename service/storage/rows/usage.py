# SPDX-License-Identifier: Apache-2.0
"""How many records of a type a project has, and how many it may have."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from service.domain.catalogue.types import ResourceType
from service.domain.records.store import UsageCount
from service.storage.rows.transaction import Transaction


class Usage(Transaction):
    """What one transaction counts, and the limits it reads and sets.

    The row of a project and type is what its creators wait for: whoever has
    counted on it sees every record that was counted before, and keeps it to
    the commit. So it is taken before the records themselves.
    """

    def use(self, declared: ResourceType, project_id: str,
            more: int) -> UsageCount:
        """Count records that are about to be made; say how many that is."""
        self._move(declared, project_id, more)
        usage, quotas = self._tables.core.usage, self._tables.core.quotas
        limits = sa.and_(quotas.c.project_id == usage.c.project_id,
                         quotas.c.type == usage.c.type)
        row = self._connection.execute(
            sa.select(usage.c.used, quotas.c.quota)
            .select_from(usage.outerjoin(quotas, limits))
            .where(usage.c.project_id == project_id,
                   usage.c.type == declared.name)).one()
        return UsageCount(*row)

    def free(self, declared: ResourceType, project_id: str,
             fewer: int) -> None:
        """Count records off that are about to be deleted."""
        self._move(declared, project_id, -fewer)

    def used(self, declared: ResourceType, project_id: str) -> int:
        """How many records of the type a project has."""
        usage = self._tables.core.usage
        found = self._connection.scalar(
            sa.select(usage.c.used).where(
                usage.c.project_id == project_id,
                usage.c.type == declared.name))
        return self._held(declared, project_id) if found is None else found

    def limits(self, project_id: str, *,
               hold: bool = False) -> Mapping[str, int]:
        """The limits, by type, that were set for the project.

        ``hold`` keeps others from setting any until this is committed: there
        may be no row yet to wait for, so they wait for the counter's.
        """
        quotas = self._tables.core.quotas
        if hold:
            self._connection.execute(
                sa.select(self._tables.core.counter.c.n).with_for_update())
        rows = self._connection.execute(
            sa.select(quotas.c.type, quotas.c.quota)
            .where(quotas.c.project_id == project_id))
        return {row.type: row.quota for row in rows}

    def limit(self, project_id: str,
              changes: Mapping[str, int | None]) -> None:
        """Set limits by type; None: what the type file says again."""
        quotas = self._tables.core.quotas
        for type, quota in sorted(changes.items()):
            self._connection.execute(sa.delete(quotas).where(
                quotas.c.project_id == project_id, quotas.c.type == type))
            if quota is not None:
                self._connection.execute(sa.insert(quotas), {
                    'project_id': project_id, 'type': type, 'quota': quota})

    def _move(self, declared: ResourceType, project_id: str,
              step: int) -> None:
        """Add to the count; what was never counted is counted now.

        A twin that counts for the first time too is refused its row, and
        runs again to find ours.
        """
        usage = self._tables.core.usage
        moved = self._connection.execute(
            sa.update(usage).values(used=usage.c.used + step)
            .where(usage.c.project_id == project_id,
                   usage.c.type == declared.name))
        if not moved.rowcount:
            self._connection.execute(sa.insert(usage), {
                'project_id': project_id, 'type': declared.name,
                'used': self._held(declared, project_id) + step})

    def _held(self, declared: ResourceType, project_id: str) -> int:
        table = self._tables.of(declared)
        return self._connection.scalar(
            sa.select(sa.func.count()).select_from(table)
            .where(table.c.project_id == project_id)) or 0
