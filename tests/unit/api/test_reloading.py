# SPDX-License-Identifier: Apache-2.0
"""When a worker checks for a newer catalogue, and what it serves meanwhile."""

from __future__ import annotations

import logging
import threading

import pytest

from api import reloading
from api.reloading import CatalogueAPI, CatalogueReloader
from service.domain.catalogue.types import Catalogue
from service.domain.errors import Unavailable
from service.errors import StartError


class FakeService:
    """A service whose successive checks find the given newer services."""

    def __init__(self, generation, *newer):
        self.catalogue_number = generation
        self.catalogue = Catalogue({})
        self.checks = 0
        self._newer = iter(newer)

    def newer(self):
        self.checks += 1
        service = next(self._newer, None)
        if isinstance(service, Exception):
            raise service
        return service


def build(service):
    return CatalogueAPI(service, None, None)


@pytest.fixture
def every_request_checks(monkeypatch):
    monkeypatch.setattr(reloading, 'CHECK_SECONDS', -1.0)


def test_a_hundred_requests_in_a_moment_do_not_check_for_a_newer_catalogue():
    service = FakeService(1)
    reloader = CatalogueReloader(service, build)
    assert {reloader.current().catalogue_number
            for _ in range(100)} == {1}
    assert service.checks == 0


def test_a_check_loads_a_newer_catalogue(every_request_checks):
    reloader = CatalogueReloader(FakeService(1, None, FakeService(2)), build)
    assert [reloader.current().catalogue_number
            for _ in range(3)] == [1, 2, 2]
    assert reloader.loaded.catalogue_number == 2


def test_a_request_with_an_outdated_catalogue_gets_the_newer_one():
    reloader = CatalogueReloader(FakeService(1, FakeService(2)), build)
    outdated = reloader.current()
    assert reloader.newer_than(outdated).catalogue_number == 2
    assert reloader.newer_than(outdated).catalogue_number == 2
    assert reloader.newer_than(reloader.current()).catalogue_number == 2


def test_requests_use_the_old_catalogue_while_one_loads_the_new(
        every_request_checks):
    """Other requests must not wait for the request that loads."""
    loading, over = threading.Event(), threading.Event()

    def build_slowly(service):
        if service.catalogue_number == 2:
            loading.set()
            over.wait(30)
        return build(service)
    reloader = CatalogueReloader(FakeService(1, FakeService(2)), build_slowly)
    first = threading.Thread(target=reloader.current)
    first.start()
    loading.wait(30)
    assert reloader.current().catalogue_number == 1
    over.set()
    first.join()
    assert reloader.loaded.catalogue_number == 2


def test_a_catalogue_that_cannot_be_loaded_is_logged_once_and_retried_later(
        monkeypatch, caplog):
    monkeypatch.setattr(reloading, 'CHECK_SECONDS', -1.0)
    service = FakeService(1, *[StartError('no such word')] * 9)
    reloader = CatalogueReloader(service, build)
    current = reloader.current()
    for _ in range(5):
        assert reloader.current() is reloader.newer_than(current) is current
    assert service.checks == 1
    monkeypatch.setattr(reloading, 'RETRY_SECONDS', -1.0)
    reloader = CatalogueReloader(service, build)
    caplog.clear()
    for _ in range(3):
        reloader.current()
    assert [record.levelno for record in caplog.records
            if 'no such word' in record.message] == [logging.ERROR]


def test_a_worker_keeps_its_catalogue_while_the_database_is_unreachable(
        every_request_checks):
    reloader = CatalogueReloader(
        FakeService(1, Unavailable(), FakeService(2)), build)
    assert [reloader.current().catalogue_number for _ in range(2)] == [1, 2]
