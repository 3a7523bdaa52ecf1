# SPDX-License-Identifier: Apache-2.0
"""Parsing of If-Match and If-None-Match."""

import time

import pytest

from api.request import preconditions
from api.request.errors import PreconditionRequired
from service.domain.errors import Invalid
from service.domain.records.preconditions import Precondition
from tests.unit.stored import UNCONDITIONAL

ETAG = '"3-5f2a9c1b07-77ab01ce"'
TOKEN = '3-5f2a9c1b07'


def for_write(**headers):
    return preconditions.for_write({'REQUEST_METHOD': 'PUT', **headers})


def tokens(*words):
    return Precondition(tokens=frozenset(words))


@pytest.mark.parametrize(('header', 'condition'), [
    (ETAG, tokens(TOKEN)),
    (f'  {ETAG}\t', tokens(TOKEN)),
    (f'{ETAG}, "4-0-1"', tokens(TOKEN, '4-0')),
    (f'{ETAG},"4-0-1","5-0-1"', tokens(TOKEN, '4-0', '5-0')),
    (f'{ETAG} ,\t"4-0-1"', tokens(TOKEN, '4-0')),
    (f',{ETAG},,', tokens(TOKEN)),
    (f'W/{ETAG}', tokens()),
    (f'W/{ETAG}, "4-0-1"', tokens('4-0')),
    ('"a,b"', tokens('')),
    ('"3-5f2a9c1b07-another-view"', tokens('3-5f2a9c1b07-another')),
    ('*', Precondition(exists=True)),
    (' * ', Precondition(exists=True))])
def test_the_condition_of_an_if_match_header(header, condition):
    assert for_write(HTTP_IF_MATCH=header) == condition


def test_a_write_without_the_headers_has_no_condition():
    assert for_write() == UNCONDITIONAL


def test_a_write_may_require_that_the_record_does_not_exist():
    assert for_write(HTTP_IF_NONE_MATCH='*') == Precondition(absent=True)
    both = for_write(HTTP_IF_NONE_MATCH='*', HTTP_IF_MATCH='*')
    assert both == Precondition(exists=True, absent=True)


@pytest.mark.parametrize('header', [
    '', ' ', ',', ', ,', 'abc', '3-5f2a9c1b07', '"abc', 'abc"', '"a" "b"',
    '"a";"b"', "'a'", '"a" b', 'w/"a"', 'W/ "a"', '*, "a"', '"a", *',
    '"a\nb"', '"a"\n', '"a b"', '"a\x00b"'])
def test_a_malformed_list_of_tags_is_rejected(header):
    with pytest.raises(Invalid) as caught:
        for_write(HTTP_IF_MATCH=header)
    [violation] = caught.value.violations
    assert violation.parameter == 'If-Match'


@pytest.mark.parametrize('header', [ETAG, '', 'abc'])
def test_a_write_accepts_only_a_star_in_if_none_match(header):
    with pytest.raises(Invalid) as caught:
        for_write(HTTP_IF_NONE_MATCH=header)
    assert caught.value.violations[0].parameter == 'If-None-Match'


def test_a_write_needs_one_of_the_headers_where_a_condition_is_required():
    with pytest.raises(PreconditionRequired):
        preconditions.for_write({'REQUEST_METHOD': 'PUT'}, required=True)
    for header in ('HTTP_IF_MATCH', 'HTTP_IF_NONE_MATCH'):
        assert preconditions.for_write({header: '*'},
                                       required=True) != UNCONDITIONAL


@pytest.mark.parametrize(('header', 'unchanged'), [
    (ETAG, True), (f'W/{ETAG}', True), ('*', True),
    (f'"other", {ETAG}', True), ('"other"', False),
    ('"3-5f2a9c1b07-another"', False), (None, False)])
def test_a_read_with_the_current_etag_is_unchanged(header, unchanged):
    environ = {} if header is None else {'HTTP_IF_NONE_MATCH': header}
    assert preconditions.unchanged(environ, ETAG) is unchanged


@pytest.mark.parametrize('header', [
    '"a",' * 2000 + 'x', ' ' * 8000 + 'x', ', ' * 4000 + 'x',
    '"' + 'a' * 8000, 'W/' * 4000, '"",' * 2000 + '"'])
def test_a_long_header_is_rejected_within_a_tenth_of_a_second(header):
    start = time.perf_counter()
    with pytest.raises(Invalid):
        for_write(HTTP_IF_MATCH=header)
    assert time.perf_counter() - start < 0.1
