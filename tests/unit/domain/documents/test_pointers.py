# SPDX-License-Identifier: Apache-2.0
"""JSON Pointers follow RFC 6901."""

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
def test_a_pointer_is_split_into_unescaped_steps(pointer, steps):
    assert pointers.tokens(pointer) == steps


@pytest.mark.parametrize(('pointer', 'reason'), [
    ('foo', 'begin'), ('#/foo', 'begin'), ('/~2', '~'), ('/a~', '~'),
    ('/~/x', '~'),
])
def test_an_invalid_pointer_is_refused_with_the_reason(pointer, reason):
    with pytest.raises(ValueError, match=reason):
        pointers.tokens(pointer)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=['Cs']))))
def test_steps_are_unchanged_after_writing_and_parsing_a_pointer(steps):
    pointer = ''
    for step in steps:
        pointer = pointers.child(pointer, step)
    assert pointers.tokens(pointer) == steps


def test_a_lone_surrogate_in_a_name_is_replaced_in_the_pointer():
    assert pointers.child('/a', '\ud800x') == '/a/?x'


def test_containers_come_outer_first_with_pointer_and_depth():
    places = [(container.pointer, container.depth)
              for container in pointers.containers(DOCUMENT)]
    assert places == [('', 1), ('/a', 2), ('/m~0n', 2), ('/a/0', 3),
                      ('/m~0n/x', 3), ('/a/0/b~1c', 4)]


def test_the_steps_of_the_root_pointer_count_as_depth():
    places = [(container.pointer, container.depth)
              for container in pointers.containers({'b': []}, '/hosts/3')]
    assert places == [('/hosts/3', 3), ('/hosts/3/b', 4)]


def test_a_scalar_has_no_containers():
    assert list(pointers.containers('text')) == []
