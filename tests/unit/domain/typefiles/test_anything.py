# SPDX-License-Identifier: Apache-2.0
"""Any content of a type file gives a catalogue or mistakes, no crash."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.catalogue.types import Catalogue
from service.domain.typefiles import type_files, vocabulary
from tests.unit.domain.declared import text

NAMES = st.sampled_from(['a', 'b', 'box', 'id', 'A', '', 'a\nb', '$ref'])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(
    max_size=8) | st.sampled_from(['1.1', 'string', 'cloud', '(', 'a'])
ODD = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(
    NAMES, SCALARS, max_size=2)

#: Keywords with well-formed values, so that the later checks run too.
LIKELY = [
    *(('type', kind) for kind in vocabulary.KINDS * 2),
    *(('format', name) for name in vocabulary.FORMATS[:4]),
    *((word, value) for value in (0, 1, -1, 1.5, 2 ** 40) for word in (
        'minimum', 'maximum', 'exclusiveMinimum', 'multipleOf', 'default',
        'minLength', 'maxLength', 'backfill', 'minItems', 'const')),
    *((word, value) for value in ('1.0', '1.1', '1.2') for word in (
        'since', 'until')),
    *((word, value) for value in ('a', 'b', '') for word in (
        'default', 'renamed_from', 'const', 'pattern')),
    ('enum', ['a', {'const': 'b', 'since': '1.1', 'until': '1.2'}]),
    ('enum', [1, {'const': 2, 'until': '1.1'}, 2.5, True]),
    ('references', 'box'), ('references', 'a'), ('on_delete', 'set_null'),
    ('immutable', True), ('dropped', True), ('required', ['a']),
    ('items', {'type': 'string', 'enum': [1]}), ('uniqueItems', True),
    ('properties', {'a': {'type': 'integer', 'minimum': 'x'}}),
    ('additionalProperties', {'minLength': 3}), ('read_roles', ['a']),
]
PROPERTY = st.builds(
    dict, st.lists(st.sampled_from(LIKELY) | st.tuples(
        st.sampled_from(sorted(vocabulary.PROPERTY_KEYWORDS)), ODD),
        max_size=5))
KEYS = st.lists(st.lists(NAMES, min_size=1, max_size=2), max_size=2)
TYPE = st.fixed_dictionaries(
    {'name': NAMES, 'plural': NAMES,
     'properties': st.dictionaries(NAMES, PROPERTY, max_size=4)},
    optional={'unique': KEYS, 'indexes': KEYS, 'quota': ODD, 'since': ODD,
              'required': st.lists(NAMES, max_size=3), 'policy': ODD,
              'scope': st.sampled_from(['cloud', 'project', 'a']),
              'until': st.sampled_from(['1.0', '1.1', 7]),
              'exclusive': st.builds(lambda period, over: [
                  {'period': period, 'over': over}], KEYS, KEYS) | ODD})


def outcome(sources: dict[str, str]) -> tuple[str, ...]:
    """Return the mistakes, and check that each is one printable line."""
    try:
        assert isinstance(type_files.parse(sources), Catalogue)
    except type_files.DeclarationError as exc:
        assert exc.mistakes == tuple(sorted(set(exc.mistakes)))
        assert all(mistake.isprintable() and ': ' in mistake
                   for mistake in exc.mistakes), exc.mistakes
        return exc.mistakes
    return ()


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_gives_a_catalogue_or_mistakes(content):
    assert outcome({'a.yaml': content})


@given(st.text(alphabet='ab: -{}[]&*!|>"\'#%@\n\t,?~10.', max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_of_yaml_characters_gives_a_catalogue_or_mistakes(content):
    assert outcome({'a.yaml': content})


@given(TYPE, TYPE)
@settings(max_examples=200, deadline=None)
def test_any_type_gives_a_catalogue_or_mistakes(declaration, other):
    outcome({'a.yaml': text(declaration), 'b.yaml': text(other)})


@given(PROPERTY)
@settings(max_examples=200, deadline=None)
def test_any_property_gives_a_catalogue_or_mistakes(words_given):
    outcome({'box.yaml': text({
        'name': 'box', 'plural': 'boxes', 'properties': {
            'a': words_given, 'b': {'type': 'string'}}})})


@given(st.dictionaries(st.text(max_size=6), st.sampled_from([
    text({'name': 'a', 'plural': 'b'}), '', '[', 'name: 1']), max_size=3))
@settings(deadline=None)
def test_any_file_name_gives_a_catalogue_or_mistakes(sources):
    outcome(sources)
