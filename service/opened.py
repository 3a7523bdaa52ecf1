# SPDX-License-Identifier: Apache-2.0
"""An opened service: the declared types and the store of their records."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from oslo_config import cfg
from oslo_db import exception as db_exception
from sqlalchemy import exc as sa_exc

from service import config
from service.domain import declare, errors
from service.domain.records import Records
from service.domain.types import Catalogue
from service.errors import StartError
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


def service(conf: cfg.ConfigOpts) -> Service:
    catalogue = declare.read(config.find(conf, 'api', 'types_dir'))
    LOG.debug('Types read: %s',
              ', '.join(one.name for one in catalogue.live) or 'none')
    store = _store(conf, catalogue)
    return Service(catalogue,
                   Records(catalogue, store, conf.api.max_cascade), store)


def _store(conf: cfg.ConfigOpts, catalogue: Catalogue) -> Store:
    connected = engine.connect(conf)
    built = tables.build(catalogue)
    where = connected.url.render_as_string(hide_password=True)
    try:
        engine.Transactions(connected).write(
            lambda connection: evolve.bring_up(connection, catalogue, built))
    except (errors.Unavailable, sa_exc.SQLAlchemyError,
            db_exception.DBError) as exc:
        raise StartError(f'[database] connection: {where} cannot be used: '
                         f'{_cause(exc)}') from exc
    LOG.debug('Database ready: %s', where)
    return Store(connected, built)


def _cause(exc: BaseException) -> str:
    """What the driver said, in one line."""
    said = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    return ' '.join(str(getattr(said, 'orig', None) or said).split())
