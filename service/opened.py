# SPDX-License-Identifier: Apache-2.0
"""An opened service: the declared types and the store of their records."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from oslo_config import cfg

from service.domain.records import Records
from service.domain.types import Catalogue
from service.storage import engine, evolve, tables
from service.storage.store import Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """What ``api`` serves."""

    catalogue: Catalogue
    records: Records
    store: Store

    def close(self) -> None:
        self.store.close()


def service(conf: cfg.ConfigOpts, catalogue: Catalogue) -> Service:
    """The records of the declared types, their tables brought up to date."""
    LOG.debug('Types read: %s',
              ', '.join(one.name for one in catalogue.live) or 'none')
    store = _store(conf, catalogue)
    return Service(catalogue,
                   Records(catalogue, store, conf.api.max_cascade), store)


def _store(conf: cfg.ConfigOpts, catalogue: Catalogue) -> Store:
    connected = engine.connect(conf)
    built = tables.build(catalogue)
    try:
        engine.Transactions(connected).write(
            lambda connection: evolve.bring_up(connection, catalogue, built))
    except engine.FAILURES as exc:
        raise engine.unusable(connected, exc) from exc
    LOG.debug('Database ready: %s',
              connected.url.render_as_string(hide_password=True))
    return Store(connected, built)
