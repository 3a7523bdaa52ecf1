# SPDX-License-Identifier: Apache-2.0
"""Loading of controllers, and the declarations of their methods."""

import pytest

from api.routing import extensions
from api.routing.extensions import action, route
from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import Catalogue, ResourceType
from service.errors import StartError


class Lamps:
    @action(schema={'type': 'object'}, since='1.4', check='role:admin')
    def light(self, call, id, arguments):
        """Never called here."""

    @action(schema={'type': 'object'}, name='put-out')
    def darken(self, call, id, arguments):
        """Never called here."""

    @route('GET', '/{id}/watts', since='1.5', query=['unit'])
    def watts(self, call, id):
        """Never called here."""

    def helper(self):
        """Has no decorator."""


class Broken:
    @action(schema={'type': 'lamp'})
    def light(self, call, id, arguments):
        """Has an invalid schema."""



def load(controller):
    declared = ResourceType('lamp', 'lamps', controller=controller)
    return extensions.load(Catalogue({'lamp': declared}))


@pytest.fixture
def lamps(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'lamps_for_tests',
                        __import__('types').SimpleNamespace(
                            Lamps=Lamps, Broken=Broken, number=4))
    return 'lamps_for_tests'


def test_a_type_without_a_controller_has_no_extension():
    assert load(None) == ()


def test_actions_have_the_names_that_bodies_use(lamps):
    extension, = load(f'{lamps}:Lamps')
    assert {name: action.method
            for name, action in extension.actions.items()} == {
        'light': 'light', 'put-out': 'darken'}


def test_each_method_has_a_policy_rule(lamps):
    extension, = load(f'{lamps}:Lamps')
    assert sorted(extension.rules) == [
        ('light', 'role:admin'), ('put-out', None), ('watts', None)]


def test_the_newest_method_sets_the_maximum_version(lamps):
    extension, = load(f'{lamps}:Lamps')
    assert extension.maximum == Version(1, 5)


def test_a_path_has_the_method_version_and_parameters_of_its_route(lamps):
    extension, = load(f'{lamps}:Lamps')
    path, = extension.paths
    assert (path.verb, path.path, path.since, path.query) == (
        'GET', '/{id}/watts', Version(1, 5), frozenset({'unit'}))


@pytest.mark.parametrize('controller, text', [
    ('no_such_module:Lamps', "No module named 'no_such_module'"),
    ('lamps_for_tests:Candles', 'Candles'),
    ('lamps_for_tests:number', 'is not a class'),
    ('lamps_for_tests:Broken', 'the schema of light'),
])
def test_a_controller_that_cannot_be_loaded_stops_the_start(lamps, controller,
                                                            text):
    with pytest.raises(StartError) as caught:
        load(controller)
    assert str(caught.value).startswith('the type lamp: controller: ')
    assert text in str(caught.value)


def test_the_decorator_rejects_a_malformed_version():
    with pytest.raises(ValueError, match='1.x'):
        action(schema={}, since='1.x')


@pytest.mark.parametrize('name', ['revert', 'show', 'create'])
def test_a_controller_cannot_redefine_an_action_of_every_type(lamps, name,
                                                              monkeypatch):
    class Shadow:
        @action(schema={'type': 'object'}, name=name)
        def other(self, call, id, arguments):
            """Never called here."""
    monkeypatch.setattr(__import__('sys').modules[lamps], 'Shadow', Shadow,
                        raising=False)
    with pytest.raises(StartError,
                       match=f'every type has an action {name};'):
        load(f'{lamps}:Shadow')
