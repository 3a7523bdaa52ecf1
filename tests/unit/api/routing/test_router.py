# SPDX-License-Identifier: Apache-2.0
"""The Route and the action of a path and method."""

import pytest

from api.request import errors
from api.routing.router import APIRouter, Route, RouteMap
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import ResourceType
from tests.unit.api.calling import environ

LATER = Version(1, 3)
BOOK = ResourceType('book', 'books')
SHELF = ResourceType('shelf', 'shelves', since=LATER, until=Version(1, 5))


class Controller:
    """Actions that return their names."""

    def list(self):
        return 'list'

    def show(self):
        return 'show'

    def delete(self):
        return 'delete'


ROUTES = (
    Route('/books', 'GET', 'books', 'list', 'r', declared=BOOK),
    Route('/books/{id}', 'GET', 'books', 'show', 'r', declared=BOOK),
    Route('/books/{id}', 'DELETE', 'books', 'delete', 'r', declared=BOOK,
          since=LATER),
    Route('/books/{id}/pages/{page}', 'GET', 'books', 'show', 'r',
          declared=BOOK, tail=True),
    Route('/shelves', 'GET', 'books', 'list', 'r', declared=SHELF),
)


@pytest.fixture(scope='module')
def router():
    return APIRouter(RouteMap(ROUTES), {'books': Controller()})


@pytest.mark.parametrize(('method', 'path', 'called', 'values'), [
    ('GET', '/books', 'list', {}),
    ('HEAD', '/books', 'list', {}),
    ('GET', '/books/7', 'show', {'id': '7'}),
    ('GET', '/books/7/pages/x', 'show', {'id': '7', 'page': 'x'}),
    ('GET', '/books/7/pages/a/b', 'show', {'id': '7', 'page': 'a/b'}),
    ('GET', '/books/a.b', 'show', {'id': 'a.b'}),
    ('GET', '/books/' + '\u00e9'.encode().decode('latin-1'), 'show',
     {'id': '\u00e9'})])
def test_a_path_gives_an_action_and_values(router, method, path, called,
                                           values):
    route, action, matched = router.match(environ(path, method),
                                          FIRST_VERSION)
    assert (action(), matched) == (called, values)
    assert route in ROUTES


@pytest.mark.parametrize('path', [
    '/', '', '/book', '/books/', '/Books', '/books//', '/books/7/',
    '/books/7/8', '/books\n', '//books', '/books/\xff'])
def test_any_other_path_does_not_exist(router, path):
    with pytest.raises(errors.NoSuchPath):
        router.match(environ(path), FIRST_VERSION)


def test_the_error_shortens_a_long_path(router):
    with pytest.raises(errors.NoSuchPath) as caught:
        router.match(environ('/' + 'x' * 5000), FIRST_VERSION)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(('method', 'version', 'allow'), [
    ('POST', FIRST_VERSION, 'GET, HEAD'),
    ('POST', LATER, 'GET, HEAD, DELETE'),
    ('BREW', FIRST_VERSION, 'GET, HEAD')])
def test_an_unsupported_method_gets_the_methods_of_the_path(
        router, method, version, allow):
    with pytest.raises(errors.MethodNotAllowed) as caught:
        router.match(environ('/books/7', method), version)
    assert caught.value.facts['allow'] == allow


@pytest.mark.parametrize(('version', 'known'), [
    (FIRST_VERSION, []), (LATER, ['GET', 'HEAD']), (Version(1, 10), [])])
def test_a_type_has_paths_from_its_since_to_its_until(version, known):
    assert RouteMap(ROUTES).allowed(environ('/shelves'), version) == known


def test_a_method_of_a_later_version_is_not_allowed(router):
    """The path exists, so the error is 405, as for any unsupported method."""
    with pytest.raises(errors.MethodNotAllowed) as caught:
        router.match(environ('/books/7', 'DELETE'), FIRST_VERSION)
    assert caught.value.facts['allow'] == 'GET, HEAD'


def test_a_route_to_a_missing_action_stops_the_start():
    with pytest.raises(AttributeError):
        APIRouter(RouteMap([Route('/', 'GET', 'books', 'nothing', 'r')]),
                  {'books': Controller()})
