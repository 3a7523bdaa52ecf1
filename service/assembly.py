# SPDX-License-Identifier: Apache-2.0
"""An opened service: the types to serve and the store of their records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oslo_config import cfg
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import Catalogue
from service.domain.records.limits import DatabaseLimits, QuotaLimits
from service.domain.records.operations import Records
from service.domain.records.quotas import Quotas
from service.storage.database import engine
from service.storage.schema import applied_types, startup
from service.storage.schema.applied_types import Applied
from service.storage.store import SQLStore
from service.storage.tables import declared as declared_tables

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The types of one catalogue and their records, as ``api`` serves them."""

    catalogue: Catalogue
    catalogue_number: int
    records: Records
    quotas: Quotas
    store: SQLStore
    _build: Callable[[Applied, SQLStore], Service] = field(repr=False)

    def newer(self) -> Service | None:
        """Return the service of types that were applied since, on the same
        database.

        Returns None if no newer types are applied, or if an apply is still
        running. Raises Unavailable if the database does not answer,
        StartError if this release cannot read the newer types.
        """
        applied = self.store.read_on_connection(self._applied_since)
        if applied is None:
            return None
        return self._build(applied, self.store.with_types(
            declared_tables.build(applied.catalogue), applied.number))

    def _applied_since(self, connection: Connection) -> Applied | None:
        """Return newer applied types.

        PERF: almost every call ends after the first query, of one row.
        """
        if applied_types.announced_number(
                connection) == self.catalogue_number:
            return None
        if applied_types.applied_number(connection) == self.catalogue_number:
            return None
        return applied_types.current(connection)

    def close(self) -> None:
        self.store.close()


def open_service(conf: cfg.ConfigOpts, proposed: Catalogue | None, *,
                 read_only: bool = False) -> Service:
    """Connect to the database and load the types to serve.

    ``proposed`` are the types that the files declare. Without it the applied
    types are loaded, as other workers serve them. With ``read_only`` nothing
    in the database changes.
    """
    if proposed is not None:
        LOG.debug('Types read: %s',
                  ', '.join(declared.name for declared in proposed.live)
                  or 'none')
    connected = engine.connect(conf, read_only=read_only)
    engine.wait_for_database(connected, conf)
    try:
        applied = (startup.already_served(connected) if proposed is None
                   else _LOAD[read_only](connected, proposed))
    except engine.FAILURES as exc:
        raise engine.unusable_error(connected, exc) from exc
    LOG.debug('Database ready: %s',
              connected.url.render_as_string(hide_password=True))
    limits = _LIMITS[conf.quota.driver](conf)

    def build(applied: Applied, store: SQLStore) -> Service:
        catalogue = applied.catalogue
        return Service(
            catalogue, applied.number,
            Records(catalogue, store, conf.api.max_cascade, limits),
            Quotas(catalogue, store, limits), store, build)
    return build(applied, SQLStore(
        connected, declared_tables.build(applied.catalogue), applied.number))


#: How to load the types to serve, by ``read_only``.
_LOAD = {False: startup.prepare, True: startup.preview}


def _stored_limits(conf: cfg.ConfigOpts) -> QuotaLimits:
    return DatabaseLimits()


def _unified_limits(conf: cfg.ConfigOpts) -> QuotaLimits:
    from service import unified_limits
    return unified_limits.limits(conf)


#: Source of the projects' limits, by ``[quota] driver``.
_LIMITS: Mapping[str, Callable[[cfg.ConfigOpts], QuotaLimits]] = {
    'database': _stored_limits, 'unified_limits': _unified_limits}
