# SPDX-License-Identifier: Apache-2.0
"""JSON Pointers are read and written as RFC 6901 has them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.documents import pointers

DOCUMENT = {'a': [{'b/c': {}}, 1], 'm~n': {'x': []}, 'scalar': 'text'}


@pytest.mark.parametrize(('pointer', 'steps'), [
    ('', []),
    ('/', ['']),
    ('/foo/0', ['foo', '0']),
    ('/a~1b', ['a/b']),
    ('/m~0n', ['m~n']),
    ('/~01', ['~1']),
    ('//x/', ['', 'x', '']),
    ('/ ', [' ']),
])
def test_a_pointer_is_its_steps(pointer, steps):
    assert pointers.tokens(pointer) == steps


@pytest.mark.parametrize(('pointer', 'reason'), [
    ('foo', 'begin'), ('#/foo', 'begin'), ('/~2', '~'), ('/a~', '~'),
    ('/~/x', '~'),
])
def test_what_is_no_pointer_is_refused_with_the_reason(pointer, reason):
    with pytest.raises(ValueError, match=reason):
        pointers.tokens(pointer)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=['Cs']))))
def test_steps_survive_being_written_as_a_pointer(steps):
    pointer = ''
    for step in steps:
        pointer = pointers.child(pointer, step)
    assert pointers.tokens(pointer) == steps


def test_a_pointer_can_be_sent_whatever_the_name_has_in_it():
    assert pointers.child('/a', '\ud800x') == '/a/?x'


def test_every_container_is_met_outer_ones_first_with_its_place():
    met = [(place.pointer, place.depth)
           for place in pointers.containers(DOCUMENT)]
    assert met == [('', 1), ('/a', 2), ('/m~0n', 2), ('/a/0', 3),
                   ('/m~0n/x', 3), ('/a/0/b~1c', 4)]


def test_the_steps_to_the_document_count_as_depth():
    met = [(place.pointer, place.depth)
           for place in pointers.containers({'b': []}, '/hosts/3')]
    assert met == [('/hosts/3', 3), ('/hosts/3/b', 4)]


def test_a_scalar_has_no_containers():
    assert list(pointers.containers('text')) == []
