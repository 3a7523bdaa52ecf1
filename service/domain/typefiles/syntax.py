# SPDX-License-Identifier: Apache-2.0
"""The form of one type file: each word known, in its place and well-made.

What comes out holds only words that passed, so that ``rules`` may look at
the rest of a file with a mistake in it and say no mistake twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.typefiles import vocabulary
from service.domain.typefiles.mistakes import (
    Mistake,
    Note,
    Place,
    nearest,
    shown,
)


def read(raw: Any, note: Note) -> dict[str, Any]:
    """The words of a type file that are as they should be.

    A property that cannot be made out at all is None in ``properties``; a
    mapping that is none leaves the word out.
    """
    if not isinstance(raw, dict):
        note(Mistake((), 'is empty; it must declare a type' if raw is None
                     else f'must be a mapping of words, not {shown(raw)}'))
        return {}
    needed = ('name',) if raw.get('dropped') is True else ('name', 'plural')
    _need((), raw, needed, note)
    if raw.get('dropped') is True:
        raw = _tombstone((), raw, note)
    kept = _kept((), raw, vocabulary.TYPE_KEYWORDS, None, note)
    kept['properties'] = {
        name: _property(('properties', name), name, given, note)
        for name, given in kept.get('properties', {}).items()}
    return kept


def _need(place: Place, given: Mapping[str, Any], needed: tuple[str, ...],
          note: Note) -> None:
    for word in needed:
        if word not in given:
            note(Mistake(place, f'has no "{word}"'))


def _tombstone(place: Place, given: Mapping[str, Any],
               note: Note) -> dict[str, Any]:
    for word in given:
        if word not in vocabulary.TOMBSTONE:
            note(Mistake((*place, word), 'must go: what is dropped keeps '
                         'only its name, description and "dropped: true"'))
    return {word: value for word, value in given.items()
            if word in vocabulary.TOMBSTONE}


def _property(place: Place, name: str, given: Any,
              note: Note) -> dict[str, Any] | None:
    _name(place, name, note)
    if not isinstance(given, dict):
        note(Mistake(place, f'must be a mapping of words such as '
                     f'{{type: string}}, not {shown(given)}'))
        return None
    if given.get('dropped') is True:
        given = _tombstone(place, given, note)
        return _kept(place, given, vocabulary.PROPERTY_KEYWORDS, None, note)
    if 'type' not in given and 'references' not in given:
        note(Mistake(place, 'has no "type" (' + ', '.join(vocabulary.KINDS)
                     + ') and no "references"'))
    kept = _schema(place, given, vocabulary.PROPERTY_KEYWORDS, note)
    return kept if 'type' in kept or 'references' in kept else None


def _name(place: Place, name: str, note: Note) -> None:
    if not vocabulary.TYPE_KEYWORDS['name'].holds(name):
        note(Mistake(place, 'a property needs '
                            f'{vocabulary.TYPE_KEYWORDS["name"].wants}'))
    elif name in vocabulary.RESERVED_NAMES:
        note(Mistake(place, 'the name is reserved'))


def _schema(place: Place, given: Mapping[str, Any],
            table: Mapping[str, vocabulary.Keyword], note: Note
            ) -> dict[str, Any]:
    """One mapping of JSON Schema words, and those inside it."""
    kept = _kept(place, given, table, _kind(given), note)
    for word in ('items', 'additionalProperties'):
        if isinstance(kept.get(word), dict):
            kept[word] = _schema((*place, word), kept[word],
                                 vocabulary.SCHEMA_KEYWORDS, note)
    if 'properties' in kept:
        kept['properties'] = _members((*place, 'properties'),
                                      kept['properties'], note)
    return kept


def _members(place: Place, given: Mapping[str, Any],
             note: Note) -> dict[str, Any]:
    """The properties of an object that is itself a property."""
    kept = {}
    for name, inner in given.items():
        if isinstance(inner, dict):
            kept[name] = _schema((*place, name), inner,
                                 vocabulary.SCHEMA_KEYWORDS, note)
        else:
            note(Mistake((*place, name), f'must be a mapping of words such '
                         f'as {{type: string}}, not {shown(inner)}'))
            kept[name] = {}
    return kept


def _kind(given: Mapping[str, Any]) -> str | None:
    """The kind that says which words may stand; None where it is unclear."""
    if 'references' in given:
        return 'reference'
    if 'type' not in given:
        return 'none'
    known = vocabulary.SCHEMA_KEYWORDS['type'].holds(given['type'])
    return given['type'] if known else None


def _kept(place: Place, given: Mapping[str, Any],
          table: Mapping[str, vocabulary.Keyword], kind: str | None,
          note: Note) -> dict[str, Any]:
    kept = {}
    for word, value in given.items():
        mistake = _mistake(place, word, value, table, kind)
        if mistake:
            note(mistake)
        else:
            kept[word] = value
    return kept


def _mistake(place: Place, word: str, value: Any,
             table: Mapping[str, vocabulary.Keyword],
             kind: str | None) -> Mistake | None:
    if word not in table:
        return Mistake(place, _unknown(word, table))
    known = table[word]
    if kind is not None and not _fits(known, kind, table):
        return Mistake((*place, word), _misplaced(known, kind))
    if not known.holds(value):
        return Mistake((*place, word),
                       f'must be {known.wants}, not {shown(value)}')
    return None


def _fits(known: vocabulary.Keyword, kind: str,
          table: Mapping[str, vocabulary.Keyword]) -> bool:
    """A mapping without a type takes only words that every kind has.

    A property without one is told so already; a word that needs a kind is
    no second mistake there.
    """
    if kind == 'none':
        return (table is vocabulary.PROPERTY_KEYWORDS
                or known.kinds >= set(vocabulary.KINDS))
    return kind in known.kinds


def _unknown(word: str, table: Mapping[str, vocabulary.Keyword]) -> str:
    if word == '$ref':
        return ('"$ref" is not allowed: nothing is fetched or shared; write '
                'the words out')
    return f'unknown word {shown(word)}' + nearest(word, table)


def _misplaced(known: vocabulary.Keyword, kind: str) -> str:
    order = (*vocabulary.KINDS, 'reference')
    wanted = ', '.join(one for one in order if one in known.kinds)
    if kind == 'none':
        return f'needs a "type" beside it ({wanted})'
    return f'is for {wanted}, not for {kind}'
