# SPDX-License-Identifier: Apache-2.0
"""A request's parameters are read strictly, and a refusal names each."""

import pytest

from api.request import call
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.errors import Invalid
from tests.unit import stored


def asked(query):
    return call.Call(FIRST_VERSION, stored.MEMBER, call.parameters(
        {'QUERY_STRING': query}), None, '', {})


def refused(work):
    with pytest.raises(Invalid) as caught:
        work()
    return [(one.parameter, one.detail) for one in caught.value.violations]


@pytest.mark.parametrize(('query', 'flag'), [
    ('', False), ('dry_run=true', True), ('dry_run=false', False),
    ('dry_run=1', True), ('dry_run=0', False), ('dry_run=True', True),
    ('other=true', False)])
def test_a_flag_is_read_as_lists_read_booleans(query, flag):
    assert asked(query).flag('dry_run') is flag


@pytest.mark.parametrize(('query', 'detail'), [
    ('dry_run=', 'has "", which is neither true nor false'),
    ('dry_run=yes', 'has "yes", which is neither true nor false'),
    ('dry_run=true&dry_run=true', 'is given more than once')])
def test_any_other_flag_is_refused_with_what_would_do(query, detail):
    assert refused(lambda: asked(query).flag('dry_run')) == [
        ('dry_run', f'The parameter dry_run {detail}.')]


def test_every_unknown_parameter_is_told_once_with_what_is_known():
    given = call.parameters({'QUERY_STRING': 'a=1&b=2&a=3&fields=id'})
    assert refused(lambda: call.check_known(given, frozenset({'fields'}))) == [
        ('a', 'The parameter a is not known here; one may give fields.'),
        ('b', 'The parameter b is not known here; one may give fields.')]
    assert refused(lambda: call.check_known([('a', '')], frozenset())) == [
        ('a', 'The parameter a is not known here; this request takes none.')]


def test_the_name_of_an_unknown_parameter_is_told_short_and_storable():
    (name, detail), = refused(lambda: call.check_known(
        [('\0' + 'x' * 1000, '')], frozenset()))
    assert len(name) == 64 and name.startswith('?xx')
    assert len(detail) < 200


@pytest.mark.parametrize(('query', 'detail'), [
    ('a=%FF', 'is not UTF-8 behind its percent signs'),
    ('&'.join(['a=1'] * 1001), 'has more than 1000 parameters')])
def test_a_query_that_cannot_be_read_says_why(query, detail):
    assert refused(lambda: call.parameters({'QUERY_STRING': query})) == [
        (None, f'The query {detail}.')]
