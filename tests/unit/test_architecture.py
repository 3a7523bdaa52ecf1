# SPDX-License-Identifier: Apache-2.0
"""Walks over what is a table: routes, errors, options; and over the imports.

Whoever adds a line to one of the tables is told here what it still wants.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from api import app
from api.request import schemas
from api.response import error_help, faults
from api.routing.router import OPEN, APIRouter, Route
from service.config import options
from service.domain.errors import PileusError

ROOT = Path(__file__).parents[2]
CODE = [path for room in ('api', 'service')
        for path in sorted((ROOT / room).rglob('*.py'))]

#: Routes that a caller needs no token for.
OPEN_PATHS = {'/', '/test', '/errors/{code}'}
#: Writes that say all they have to say by their path.
BODILESS = {('PUT', '/tags/{tag}')}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """The dotted names a file imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{one.name}' for one in node.names)


def within(dotted: str, *rooms: str) -> bool:
    return any(f'{dotted}.'.startswith(f'{room}.') for room in rooms)


@pytest.fixture(scope='module')
def router(tmp_path_factory: pytest.TempPathFactory) -> APIRouter:
    """The API over the shipped types."""
    directory = tmp_path_factory.mktemp('etc')
    (directory / 'pileus.conf').write_text(
        f'[DEFAULT]\nstate_path = {directory}/state\n[api]\n'
        f'types_dir = {ROOT}/etc/pileus/resources.d\n')
    opened = app.catalogue_reloader({'config_dirs': str(directory)})
    return opened.loaded.api._router


@pytest.fixture(scope='module')
def routes(router: APIRouter) -> tuple[Route, ...]:
    return router.table


# Routes

def test_every_route_is_bound_to_the_action_it_names(router):
    for route in router.table:
        assert router.action(route).__name__ == route.action


def test_no_two_routes_are_the_same(routes):
    assert len({(one.method, one.path) for one in routes}) == len(routes)


def test_every_write_reads_a_body_or_is_listed_without(routes):
    for route in routes:
        end = route.path.partition('/{id}')[2]
        if route.method in ('POST', 'PUT', 'PATCH'):
            assert bool(route.body) != ((route.method, end) in BODILESS)
        else:
            assert route.body == ()


def test_every_type_that_is_written_has_a_schema_at_every_version(routes):
    written = {one.declared for one in routes if one.body}
    for declared in written - {None}:
        for shape in declared.shapes:
            schemas.compile_schema(schemas.of_shape(shape))
            assert schemas.of_shape(shape)['additionalProperties'] is False


def test_every_route_is_guarded_or_listed_as_open(routes):
    for route in routes:
        if route.method != 'OPTIONS':
            assert (route.rule is OPEN) == (route.path in OPEN_PATHS), route


def test_every_route_of_a_type_goes_by_a_rule_of_that_type(routes):
    for route in routes:
        if route.declared is not None and route.method != 'OPTIONS':
            assert route.rule.startswith(f'pileus:{route.declared.plural}:')


def test_what_changes_a_record_goes_by_no_rule_of_reading(routes):
    """But an action, whose own rule is known when its body is read."""
    for route in routes:
        if route.action != 'act' and route.method in (
                'POST', 'PUT', 'PATCH', 'DELETE'):
            assert route.rule.rpartition(':')[2] not in ('show', 'list')


def test_every_path_takes_options(routes):
    paths = {one.path for one in routes}
    assert {one.path for one in routes if one.method == 'OPTIONS'} == paths


def test_every_path_is_of_small_words(routes):
    for route in routes:
        for word in route.path.split('/')[1:]:
            plain = word.strip('{}').replace('-', '').replace('_', '')
            assert not plain or (plain.isalnum() and plain == plain.lower())


# Errors

def failures(error: type[PileusError] = PileusError) -> Iterator[
        type[PileusError]]:
    for one in error.__subclasses__():
        if within(one.__module__, 'api', 'service'):
            yield one
            yield from failures(one)


@pytest.mark.parametrize('error', sorted(set(failures()),
                                         key=lambda one: one.code),
                         ids=lambda one: one.code)
def test_every_error_has_a_code_a_title_and_a_status(error):
    parents = {one.code for one in error.__mro__[1:] if hasattr(one, 'code')}
    assert error.code not in parents
    assert 'title' in vars(error)
    assert any(one in faults.STATUS for one in error.__mro__) != (
        error is faults.Internal)
    assert error.code in error_help.CODES


def test_no_two_errors_share_a_code():
    codes = [one.code for one in set(failures())]
    assert len(codes) == len(set(codes))


def test_a_clients_mistake_is_never_a_5xx():
    ours = {error.__name__ for error in set(failures())
            if faults.status(error) >= 500}
    assert ours == {'Internal', 'Unavailable', 'Outdated',
                    'IdentityUnavailable'}


# Options

@pytest.mark.parametrize('option', [
    pytest.param(one, id=f'{group}.{one.name}')
    for group, listed in options.listed() for one in listed])
def test_every_option_is_told_in_a_sentence(option: cfg.Opt):
    assert option.help and option.help[0].isupper()
    assert option.help.endswith('.')


# Imports

#: Room, and what it may not know.
ARROWS = [
    ('service/domain', ('api', 'service.storage', 'service.process',
                        'service.config', 'sqlalchemy', 'webob',
                        'oslo_config', 'oslo_db', 'oslo_log', 'oslo_policy')),
    ('service/storage', ('api', 'service.process', 'webob')),
    ('service/process', ('api', 'service.storage', 'service.domain')),
    ('service', ('api',)),
    ('api', ('service.process', 'service.storage', 'sqlalchemy')),
]


@pytest.mark.parametrize(('room', 'unknown'), ARROWS,
                         ids=lambda one: one if isinstance(one, str) else '')
def test_imports_go_one_way(room: str, unknown: tuple[str, ...]):
    wrong = [(name(path), one) for path in CODE
             if name(path).startswith(f'{room}/') for one in imports(path)
             if within(one, *unknown)]
    assert wrong == []


def test_only_the_process_imports_eventlet():
    who = {name(path) for path in CODE for one in imports(path)
           if within(one, 'eventlet')}
    assert who and all(one.startswith('service/process/') for one in who)


# Files

def catch_alls(path: Path) -> int:
    return sum(isinstance(node, ast.ExceptHandler) and (
        node.type is None or getattr(node.type, 'id', '') in (
            'Exception', 'BaseException'))
        for node in ast.walk(ast.parse(path.read_text())))


def test_there_is_one_catch_all_behind_the_pipeline():
    found = {name(path): catch_alls(path) for path in CODE
             if name(path).startswith(('api/', 'service/domain/',
                                       'service/storage/'))}
    assert {path: count for path, count in found.items() if count} == {
        'api/response/faults.py': 1}


@pytest.mark.parametrize('path', CODE, ids=name)
def test_a_file_is_read_in_one_sitting(path: Path):
    text = path.read_text()
    assert text.startswith('# SPDX-License-Identifier: Apache-2.0\n')
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize('path', CODE, ids=name)
def test_a_module_with_code_says_what_it_is_for(path: Path):
    module = ast.parse(path.read_text())
    assert not module.body or ast.get_docstring(module)
