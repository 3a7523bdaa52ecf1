# SPDX-License-Identifier: Apache-2.0
"""A Python controller says beside its methods what a request on them meets."""

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
        """Bound to nothing."""


class Broken:
    @action(schema={'type': 'lamp'})
    def light(self, call, id, arguments):
        """Its schema is none."""



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


def test_actions_go_by_the_name_in_the_body(lamps):
    one, = load(f'{lamps}:Lamps')
    assert {name: one.actions[name].method for name in one.actions} == {
        'light': 'light', 'put-out': 'darken'}


def test_each_method_brings_its_rule(lamps):
    one, = load(f'{lamps}:Lamps')
    assert sorted(one.rules) == [('light', 'role:admin'), ('put-out', None),
                                 ('watts', None)]


def test_the_newest_method_counts_towards_the_newest_version(lamps):
    one, = load(f'{lamps}:Lamps')
    assert one.maximum == Version(1, 5)


def test_a_path_of_its_own_says_all_of_its_route(lamps):
    one, = load(f'{lamps}:Lamps')
    path, = one.paths
    assert (path.verb, path.path, path.since, path.query) == (
        'GET', '/{id}/watts', Version(1, 5), frozenset({'unit'}))


@pytest.mark.parametrize('controller, told', [
    ('no_such_module:Lamps', "No module named 'no_such_module'"),
    ('lamps_for_tests:Candles', 'Candles'),
    ('lamps_for_tests:number', 'is not a class'),
    ('lamps_for_tests:Broken', 'the schema of light'),
])
def test_what_cannot_be_loaded_stops_the_start(lamps, controller, told):
    with pytest.raises(StartError) as caught:
        load(controller)
    assert str(caught.value).startswith('the type lamp: controller: ')
    assert told in str(caught.value)


def test_a_version_that_is_none_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match='1.x'):
        action(schema={}, since='1.x')


@pytest.mark.parametrize('name', ['revert', 'show', 'create'])
def test_what_every_type_has_no_controller_has_otherwise(lamps, name,
                                                         monkeypatch):
    class Shadow:
        @action(schema={'type': 'object'}, name=name)
        def other(self, call, id, arguments):
            """Never called here."""
    monkeypatch.setattr(__import__('sys').modules[lamps], 'Shadow', Shadow,
                        raising=False)
    with pytest.raises(StartError, match=f'{name} is what every type has'):
        load(f'{lamps}:Shadow')
