# SPDX-License-Identifier: Apache-2.0
"""Check all routes, errors and options, and the imports of all modules.

A new route, error or option fails here until it is complete.
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
CODE = [path for package in ('api', 'service')
        for path in sorted((ROOT / package).rglob('*.py'))]

#: Paths of routes without authentication.
OPEN_PATHS = {'/', '/test', '/errors/{code}'}
#: Writes whose path has all their data.
WRITES_WITHOUT_BODY = {('PUT', '/tags/{tag}')}


def relative_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, ``from a import b`` as
    ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def is_in(dotted: str, *packages: str) -> bool:
    return any(f'{dotted}.'.startswith(f'{package}.') for package in packages)


@pytest.fixture(scope='module')
def router(tmp_path_factory: pytest.TempPathFactory) -> APIRouter:
    """The router of the shipped types."""
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

def test_every_route_calls_the_action_that_it_names(router):
    for route in router.table:
        assert router.action(route).__name__ == route.action


def test_no_two_routes_have_the_same_method_and_path(routes):
    assert len({(route.method, route.path) for route in routes}) == len(routes)


def test_every_write_has_a_body_or_is_listed_without(routes):
    for route in routes:
        end = route.path.partition('/{id}')[2]
        if route.method in ('POST', 'PUT', 'PATCH'):
            assert bool(route.body) != ((route.method,
                                         end) in WRITES_WITHOUT_BODY)
        else:
            assert route.body == ()


def test_every_written_type_has_a_strict_schema_at_each_version(routes):
    written = {route.declared for route in routes if route.body}
    for declared in written - {None}:
        for shape in declared.shapes:
            schemas.compile_schema(schemas.of_shape(shape))
            assert schemas.of_shape(shape)['additionalProperties'] is False


def test_every_route_is_guarded_or_listed_as_open(routes):
    for route in routes:
        if route.method != 'OPTIONS':
            assert (route.rule is OPEN) == (route.path in OPEN_PATHS), route


def test_every_route_of_a_type_has_a_rule_of_that_type(routes):
    for route in routes:
        if route.declared is not None and route.method != 'OPTIONS':
            assert route.rule.startswith(f'pileus:{route.declared.plural}:')


def test_no_write_is_guarded_by_a_rule_for_reading(routes):
    """Actions are left out: their rule depends on the body."""
    for route in routes:
        if route.action != 'act' and route.method in (
                'POST', 'PUT', 'PATCH', 'DELETE'):
            assert route.rule.rpartition(':')[2] not in ('show', 'list')


def test_every_path_has_an_options_route(routes):
    paths = {route.path for route in routes}
    assert paths == {route.path for route in routes
                     if route.method == 'OPTIONS'}


def test_every_path_is_lower_case(routes):
    for route in routes:
        for word in route.path.split('/')[1:]:
            plain = word.strip('{}').replace('-', '').replace('_', '')
            assert not plain or (plain.isalnum() and plain == plain.lower())


# Errors

def failures(error: type[PileusError] = PileusError) -> Iterator[
        type[PileusError]]:
    for subclass in error.__subclasses__():
        if is_in(subclass.__module__, 'api', 'service'):
            yield subclass
            yield from failures(subclass)


@pytest.mark.parametrize('error', sorted(set(failures()),
                                         key=lambda error: error.code),
                         ids=lambda error: error.code)
def test_every_error_has_a_code_a_title_and_a_status(error):
    parents = {parent.code for parent in error.__mro__[1:]
               if hasattr(parent, 'code')}
    assert error.code not in parents
    assert 'title' in vars(error)
    assert any(parent in faults.STATUS for parent in error.__mro__) != (
        error is faults.Internal)
    assert error.code in error_help.CODES


def test_no_two_errors_share_a_code():
    codes = [error.code for error in set(failures())]
    assert len(codes) == len(set(codes))


def test_only_faults_of_the_service_are_5xx():
    ours = {error.__name__ for error in set(failures())
            if faults.status(error) >= 500}
    assert ours == {'Internal', 'Unavailable', 'Outdated',
                    'IdentityUnavailable'}


# Options

@pytest.mark.parametrize('option', [
    pytest.param(option, id=f'{group}.{option.name}')
    for group, group_options in options.listed() for option in group_options])
def test_the_help_of_every_option_is_a_sentence(option: cfg.Opt):
    assert option.help and option.help[0].isupper()
    assert option.help.endswith('.')


# Imports

#: Package -> modules that it must not import.
FORBIDDEN_IMPORTS = [
    ('service/domain', ('api', 'service.storage', 'service.process',
                        'service.config', 'sqlalchemy', 'webob',
                        'oslo_config', 'oslo_db', 'oslo_log', 'oslo_policy')),
    ('service/storage', ('api', 'service.process', 'webob')),
    ('service/process', ('api', 'service.storage', 'service.domain')),
    ('service', ('api',)),
    ('api', ('service.process', 'service.storage', 'sqlalchemy')),
]


@pytest.mark.parametrize(('package', 'forbidden'), FORBIDDEN_IMPORTS,
                         ids=lambda value: (
                             value if isinstance(value, str) else ''))
def test_no_package_imports_a_higher_layer(package: str,
                                           forbidden: tuple[str, ...]):
    wrong = [(relative_path(path), module) for path in CODE
             if relative_path(path).startswith(f'{package}/')
             for module in imports(path) if is_in(module, *forbidden)]
    assert wrong == []


def test_only_service_process_imports_eventlet():
    importers = {relative_path(path) for path in CODE
                 for module in imports(path) if is_in(module, 'eventlet')}
    assert importers
    assert all(path.startswith('service/process/') for path in importers)


# Files

def catch_alls(path: Path) -> int:
    return sum(isinstance(node, ast.ExceptHandler) and (
        node.type is None or getattr(node.type, 'id', '') in (
            'Exception', 'BaseException'))
        for node in ast.walk(ast.parse(path.read_text())))


def test_only_faults_catches_all_exceptions():
    counts = {relative_path(path): catch_alls(path) for path in CODE
              if relative_path(path).startswith(('api/', 'service/domain/',
                                                 'service/storage/'))}
    assert {path: count for path, count in counts.items() if count} == {
        'api/response/faults.py': 1}


@pytest.mark.parametrize('path', CODE, ids=relative_path)
def test_a_file_has_a_licence_line_and_at_most_300_lines(path: Path):
    text = path.read_text()
    assert text.startswith('# SPDX-License-Identifier: Apache-2.0\n')
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize('path', CODE, ids=relative_path)
def test_a_module_with_code_has_a_docstring(path: Path):
    module = ast.parse(path.read_text())
    assert not module.body or ast.get_docstring(module)
