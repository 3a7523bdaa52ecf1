# SPDX-License-Identifier: Apache-2.0
"""What looks after the service asks: is it there, and how is it doing?

``/healthcheck`` is for load balancers and asks nobody anything: a database
that is slow for a moment must not have every worker taken out of service.

``/metrics`` is what Prometheus reads. Each number is of the worker that
answers, and says so: a series that is now of one worker and now of another
would be of none.

SECURITY: neither names a version or a path, and metrics are for
``[api] metrics_networks`` only. For anybody else there is no such path.
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

#: Any other method is one word of its own, or a client could fill the
#: worker's memory with names.
KNOWN_METHODS = frozenset({'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH',
                     'DELETE'})

#: What a probe's path takes.
_ALLOWED_METHODS = ('GET', 'HEAD', 'OPTIONS')


class Probe:
    """One path that is only read."""

    def __init__(self, answer: Callable[[dict[str, Any]], webob.Response],
                 service_type: str) -> None:
        self._answered = answer
        self._versions = Versions(service_type, FIRST_VERSION)

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[faults.OWN_REPLY] = True
        response = faults.guarded(lambda: self._answer(environ), environ,
                                  self._versions.service_type)
        response.headerlist += self._versions.stamp(None)
        return response(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> webob.Response:
        if environ.get('PATH_INFO', '').strip('/'):
            raise router.no_such_path(environ)
        response = self._answered(environ)
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
    """How many requests this worker answered, by method and status."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered: Counter[tuple[str, str]] = Counter()

    def add(self, method: str, status: str) -> None:
        known = method if method in KNOWN_METHODS else 'other'
        with self._lock:
            self._answered[known, status] += 1

    def __iter__(self) -> Iterator[tuple[tuple[str, str], int]]:
        with self._lock:
            return iter(sorted(self._answered.items()))


class RequestCounter:
    """Counts each reply, whoever made it."""

    def __init__(self, app: Callable[..., Any],
                 requests: RequestCounts) -> None:
        self._app = app
        self._requests = requests

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        told = ['500']

        def start(status: str, headers: list[tuple[str, str]],
                  exc_info: Any = None) -> Callable[[bytes], object]:
            told[0] = status[:3]
            return start_response(status, headers, exc_info)
        try:
            return self._app(environ, start)
        finally:
            self._requests.add(environ['REQUEST_METHOD'], told[0])


def counting(global_conf: Mapping[str, str], **local: str
             ) -> Callable[[Callable[..., Any]], RequestCounter]:
    """``paste.filter_factory``."""
    requests = per_load.shared(global_conf, 'requests', RequestCounts)
    return lambda app: RequestCounter(app, requests)


class Metrics:
    """The numbers of this worker, as Prometheus reads them."""

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
        """Who came through a proxy, of which nobody said that it is to be
        trusted, is not who the address says."""
        forwarded = (next(urls.hops(environ), None) is not None
                     and urls.PEER not in environ)
        return not forwarded and networks.within(
            environ.get('REMOTE_ADDR', ''), self._allowed)

    def collect(self) -> Iterator[Any]:
        """PERF: who never asks for metrics need not wait for the library."""
        from prometheus_client import metrics_core
        worker = str(os.getpid())
        generation = metrics_core.GaugeMetricFamily(
            'pileus_catalogue_generation',
            'The generation of resource types that the worker serves.',
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
    made = Metrics(
        catalogue_reloader(global_conf),
        per_load.shared(global_conf, 'requests', RequestCounts),
        networks.from_option('metrics_networks', conf.api.metrics_networks))
    return Probe(made.answer, conf.api.service_type)
