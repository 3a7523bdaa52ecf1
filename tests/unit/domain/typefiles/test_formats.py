# SPDX-License-Identifier: Apache-2.0
"""Declared formats and patterns are checked, in linear time."""

import time

import jsonschema_rs
import pytest

from service.domain.typefiles import vocabulary
from tests.unit.domain.declared import prop, wrong

#: By format: a valid text, an invalid text.
EXAMPLES = {
    'date': ('2026-02-28', '2026-02-30'),
    'time': ('12:00:00Z', '25:00:00Z'),
    'date-time': ('2026-01-01T00:00:00Z', '2026-01-01'),
    'duration': ('P1DT2H', '1 day'),
    'email': ('a@example.org', 'a at example.org'),
    'idn-email': ('ä@example.org', 'ä'),
    'hostname': ('a-1.example.org', '-a'),
    'idn-hostname': ('ä.example.org', '-ä'),
    'ipv4': ('192.0.2.1', '192.0.2.256'),
    'ipv6': ('2001:db8::1', '2001:db8:::1'),
    'uri': ('https://example.org/a', '/a'),
    'uri-reference': ('/a', '\\a'),
    'iri': ('https://example.org/ä', '/ä'),
    'iri-reference': ('/ä', '\\ä'),
    'uri-template': ('/hosts/{id}', '/hosts/{id'),
    'uuid': ('2eb8aa08-aa98-11ea-b4aa-73b441d16380', '2eb8aa08'),
    'json-pointer': ('/a/0', 'a/0'),
    'relative-json-pointer': ('1/a', '/a'),
    'regex': ('^a+$', '(a'),
}


def test_every_known_format_has_examples():
    assert set(EXAMPLES) == set(vocabulary.FORMATS)


@pytest.mark.parametrize('name', EXAMPLES)
def test_a_format_is_checked_in_defaults(name):
    good, bad = EXAMPLES[name]
    assert wrong(type='string', format=name, default=good) == []
    assert len(wrong(type='string', format=name, default=bad)) == 1


@pytest.mark.parametrize('name', sorted(set(EXAMPLES) - {'date-time'}))
def test_a_format_is_checked_in_bodies(name):
    """Uses the schema of the built property and the validator of bodies."""
    validator = jsonschema_rs.validator_for(
        dict(prop(type='string', format=name).schema),
        validate_formats=True, ignore_unknown_formats=False,
        pattern_options=vocabulary.REGEX_OPTIONS)
    good, bad = EXAMPLES[name]
    assert validator.is_valid(good) and not validator.is_valid(bad)


def test_jsonschema_rs_checks_no_format_that_the_vocabulary_lacks():
    """Fails if a newer jsonschema-rs checks more formats."""
    for name in ('password', 'byte', 'int32', 'int64', 'float', 'double',
                 'binary', 'mac', 'semver', 'color', 'decimal', 'ip',
                 'url', 'domain', 'timestamp', 'uuid4'):
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validator_for(
                {'format': name}, validate_formats=True,
                ignore_unknown_formats=False)


@pytest.mark.parametrize('pattern', [
    '(', '[a', '*a', '(?=a)b', '(?!a)b', '(?<=a)b', r'(a)\1', r'(?<n>a)\k<n>',
    r'\x', 'a{1000}{1000}{1000}', r'\p{Nope}',
])
def test_a_pattern_that_cannot_run_in_linear_time_is_a_mistake(pattern):
    lines = wrong(type='string', pattern=pattern)
    assert len(lines) == 1
    assert lines[0].startswith('pattern: ')
    assert 'does not compile' in lines[0]


def test_a_pattern_inside_an_array_is_compiled_too():
    lines = wrong(type='array', items={'type': 'string', 'pattern': '('},
                  minItems=1)
    assert [line.split(':')[0] for line in lines] == ['items.pattern']


def test_a_pattern_that_blocks_backtracking_engines_is_fast():
    assert prop(type='string', pattern='^(a+)+$').schema['pattern']
    began = time.process_time()
    assert len(wrong(type='string', pattern='^(a+)+$',
                     default='a' * 200 + '!')) == 1
    assert time.process_time() - began < 1


def test_a_pattern_matches_any_part_of_the_text_without_anchors():
    """JSON Schema: ^ and $ anchor a pattern."""
    assert wrong(type='string', pattern='b', default='abc') == []
    assert len(wrong(type='string', pattern='^b$', default='abc')) == 1
    assert len(wrong(type='string', pattern='^b$', default='b\n')) == 1
