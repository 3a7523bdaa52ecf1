# SPDX-License-Identifier: Apache-2.0
"""Query parameters: parsing, flags, and errors for unknown parameters."""

import pytest

from api.request import call
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.errors import Invalid
from tests.unit import stored


def parsed(query):
    return call.Call(FIRST_VERSION, stored.MEMBER, call.parameters(
        {'QUERY_STRING': query}), None, '', {})


def refused(work):
    with pytest.raises(Invalid) as caught:
        work()
    return [(violation.parameter, violation.detail)
            for violation in caught.value.violations]


@pytest.mark.parametrize(('query', 'flag'), [
    ('', False), ('dry_run=true', True), ('dry_run=false', False),
    ('dry_run=1', True), ('dry_run=0', False), ('dry_run=True', True),
    ('other=true', False)])
def test_a_flag_accepts_the_booleans_that_filters_accept(query, flag):
    assert parsed(query).flag('dry_run') is flag


@pytest.mark.parametrize(('query', 'detail'), [
    ('dry_run=', 'has "", which is neither true nor false'),
    ('dry_run=yes', 'has "yes", which is neither true nor false'),
    ('dry_run=true&dry_run=true', 'is given more than once')])
def test_any_other_value_of_a_flag_is_rejected(query, detail):
    assert refused(lambda: parsed(query).flag('dry_run')) == [
        ('dry_run', f'The parameter dry_run {detail}.')]


def test_each_unknown_parameter_is_reported_once_with_the_known_ones():
    parameters = call.parameters({'QUERY_STRING': 'a=1&b=2&a=3&fields=id'})
    assert refused(lambda: call.check_known(
            parameters, frozenset({'fields'}))) == [
        ('a', 'The parameter a is not known here; valid parameters are '
         'fields.'),
        ('b', 'The parameter b is not known here; valid parameters are '
         'fields.')]
    assert refused(lambda: call.check_known([('a', '')], frozenset())) == [
        ('a', 'The parameter a is not known here; this request takes no '
         'parameters.')]


def test_the_error_shortens_the_name_of_an_unknown_parameter():
    (name, detail), = refused(lambda: call.check_known(
        [('\0' + 'x' * 1000, '')], frozenset()))
    assert len(name) == 64 and name.startswith('?xx')
    assert len(detail) < 200


@pytest.mark.parametrize(('query', 'detail'), [
    ('a=%FF', 'is not UTF-8 after percent-decoding'),
    ('&'.join(['a=1'] * 1001), 'has more than 1000 parameters')])
def test_the_error_of_a_malformed_query_has_the_reason(query, detail):
    assert refused(lambda: call.parameters({'QUERY_STRING': query})) == [
        (None, f'The query {detail}.')]
