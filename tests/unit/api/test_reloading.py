# SPDX-License-Identifier: Apache-2.0
"""One pointer to what is served, and who may move it when."""

from __future__ import annotations

import logging
import threading

import pytest

from api import reloading
from api.reloading import CatalogueAPI, CatalogueReloader
from service.domain.catalogue.types import Catalogue
from service.domain.errors import Unavailable
from service.errors import StartError


class Opened:
    """A service that finds these newer ones, one a look."""

    def __init__(self, generation, *newer):
        self.catalogue_number = generation
        self.catalogue = Catalogue({})
        self.looks = 0
        self._newer = iter(newer)

    def newer(self):
        self.looks += 1
        found = next(self._newer, None)
        if isinstance(found, Exception):
            raise found
        return found


def built(opened):
    return CatalogueAPI(opened, None, None)


@pytest.fixture
def at_once(monkeypatch):
    """Every request looks."""
    monkeypatch.setattr(reloading, 'CHECK_SECONDS', -1.0)


def test_most_requests_do_not_look():
    opened = Opened(1)
    served = CatalogueReloader(opened, built)
    assert {served.current().catalogue_number for _ in range(100)} == {1}
    assert opened.looks == 0


def test_a_look_finds_what_was_applied_meanwhile(at_once):
    served = CatalogueReloader(Opened(1, None, Opened(2)), built)
    assert [served.current().catalogue_number for _ in range(3)] == [1, 2, 2]
    assert served.loaded.catalogue_number == 2


def test_whoever_was_refused_is_given_what_came_after():
    served = CatalogueReloader(Opened(1, Opened(2)), built)
    begun = served.current()
    assert served.newer_than(begun).catalogue_number == 2
    assert served.newer_than(begun).catalogue_number == 2
    assert served.newer_than(served.current()).catalogue_number == 2


def test_one_loads_and_the_others_go_on(at_once):
    """A request that began before must not wait for those that load."""
    loading, over = threading.Event(), threading.Event()

    def slowly(opened):
        if opened.catalogue_number == 2:
            loading.set()
            over.wait(30)
        return built(opened)
    served = CatalogueReloader(Opened(1, Opened(2)), slowly)
    first = threading.Thread(target=served.current)
    first.start()
    loading.wait(30)
    assert served.current().catalogue_number == 1
    over.set()
    first.join()
    assert served.loaded.catalogue_number == 2


def test_what_cannot_be_loaded_is_told_once_and_not_tried_each_time(
        monkeypatch, caplog):
    monkeypatch.setattr(reloading, 'CHECK_SECONDS', -1.0)
    opened = Opened(1, *[StartError('no such word')] * 9)
    served = CatalogueReloader(opened, built)
    begun = served.current()
    for _ in range(5):
        assert served.current() is served.newer_than(begun) is begun
    assert opened.looks == 1
    monkeypatch.setattr(reloading, 'RETRY_SECONDS', -1.0)
    served = CatalogueReloader(opened, built)
    caplog.clear()
    for _ in range(3):
        served.current()
    assert [one.levelno for one in caplog.records
            if 'no such word' in one.message] == [logging.ERROR]


def test_a_database_out_of_reach_changes_nothing(at_once):
    served = CatalogueReloader(Opened(1, Unavailable(), Opened(2)), built)
    assert [served.current().catalogue_number for _ in range(2)] == [1, 2]
