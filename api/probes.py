# SPDX-License-Identifier: Apache-2.0
"""``/healthcheck`` for load balancers, and ``/metrics`` for Prometheus.

``/healthcheck`` does not use the database: a database that is slow for a
moment must not take all workers out of service.

Each number of ``/metrics`` belongs to the worker that answers, and has the
worker as a label. Without the label, one series would mix the values of
several workers.

SECURITY: neither shows a version or a path. ``/metrics`` is 404 for clients
outside of ``[api] metrics_networks``.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import webob

from api import per_load
from api.app import catalogue_reloader
from api.reloading import CatalogueReloader
from api.request import networks, urls
from api.request.errors import MethodNotAllowed
from api.request.microversions import Versions
from api.request.networks import Network
from api.response import faults, replies
from api.routing import router
from service.config import files as config_files
from service.domain.catalogue.microversion import FIRST_VERSION

#: Methods with a count of their own. Any other method counts as ``other``:
#: otherwise a client could fill the worker's memory with method names.
KNOWN_METHODS = frozenset({'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH',
                           'DELETE'})

#: Methods that a probe answers.
_ALLOWED_METHODS = ('GET', 'HEAD', 'OPTIONS')


class Probe:
    """A WSGI application that answers reads of a single path."""

    def __init__(self, answer: Callable[[dict[str, Any]], webob.Response],
                 service_type: str) -> None:
        self._respond = answer
        self._versions = Versions(service_type, FIRST_VERSION)

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[faults.OWN_REPLY] = True
        response = faults.guarded(lambda: self._answer(environ), environ,
                                  self._versions.service_type)
        response.headerlist += self._versions.headers(None)
        return response(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> webob.Response:
        if environ.get('PATH_INFO', '').strip('/'):
            raise router.no_such_path(environ)
        response = self._respond(environ)
        method = environ['REQUEST_METHOD']
        if method not in _ALLOWED_METHODS:
            raise MethodNotAllowed(method, _ALLOWED_METHODS)
        if method == 'OPTIONS':
            return replies.empty(
                204, [('Allow', ', '.join(_ALLOWED_METHODS))])
        return response


def healthcheck(global_conf: Mapping[str, str], **local: str) -> Probe:
    """``paste.app_factory``."""
    conf = config_files.from_paste(global_conf)
    return Probe(lambda environ: replies.document(200, {'status': 'ok'}),
                 conf.api.service_type)


class RequestCounts:
    """Numbers of the requests that this worker answered, by method and status.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, method: str, status: str) -> None:
        counted_method = method if method in KNOWN_METHODS else 'other'
        with self._lock:
            self._counts[counted_method, status] += 1

    def __iter__(self) -> Iterator[tuple[tuple[str, str], int]]:
        with self._lock:
            return iter(sorted(self._counts.items()))


class RequestCounter:
    """A filter that counts all replies, also those of other filters."""

    def __init__(self, app: Callable[..., Any],
                 requests: RequestCounts) -> None:
        self._app = app
        self._requests = requests

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        status_code = '500'

        def start(status: str, headers: list[tuple[str, str]],
                  exc_info: Any = None) -> Callable[[bytes], object]:
            nonlocal status_code
            status_code = status[:3]
            return start_response(status, headers, exc_info)
        try:
            return self._app(environ, start)
        finally:
            self._requests.add(environ['REQUEST_METHOD'], status_code)


def counting(global_conf: Mapping[str, str], **local: str
             ) -> Callable[[Callable[..., Any]], RequestCounter]:
    """``paste.filter_factory``."""
    requests = per_load.shared(global_conf, 'requests', RequestCounts)
    return lambda app: RequestCounter(app, requests)


class Metrics:
    """The metrics of this worker, in the text format of Prometheus."""

    def __init__(self, reloader: CatalogueReloader, requests: RequestCounts,
                 allowed: Sequence[Network]) -> None:
        self._reloader = reloader
        self._requests = requests
        self._allowed = allowed

    def answer(self, environ: dict[str, Any]) -> webob.Response:
        if not self._may_read(environ):
            raise router.no_such_path(environ)
        from prometheus_client import exposition
        return webob.Response(
            body=exposition.generate_latest(self),
            headerlist=[('Content-Type', exposition.CONTENT_TYPE_LATEST),
                        replies.CACHE])

    def _may_read(self, environ: dict[str, Any]) -> bool:
        """Whether the client is in ``metrics_networks``.

        A request that was forwarded by an untrusted proxy is refused: its
        address is the proxy's, not the client's.
        """
        forwarded = (next(urls.hops(environ), None) is not None
                     and urls.PEER not in environ)
        return not forwarded and networks.within(
            environ.get('REMOTE_ADDR', ''), self._allowed)

    def collect(self) -> Iterator[Any]:
        """Yield the metric families.

        PERF: prometheus_client is imported at the first read of the metrics,
        so that a worker whose metrics are not read does not load it.
        """
        from prometheus_client import metrics_core
        worker = str(os.getpid())
        generation = metrics_core.GaugeMetricFamily(
            'pileus_catalogue_generation',
            'The number of the catalogue of types that the worker serves.',
            labels=['worker'])
        generation.add_metric([worker], self._reloader.loaded.catalogue_number)
        yield generation
        requests = metrics_core.CounterMetricFamily(
            'pileus_requests', 'The requests that the worker answered.',
            labels=['worker', 'method', 'status'])
        for (method, status), count in self._requests:
            requests.add_metric([worker, method, status], count)
        yield requests


def metrics(global_conf: Mapping[str, str], **local: str) -> Probe:
    """``paste.app_factory``."""
    conf = config_files.from_paste(global_conf)
    collector = Metrics(
        catalogue_reloader(global_conf),
        per_load.shared(global_conf, 'requests', RequestCounts),
        networks.from_option('metrics_networks', conf.api.metrics_networks))
    return Probe(collector.answer, conf.api.service_type)
