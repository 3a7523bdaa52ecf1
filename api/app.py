# SPDX-License-Identifier: Apache-2.0
"""One request's life, from environ to answer, and the paste factories."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_config import cfg

import service
from api import per_load, table
from api.dispatch import App
from api.policy.enforcement import Policy
from api.policy.files import PolicyFiles
from api.reloading import CatalogueAPI, CatalogueReloader, MountedApp
from api.request.microversions import Versions
from api.routing import extensions
from api.routing.extensions import Extension
from service.assembly import Service
from service.config import files as config_files
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import Catalogue
from service.errors import StartError
from service.hosting.handover import Handover

LOG = logging.getLogger(__name__)


def factory(global_conf: Mapping[str, str], **local: str) -> MountedApp:
    """The versioned API, for ``paste.app_factory``."""
    return MountedApp(catalogue_reloader(global_conf),
                      lambda loaded: loaded.api)


def discovery(global_conf: Mapping[str, str], **local: str) -> MountedApp:
    """What is mounted at ``/``: the versions document and nothing else."""
    return MountedApp(catalogue_reloader(global_conf),
                      lambda loaded: loaded.discovery)


def catalogue_reloader(global_conf: Mapping[str, str]) -> CatalogueReloader:
    """What the applications of one PasteDeploy file serve.

    PasteDeploy carries only text, so the service is opened here: once, by
    the first that asks, or a reply of one would know types that another does
    not know yet.
    """
    def opened() -> CatalogueReloader:
        conf = config_files.from_paste(global_conf)
        handover = Handover.of(global_conf)
        files = PolicyFiles(conf, handover)
        loaded = CatalogueReloader(
            service.open(
                conf, use_applied=bool(handover.get('served')),
                read_only=bool(global_conf.get(config_files.CHECK_ONLY))),
            lambda one: _generation(conf, files, one))
        handover.put('served', True)
        return loaded
    return per_load.shared(global_conf, 'generations', opened)


def _generation(conf: cfg.ConfigOpts, files: PolicyFiles,
                opened: Service) -> CatalogueAPI:
    extended = extensions.load(opened.catalogue)
    rules = Policy(conf, opened.catalogue, extended, files=files)
    versions = _offered(conf, opened.catalogue, extended)
    routes = table.api(conf, opened, rules, versions, extended)
    LOG.debug('API loaded: %d routes, versions %s to %s', len(routes.table),
              versions.minimum, versions.maximum)
    return CatalogueAPI(
        opened, App(routes, versions, rules, conf.api.max_body),
        App(table.discovery(versions), versions, None, conf.api.max_body))


def _offered(conf: cfg.ConfigOpts, catalogue: Catalogue,
             extended: Iterable[Extension]) -> Versions:
    """1.0 to the newest that any type file or controller knows."""
    return Versions(conf.api.service_type, max(
        catalogue.maximum, *(one.maximum for one in extended), FIRST_VERSION))


def by_auth_strategy(loader: Any, global_conf: Mapping[str, str],
                     **pipelines: str) -> Any:
    """``paste.composite_factory``: the pipeline of ``[api] auth_strategy``.
    """
    strategy = config_files.from_paste(global_conf).api.auth_strategy
    if strategy not in pipelines:
        raise StartError(f'[api] auth_strategy = {strategy}: the PasteDeploy '
                         f'file has no pipeline of that name')
    return loader.get_app(pipelines[strategy], global_conf=global_conf)
