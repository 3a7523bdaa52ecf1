# SPDX-License-Identifier: Apache-2.0
"""The API of the types in force, changed for another while it is served.

An operator applies types beside running workers (D24, D25). A worker looks
at the database once in a while, and at once where a write was refused or a
column is gone; it loads the new types beside the old ones and swaps one
pointer. A request is answered by one generation from its start to its end.
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

#: How many seconds lie between two looks at the database.
CHECK_SECONDS = 1.0

#: And how many, where the types in it could not be loaded.
RETRY_SECONDS = 10.0


class CatalogueAPI(NamedTuple):
    """What is served of one generation of types."""

    service: Service
    api: App
    discovery: App

    @property
    def catalogue_number(self) -> int:
        return self.service.catalogue_number


class CatalogueReloader:
    """The newest generation that this worker could load."""

    def __init__(self, opened: Service,
                 build: Callable[[Service], CatalogueAPI]) -> None:
        self._build = build
        self._current = build(opened)
        self._loading = threading.Lock()
        self._due = time.monotonic() + CHECK_SECONDS
        self._refused = ''
        _log_loaded(self._current)

    @property
    def loaded(self) -> CatalogueAPI:
        """The one that is served, without a look for a newer."""
        return self._current

    def current(self) -> CatalogueAPI:
        """The one to begin a request with.

        One request a second looks for a newer one; while it loads, the
        others go on with the old.
        """
        if time.monotonic() >= self._due and self._loading.acquire(
                blocking=False):
            try:
                self._look()
            finally:
                self._loading.release()
        return self._current

    def newer_than(self, stale: CatalogueAPI) -> CatalogueAPI:
        """What came after ``stale``, which the database refused; ``stale``
        while there is nothing."""
        with self._loading:
            rests = self._refused and time.monotonic() < self._due
            if self._current is stale and not rests:
                self._look()
            return self._current

    def _look(self) -> None:
        """Load what is newer; what cannot be loaded changes nothing."""
        self._due = time.monotonic() + CHECK_SECONDS
        try:
            newer = self._current.service.newer()
            if newer is not None:
                self._current = self._build(newer)
                self._refused = ''
                _log_loaded(self._current)
        except Unavailable:
            return
        except (StartError, DeclarationError) as exc:
            self._due = time.monotonic() + RETRY_SECONDS
            self._refuse(str(exc))

    def _refuse(self, told: str) -> None:
        if told != self._refused:
            LOG.error('Newer resource types cannot be loaded; reads go on '
                      'with generation %d, writes are refused: %s',
                      self._current.catalogue_number, told)
        self._refused = told


def _log_loaded(loaded: CatalogueAPI) -> None:
    LOG.info('Serving the resource types of generation %d (%s)',
             loaded.catalogue_number, loaded.service.catalogue.digest[:12])


class MountedApp:
    """A WSGI application that is always of the newest generation.

    ``part`` says which of its applications.
    """

    def __init__(self, reloader: CatalogueReloader,
                 part: Callable[[CatalogueAPI], App]) -> None:
        self._reloader = reloader
        self._part = part

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[faults.OWN_REPLY] = True
        begun = self._reloader.current()
        versions = self._part(begun).versions
        response = faults.guarded(lambda: self._answer(begun, environ),
                                  environ, versions.service_type)
        response.headerlist += versions.stamp(environ.get('pileus.version'))
        return response(environ, start_response)

    def _answer(self, begun: CatalogueAPI,
                environ: dict[str, Any]) -> webob.Response:
        """The answer of one generation, or of the one that took its place
        before it could do anything: all it did was undone."""
        try:
            return self._part(begun).answer(environ)
        except Outdated:
            newer = self._reloader.newer_than(begun)
            if newer is begun:
                raise
            return self._part(newer).answer(environ)
