# SPDX-License-Identifier: Apache-2.0
"""Replace the API of one catalogue by that of the next, between requests.

An operator applies types while workers run (D24, D25). A worker asks the
database for a newer catalogue about once a second, and at once when the
database refuses a write or a column is gone. The worker loads the new
catalogue beside the old one and swaps one reference. One catalogue answers a
request from its start to its end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import webob

from api.dispatch import App
from api.response import faults
from service.assembly import Service
from service.domain.errors import Outdated, Unavailable
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError

LOG = logging.getLogger(__name__)

#: Time between two checks for a newer catalogue.
CHECK_SECONDS = 1.0

#: Time between two checks after a newer catalogue failed to load.
RETRY_SECONDS = 10.0


class CatalogueAPI(NamedTuple):
    """The applications that serve one catalogue."""

    service: Service
    api: App
    discovery: App

    @property
    def catalogue_number(self) -> int:
        return self.service.catalogue_number


class CatalogueReloader:
    """Holds the newest catalogue that this worker could load."""

    def __init__(self, service: Service,
                 build: Callable[[Service], CatalogueAPI]) -> None:
        self._build = build
        self._current = build(service)
        self._loading = threading.Lock()
        self._next_check = time.monotonic() + CHECK_SECONDS
        self._load_error = ''
        _log_loaded(self._current)

    @property
    def loaded(self) -> CatalogueAPI:
        """The API in use; does not check for a newer catalogue."""
        return self._current

    def current(self) -> CatalogueAPI:
        """Return the API that a new request uses.

        One request a second checks for a newer catalogue. While that request
        loads the newer catalogue, other requests use the old one.
        """
        if time.monotonic() >= self._next_check and self._loading.acquire(
                blocking=False):
            try:
                self._check()
            finally:
                self._loading.release()
        return self._current

    def newer_than(self, stale: CatalogueAPI) -> CatalogueAPI:
        """Return the API that replaces ``stale``.

        The catalogue of ``stale`` is no longer in force. Returns ``stale`` if
        no newer catalogue can be loaded.
        """
        with self._loading:
            waiting = (self._load_error
                       and time.monotonic() < self._next_check)
            if self._current is stale and not waiting:
                self._check()
            return self._current

    def _check(self) -> None:
        """Load a newer catalogue; keep the current one if that fails."""
        self._next_check = time.monotonic() + CHECK_SECONDS
        try:
            newer = self._current.service.newer()
            if newer is not None:
                self._current = self._build(newer)
                self._load_error = ''
                _log_loaded(self._current)
        except Unavailable:
            return
        except (StartError, DeclarationError) as exc:
            self._next_check = time.monotonic() + RETRY_SECONDS
            self._log_failure(str(exc))

    def _log_failure(self, error: str) -> None:
        """Log an error once, not at each retry."""
        if error != self._load_error:
            LOG.error('Newer resource types cannot be loaded; reads continue '
                      'with catalogue %d, writes fail: %s',
                      self._current.catalogue_number, error)
        self._load_error = error


def _log_loaded(loaded: CatalogueAPI) -> None:
    LOG.info('Serving the resource types of catalogue %d (%s)',
             loaded.catalogue_number, loaded.service.catalogue.digest[:12])


class MountedApp:
    """A WSGI application of the newest loaded catalogue.

    ``select`` returns the application of a CatalogueAPI: the API or discovery.
    """

    def __init__(self, reloader: CatalogueReloader,
                 select: Callable[[CatalogueAPI], App]) -> None:
        self._reloader = reloader
        self._select = select

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[faults.OWN_REPLY] = True
        current = self._reloader.current()
        versions = self._select(current).versions
        response = faults.guarded(lambda: self._answer(current, environ),
                                  environ, versions.service_type)
        response.headerlist += versions.headers(environ.get('pileus.version'))
        return response(environ, start_response)

    def _answer(self, current: CatalogueAPI,
                environ: dict[str, Any]) -> webob.Response:
        """Return the response of ``current``, or of a newer catalogue.

        If the catalogue is Outdated, the database has rolled the request
        back, so the newer catalogue can answer the request from the start.
        """
        try:
            return self._select(current).answer(environ)
        except Outdated:
            newer = self._reloader.newer_than(current)
            if newer is current:
                raise
            return self._select(newer).answer(environ)
