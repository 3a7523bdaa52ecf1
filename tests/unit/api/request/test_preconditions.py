# SPDX-License-Identifier: Apache-2.0
"""What If-Match and If-None-Match say."""

import time

import pytest

from api.request import preconditions
from api.request.errors import PreconditionRequired
from service.domain.errors import Invalid
from service.domain.records.preconditions import Precondition
from tests.unit.stored import UNCONDITIONAL

ETAG = '"3-5f2a9c1b07-77ab01ce"'
STAMP = '3-5f2a9c1b07'


def seen(**headers):
    return preconditions.for_write({'REQUEST_METHOD': 'PUT', **headers})


def stamps(*words):
    return Precondition(tokens=frozenset(words))


@pytest.mark.parametrize(('header', 'said'), [
    (ETAG, stamps(STAMP)),
    (f'  {ETAG}\t', stamps(STAMP)),
    (f'{ETAG}, "4-0-1"', stamps(STAMP, '4-0')),
    (f'{ETAG},"4-0-1","5-0-1"', stamps(STAMP, '4-0', '5-0')),
    (f'{ETAG} ,\t"4-0-1"', stamps(STAMP, '4-0')),
    (f',{ETAG},,', stamps(STAMP)),
    (f'W/{ETAG}', stamps()),
    (f'W/{ETAG}, "4-0-1"', stamps('4-0')),
    ('"a,b"', stamps('')),
    ('"3-5f2a9c1b07-another-view"', stamps('3-5f2a9c1b07-another')),
    ('*', Precondition(exists=True)),
    (' * ', Precondition(exists=True))])
def test_what_a_write_says_it_saw(header, said):
    assert seen(HTTP_IF_MATCH=header) == said


def test_a_write_that_says_nothing_goes_anyhow():
    assert seen() == UNCONDITIONAL


def test_a_write_may_say_that_nothing_is_there():
    assert seen(HTTP_IF_NONE_MATCH='*') == Precondition(absent=True)
    assert seen(HTTP_IF_NONE_MATCH='*', HTTP_IF_MATCH='*') == Precondition(
        exists=True, absent=True)


@pytest.mark.parametrize('header', [
    '', ' ', ',', ', ,', 'abc', '3-5f2a9c1b07', '"abc', 'abc"', '"a" "b"',
    '"a";"b"', "'a'", '"a" b', 'w/"a"', 'W/ "a"', '*, "a"', '"a", *',
    '"a\nb"', '"a"\n', '"a b"', '"a\x00b"'])
def test_what_is_no_list_of_tags_is_told_so(header):
    with pytest.raises(Invalid) as caught:
        seen(HTTP_IF_MATCH=header)
    [violation] = caught.value.violations
    assert violation.parameter == 'If-Match'


@pytest.mark.parametrize('header', [ETAG, '', 'abc'])
def test_a_write_cannot_ask_for_another_state(header):
    with pytest.raises(Invalid) as caught:
        seen(HTTP_IF_NONE_MATCH=header)
    assert caught.value.violations[0].parameter == 'If-None-Match'


def test_a_write_must_say_something_where_that_is_required():
    with pytest.raises(PreconditionRequired):
        preconditions.for_write({'REQUEST_METHOD': 'PUT'}, required=True)
    for header in ('HTTP_IF_MATCH', 'HTTP_IF_NONE_MATCH'):
        assert preconditions.for_write({header: '*'},
                                       required=True) != UNCONDITIONAL


@pytest.mark.parametrize(('header', 'unchanged'), [
    (ETAG, True), (f'W/{ETAG}', True), ('*', True),
    (f'"other", {ETAG}', True), ('"other"', False),
    ('"3-5f2a9c1b07-another"', False), (None, False)])
def test_who_has_it_does_not_get_it_again(header, unchanged):
    environ = {} if header is None else {'HTTP_IF_NONE_MATCH': header}
    assert preconditions.unchanged(environ, ETAG) is unchanged


@pytest.mark.parametrize('header', [
    '"a",' * 2000 + 'x', ' ' * 8000 + 'x', ', ' * 4000 + 'x',
    '"' + 'a' * 8000, 'W/' * 4000, '"",' * 2000 + '"'])
def test_a_long_header_is_read_in_no_time(header):
    begun = time.perf_counter()
    with pytest.raises(Invalid):
        seen(HTTP_IF_MATCH=header)
    assert time.perf_counter() - begun < 0.1
