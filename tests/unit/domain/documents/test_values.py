# SPDX-License-Identifier: Apache-2.0
"""Each value has a canonical form that every database can store."""

import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.catalogue import types
from service.domain.documents import timestamps, values

FORM = re.compile(r'[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', re.ASCII)

INSTANTS = st.datetimes(
    datetime(1000, 1, 2), datetime(9999, 12, 30),
    timezones=st.builds(timezone, st.timedeltas(
        timedelta(hours=-23, minutes=-59),
        timedelta(hours=23, minutes=59)).map(
            lambda offset: timedelta(
                minutes=offset // timedelta(minutes=1)))))


def declared(**properties):
    return types.ResourceType('host', 'hosts', properties={
        name: types.Property(name, **words)
        for name, words in properties.items()}).shapes[0]


HOST = declared(
    name={'kind': 'string'},
    seen_at={'kind': 'string', 'format': 'date-time'},
    ends_at={'kind': 'string', 'format': 'date-time'},
    memory={'kind': 'integer'},
    load={'kind': 'number'},
    labels={'kind': 'object'})


# Times

@pytest.mark.parametrize(('text', 'instant'), [
    ('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01t00:00:00z', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T00:00Z', '2026-01-01T00:00:00.000000Z'),
    ('20260101T000000Z', '2026-01-01T00:00:00.000000Z'),
    ('20260101T0000Z', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T09:00:00+09:00', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T09:00:00+0900', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T09:00:00+09', '2026-01-01T00:00:00.000000Z'),
    ('20260101T090000+0900', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T00:00:00-00:00', '2026-01-01T00:00:00.000000Z'),
    ('2025-12-31T20:30:00-03:30', '2026-01-01T00:00:00.000000Z'),
    ('2026-01-01T23:59:59+23:59', '2026-01-01T00:00:59.000000Z'),
    ('2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00.500000Z'),
    ('2026-01-01T00:00:00,5Z', '2026-01-01T00:00:00.500000Z'),
    ('20260101T000000.123456Z', '2026-01-01T00:00:00.123456Z'),
    ('2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000000Z'),
    ('1000-01-01T00:00:00Z', '1000-01-01T00:00:00.000000Z'),
    ('9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'),
])
def test_equal_times_have_the_same_canonical_text(text, instant):
    """TIME-2"""
    assert timestamps.canonical(text) == instant


@pytest.mark.parametrize(('text', 'reason'), [
    ('2026-01-01T00:00:00', 'offset'),
    ('20260101T000000', 'offset'),
    ('2026-01-01T00:00', 'offset'),
    ('2026-01-01', 'time of day'),
    ('20260101', 'time of day'),
    ('2026-01-01 00:00:00Z', 'blank'),
    ('2016-12-31T23:59:60Z', 'leap second'),
    ('20161231T235960Z', 'leap second'),
    ('2016-12-31T23:59:60.5Z', 'leap second'),
    ('2026-01-01T00:00:00.1234567Z', '6 digits'),
    ('20260101T000000,1234567Z', '6 digits'),
    ('2026-01-01T00:00:00.' + '0' * 100_000 + 'Z', '6 digits'),
    ('2026-01-01T24:00:00Z', 'hour 24'),
    ('0999-12-31T00:00:00Z', 'years 1000 to 9999'),
    ('0000-01-01T00:00:00Z', 'years 1000 to 9999'),
    ('+12026-01-01T00:00:00Z', 'years 1000 to 9999'),
    ('1000-01-01T00:00:00+00:01', 'years 1000 to 9999'),
    ('9999-12-31T23:59:59-00:01', 'years 1000 to 9999'),
    ('2026-02-29T00:00:00Z', 'calendar'),
    ('2026-00-01T00:00:00Z', 'calendar'),
    ('2026-13-01T00:00:00Z', 'calendar'),
    ('2026-01-32T00:00:00Z', 'calendar'),
    ('2026-01-01T25:00:00Z', 'ISO 8601'),
    ('2026-01-01T00:60:00Z', 'ISO 8601'),
    ('2026-01-01T00:00:61Z', 'ISO 8601'),
    ('2026-01-01T00:00:00+24:00', 'ISO 8601'),
    ('2026-01-01T00:00:00+05:60', 'ISO 8601'),
    ('2026-01-01T00:00:00.Z', 'ISO 8601'),
    ('2026-01-01T00Z', 'ISO 8601'),
    ('2026-01-01T000000Z', 'ISO 8601'),
    ('20260101T00:00:00Z', 'ISO 8601'),
    ('2026-W01-1T00:00:00Z', 'ISO 8601'),
    ('2026-001T00:00:00Z', 'ISO 8601'),
    ('2026-01-01T00:00:00Z\n', 'ISO 8601'),
    (' 2026-01-01T00:00:00Z', 'ISO 8601'),
    ('٢٠٢٦-01-01T00:00:00Z', 'ISO 8601'),
    ('now', 'ISO 8601'),
    ('', 'ISO 8601'),
])
def test_an_invalid_time_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        timestamps.canonical(text)


@settings(deadline=None)
@given(INSTANTS)
def test_canonical_text_keeps_the_instant_for_any_offset(instant):
    text = timestamps.canonical(instant.isoformat())
    assert FORM.fullmatch(text)
    assert datetime.fromisoformat(text) == instant
    assert timestamps.canonical(text) == text


@settings(deadline=None)
@given(INSTANTS, INSTANTS)
def test_canonical_texts_sort_in_the_order_of_their_instants(instant, other):
    texts = (timestamps.canonical(instant.isoformat()),
             timestamps.canonical(other.isoformat()))
    assert (texts[0] < texts[1]) == (instant < other)
    assert (texts[0] == texts[1]) == (instant == other)


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(
    r'[0-9]{1,5}-?[0-9]{2}-?[0-9]{2}[Tt ][0-9:.,]{0,12}[Zz+-]?[0-9:]{0,5}')))
def test_any_text_gives_a_canonical_time_or_a_reason(text):
    try:
        instant = timestamps.canonical(text)
    except ValueError as exc:
        assert str(exc).startswith(('is ', 'has ', 'names '))
    else:
        assert FORM.fullmatch(instant)


@pytest.mark.parametrize(('stored', 'reply'), [
    ('2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00Z'),
    ('2026-01-01T00:00:00.500000Z', '2026-01-01T00:00:00.500000Z'),
])
def test_a_reply_omits_a_fraction_of_zero(stored, reply):
    """TIME-1"""
    assert timestamps.display(stored) == reply
    assert timestamps.canonical(reply) == stored


def test_now_returns_a_canonical_text():
    before = datetime.now(UTC)
    text = timestamps.now()
    assert FORM.fullmatch(text)
    assert before <= datetime.fromisoformat(text) <= datetime.now(UTC)


# Whole documents

def test_equal_documents_have_the_same_canonical_text():
    assert (values.canonical({'b': [1, 2.5, None], 'a': 'é', 'B': True})
            == '{"B":true,"a":"é","b":[1,2.5,null]}')
    assert values.canonical({'x': 1, 'y': {'b': 1, 'a': 2}}) == (
        values.canonical({'y': {'a': 2, 'b': 1}, 'x': 1}))


def test_large_integers_keep_every_digit():
    assert values.canonical(2 ** 63 - 1) == '9223372036854775807'


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_have_no_canonical_text(value):
    with pytest.raises(ValueError, match='JSON'):
        values.canonical({'a': [value]})


@pytest.mark.parametrize(('value', 'flaws'), [
    ('a\0b', [('', 'has the character NUL')]),
    ({'a': ['x', '\ud800']}, [('/a/1', 'has half of a surrogate pair')]),
    ({'a': '\udfffx'}, [('/a', 'has half of a surrogate pair')]),
    ({'a': 2 ** 63}, [('/a', 'is outside the 64-bit integers')]),
    ({'a': -2 ** 63 - 1}, [('/a', 'is outside the 64-bit integers')]),
    ({'a/b': {'c~d': math.inf}}, [('/a~1b/c~0d', 'is not a finite number')]),
    ([math.nan], [('/0', 'is not a finite number')]),
    ({'a': {'b\0': 1}},
     [('/a', 'has a member name that has the character NUL')]),
    ({'\ud800': {'b': 2 ** 64}},
     [('', 'has a member name that has half of a surrogate pair'),
      ('/?/b', 'is outside the 64-bit integers')]),
    ({'a': '\0', 'b': [1, 2 ** 70, 'x'], 'c': {'d': math.nan}},
     [('/a', 'has the character NUL'),
      ('/b/1', 'is outside the 64-bit integers'),
      ('/c/d', 'is not a finite number')]),
])
def test_each_unstorable_value_is_reported_with_its_pointer(value, flaws):
    """J01, J04"""
    assert list(values.storage_flaws(value)) == flaws


@pytest.mark.parametrize('value', [
    None, True, 'text', '', 'naïve 𝄞 \U0010ffff', 2 ** 63 - 1, -2 ** 63, -0.0,
    1e308, [], {}, {'': ''}, {'a': [1, 1.5, None, False, {'b': []}]}])
def test_storable_values_have_no_flaws(value):
    assert list(values.storage_flaws(value)) == []


def nested(depth):
    value = 'core'
    for _ in range(depth):
        value = [value]
    return value


def test_values_may_nest_32_levels_deep_and_no_deeper():
    """J02"""
    assert list(values.storage_flaws(nested(32))) == []
    assert list(values.storage_flaws(nested(33))) == [
        ('/0' * 32, 'is nested more than 32 deep')]


def test_an_empty_container_counts_as_a_level():
    value = {}
    for _ in range(32):
        value = {'a': value}
    assert [pointer for pointer, _ in values.storage_flaws(value)] == [
        '/a' * 32]


def test_nesting_deeper_than_the_recursion_limit_is_one_flaw():
    """J02"""
    assert list(values.storage_flaws(nested(100_000))) == [
        ('/0' * 32, 'is nested more than 32 deep')]


def test_the_depth_of_the_root_pointer_counts():
    assert list(values.storage_flaws(nested(31), '/host')) == []
    assert list(values.storage_flaws(nested(32), '/host')) == [
        ('/host' + '/0' * 31, 'is nested more than 32 deep')]


def test_the_first_of_a_million_flaws_is_found_lazily():
    value = ['\0'] * 1_000_000
    assert next(values.storage_flaws(value)) == ('/0', 'has the character NUL')


# Properties

def test_declared_times_of_a_body_become_canonical():
    body = {'seen_at': '2026-01-01T09:00+09:00', 'name': '2026-01-01T00:00Z',
            'ends_at': None, 'labels': {'at': '2026-01-01T00:00Z'}}
    assert values.normalize_times(HOST, body, '/host') == []
    assert body == {'seen_at': '2026-01-01T00:00:00.000000Z',
                    'name': '2026-01-01T00:00Z', 'ends_at': None,
                    'labels': {'at': '2026-01-01T00:00Z'}}


def test_every_invalid_time_is_reported_and_left_unchanged():
    body = {'seen_at': 'noon', 'ends_at': '2026-01-01T00:00:00'}
    violations = values.normalize_times(HOST, body, '/hosts/2')
    assert {(each.pointer, each.detail) for each in violations} == {
        ('/hosts/2/seen_at',
         'seen_at: "noon" is not an ISO 8601 time such as '
         '2026-01-31T12:00:00Z'),
        ('/hosts/2/ends_at',
         'ends_at: "2026-01-01T00:00:00" has no offset from UTC; end it with '
         'Z or +hh:mm')}
    assert body == {'seen_at': 'noon', 'ends_at': '2026-01-01T00:00:00'}


def test_times_that_are_no_string_or_not_declared_are_left_to_the_schema():
    body = {'seen_at': 5, 'ends_at': ['x'], 'bogus': 'noon'}
    assert values.normalize_times(HOST, body, '') == []
    assert body == {'seen_at': 5, 'ends_at': ['x'], 'bogus': 'noon'}


def test_a_long_invalid_time_is_shortened_in_the_error():
    violation, = values.normalize_times(HOST, {'seen_at': 'x' * 100_000}, '')
    assert len(violation.detail) < 200


def test_a_whole_double_in_an_integer_property_becomes_an_integer():
    """J01"""
    body = {'memory': 2.0, 'load': 2.0}
    assert values.normalize_integers(HOST, body, '') == []
    assert body == {'memory': 2, 'load': 2.0}
    assert type(body['memory']) is int
    assert type(body['load']) is float


@pytest.mark.parametrize('number', [9007199254740993.0, -1e300])
def test_a_double_too_large_to_be_exact_is_not_an_integer(number):
    """J01: a number never changes silently."""
    violation, = values.normalize_integers(HOST, {'memory': number}, '/host')
    assert violation.pointer == '/host/memory'
    assert 'too large to be exact' in violation.detail


@pytest.mark.parametrize('sent', [1.5, '1', None, True, 2 ** 63 - 1])
def test_a_value_that_is_not_a_whole_double_is_left_to_the_schema(sent):
    body = {'memory': sent}
    assert values.normalize_integers(HOST, body, '') == []
    assert body['memory'] is sent


@pytest.mark.parametrize(('name', 'sent', 'stored'), [
    ('name', 'rack 1 ', 'rack 1 '),
    ('seen_at', '2026-01-01T00:00Z', '2026-01-01T00:00:00.000000Z'),
    ('memory', 1.0, 1),
    ('memory', -0.0, 0),
    ('memory', 2 ** 63 - 1, 2 ** 63 - 1),
    ('load', 1, 1.0),
    ('load', -0.0, 0.0),
    ('load', 2 ** 53 + 1, 9007199254740992.0),
    ('labels', {'n': 1.0, 'at': '2026-01-01T00:00Z'},
     {'n': 1.0, 'at': '2026-01-01T00:00Z'}),
    ('load', None, None),
    ('seen_at', None, None),
])
def test_a_value_is_normalized_for_storage(name, sent, stored):
    normalized = values.normalize(HOST.properties[name], sent)
    assert json.dumps(normalized) == json.dumps(stored)


def test_a_quoted_value_is_short_and_on_one_line():
    assert values.quoted('a\nb') == r'"a\nb"'
    assert values.quoted({'a': [True, None]}) == '{"a": [true, null]}'
    assert len(values.quoted('x' * 1_000_000)) == 80
