# SPDX-License-Identifier: Apache-2.0
"""An opened service: the types in force and the store of their records."""

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
    """What ``api`` serves: the types of one generation, and their records.
    """

    catalogue: Catalogue
    catalogue_number: int
    records: Records
    quotas: Quotas
    store: SQLStore
    _make: Callable[[Applied, SQLStore], Service] = field(repr=False)

    def newer(self) -> Service | None:
        """The service of the types applied since, in the same database.

        None while there are none: also while they are being applied. Raises
        Unavailable where the database does not answer, StartError where this
        release cannot read the types.
        """
        found = self.store.read_on_connection(self._applied_since)
        if found is None:
            return None
        return self._make(found, self.store.with_types(
            declared_tables.build(found.catalogue), found.number))

    def _applied_since(self, connection: Connection) -> Applied | None:
        if applied_types.announced_number(connection) == self.catalogue_number:
            return None
        if applied_types.applied_number(connection) == self.catalogue_number:
            return None
        return applied_types.current(connection)

    def close(self) -> None:
        self.store.close()


def open_service(conf: cfg.ConfigOpts, proposed: Catalogue | None, *,
            read_only: bool = False) -> Service:
    """The records of the types in force, which the files may propose; those
    that are served already where nothing is proposed. Who is only ``looking``
    changes no database."""
    if proposed is not None:
        LOG.debug('Types read: %s',
                  ', '.join(one.name for one in proposed.live) or 'none')
    connected = engine.connect(conf, read_only=read_only)
    engine.wait_for_database(connected, conf)
    try:
        found = (startup.already_served(connected) if proposed is None
                 else _BEGIN[read_only](connected, proposed))
    except engine.FAILURES as exc:
        raise engine.unusable_error(connected, exc) from exc
    LOG.debug('Database ready: %s',
              connected.url.render_as_string(hide_password=True))
    limits = _LIMITS[conf.quota.driver](conf)

    def make(found: Applied, store: SQLStore) -> Service:
        catalogue = found.catalogue
        return Service(
            catalogue, found.number,
            Records(catalogue, store, conf.api.max_cascade, limits),
            Quotas(catalogue, store, limits), store, make)
    return make(found, SQLStore(
        connected, declared_tables.build(found.catalogue), found.number))


#: What there is to serve, by whether it is only looked at.
_BEGIN = {False: startup.prepare, True: startup.preview}


def _stored(conf: cfg.ConfigOpts) -> QuotaLimits:
    return DatabaseLimits()


def _unified(conf: cfg.ConfigOpts) -> QuotaLimits:
    from service import unified_limits
    return unified_limits.limits(conf)


#: Who knows the limits of projects, by ``[quota] driver``.
_LIMITS: Mapping[str, Callable[[cfg.ConfigOpts], QuotaLimits]] = {
    'database': _stored, 'unified_limits': _unified}
