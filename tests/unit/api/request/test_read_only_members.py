# SPDX-License-Identifier: Apache-2.0
"""A client may send back a read-only member, but not with another value."""

import pytest

from api.request import read_only_members
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.errors import FieldForbidden
from tests.unit import stored

SHAPE = stored.catalogue(book='''
name: book
plural: books
properties:
  title: {type: string}
  stock: {type: integer, write_roles: [shop]}
''').types['book'].at(FIRST_VERSION)
READ_ONLY = {'id', 'stock'}
FULL = {'id': '1', 'stock': 3, 'title': 'Dune'}


def writable(**members):
    return read_only_members.writable(members, FULL, READ_ONLY, '/book')


def test_a_read_only_member_with_its_current_value_is_left_out():
    assert writable(**{**FULL, 'title': 'a'}) == ({'title': 'a'}, [])


@pytest.mark.parametrize('value', [4, None, '3', 3.5])
def test_another_value_of_a_read_only_member_is_a_violation(value):
    members, bad = writable(id=value)
    assert members == {}
    assert [(violation.pointer, violation.detail) for violation in bad] == [
        ('/book/id', 'id cannot be written')]


@pytest.mark.parametrize('value', [4, None, '3', 3.5])
def test_a_member_that_other_roles_may_write_is_forbidden(value):
    with pytest.raises(FieldForbidden) as caught:
        writable(id=value, stock=value)
    assert [(violation.pointer, violation.detail)
            for violation in caught.value.violations] == [
        ('/book/stock', 'stock cannot be written by your roles')]


def test_a_write_role_makes_a_property_writable():
    def names(*roles):
        return read_only_members.names(SHAPE, frozenset(roles))
    assert 'stock' in names('member')
    assert 'stock' not in names('member', 'shop')
    assert {'id', 'generation', 'links'} <= names('shop')
