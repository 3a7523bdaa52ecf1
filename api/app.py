# SPDX-License-Identifier: Apache-2.0
"""The PasteDeploy factories of the API, discovery and the pipelines."""

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
    """Return the versioned API (``paste.app_factory``)."""
    return MountedApp(catalogue_reloader(global_conf),
                      lambda loaded: loaded.api)


def discovery(global_conf: Mapping[str, str], **local: str) -> MountedApp:
    """Return the application at ``/``, which serves the versions document."""
    return MountedApp(catalogue_reloader(global_conf),
                      lambda loaded: loaded.discovery)


def catalogue_reloader(global_conf: Mapping[str, str]) -> CatalogueReloader:
    """Return the reloader that all entries of one PasteDeploy file share.

    PasteDeploy passes only text to its factories, so the first factory opens
    the service here. With a service for each entry, two applications could
    serve different catalogues at the same time.
    """
    def open_service() -> CatalogueReloader:
        conf = config_files.from_paste(global_conf)
        handover = Handover.of(global_conf)
        files = PolicyFiles(conf, handover)
        reloader = CatalogueReloader(
            service.open(
                conf, use_applied=bool(handover.get('served')),
                read_only=bool(global_conf.get(config_files.CHECK_ONLY))),
            lambda opened: _catalogue_api(conf, files, opened))
        handover.put('served', True)
        return reloader
    return per_load.shared(global_conf, 'catalogue_reloader', open_service)


def _catalogue_api(conf: cfg.ConfigOpts, files: PolicyFiles,
                   opened: Service) -> CatalogueAPI:
    loaded_extensions = extensions.load(opened.catalogue)
    policy = Policy(conf, opened.catalogue, loaded_extensions, files=files)
    versions = _offered(conf, opened.catalogue, loaded_extensions)
    routes = table.api(conf, opened, policy, versions, loaded_extensions)
    LOG.debug('API loaded: %d routes, versions %s to %s', len(routes.table),
              versions.minimum, versions.maximum)
    return CatalogueAPI(
        opened, App(routes, versions, policy, conf.api.max_body),
        App(table.discovery(versions), versions, None, conf.api.max_body))


def _offered(conf: cfg.ConfigOpts, catalogue: Catalogue,
             loaded_extensions: Iterable[Extension]) -> Versions:
    """Return the versions from 1.0 to the newest in any type or controller."""
    return Versions(conf.api.service_type, max(
        catalogue.maximum, FIRST_VERSION,
        *(extension.maximum for extension in loaded_extensions)))


def by_auth_strategy(loader: Any, global_conf: Mapping[str, str],
                     **pipelines: str) -> Any:
    """Return the pipeline of ``[api] auth_strategy``.

    For ``paste.composite_factory``.
    """
    strategy = config_files.from_paste(global_conf).api.auth_strategy
    if strategy not in pipelines:
        raise StartError(
            f'[api] auth_strategy = {strategy}: the PasteDeploy file has no '
            f'pipeline of that name; it has {", ".join(sorted(pipelines))}')
    return loader.get_app(pipelines[strategy], global_conf=global_conf)
