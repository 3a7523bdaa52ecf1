# SPDX-License-Identifier: Apache-2.0
"""Check each keyword of one type file by itself: known, allowed, well-formed.

The result holds only keywords that passed, so that the later checks can judge
the rest of a file and report no mistake twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.domain.typefiles import vocabulary
from service.domain.typefiles.mistakes import (
    Mistake,
    Place,
    Report,
    shown,
    suggestion,
)

Keywords = Mapping[str, vocabulary.Keyword]


def check(raw: Any, report: Report) -> dict[str, Any]:
    """Report the mistakes of a type file; return the keywords without any.

    In ``properties`` of the result, None stands for a property whose kind is
    unknown.
    """
    if not isinstance(raw, dict):
        report(Mistake((), 'is empty; it must declare a type' if raw is None
                       else f'must be a mapping of keywords such as '
                            f'{{name: rack, plural: racks}}, not '
                            f'{shown(raw)}'))
        return {}
    dropped = raw.get('dropped') is True
    for keyword in ('name',) if dropped else ('name', 'plural'):
        if keyword not in raw:
            report(Mistake((), f'lacks the required keyword "{keyword}"'))
    if dropped:
        raw = _tombstone((), raw, report)
    valid = _valid((), raw, vocabulary.TYPE_KEYWORDS, None, report)
    valid['properties'] = {
        name: _property(('properties', name), name, keywords, report)
        for name, keywords in valid.get('properties', {}).items()}
    return valid


def _tombstone(place: Place, raw: Mapping[str, Any],
               report: Report) -> dict[str, Any]:
    """Report the keywords that a dropped type or property may not have."""
    for keyword in raw:
        if keyword not in vocabulary.TOMBSTONE:
            report(Mistake((*place, keyword), 'is not valid beside "dropped: '
                           'true"; remove it'))
    return {keyword: value for keyword, value in raw.items()
            if keyword in vocabulary.TOMBSTONE}


def _property(place: Place, name: str, raw: Any,
              report: Report) -> dict[str, Any] | None:
    _name(place, name, report)
    if not isinstance(raw, dict):
        report(_not_a_schema(place, raw))
        return None
    if raw.get('dropped') is True:
        raw = _tombstone(place, raw, report)
        return _valid(place, raw, vocabulary.PROPERTY_KEYWORDS, None, report)
    if 'type' not in raw and 'references' not in raw:
        report(Mistake(place, f'needs a "type" ({", ".join(vocabulary.KINDS)}'
                              f') or "references"'))
    valid = _schema(place, raw, vocabulary.PROPERTY_KEYWORDS, report)
    return valid if 'type' in valid or 'references' in valid else None


def _not_a_schema(place: Place, raw: Any) -> Mistake:
    return Mistake(place, f'must be a mapping of keywords such as '
                          f'{{type: string}}, not {shown(raw)}')


def _name(place: Place, name: str, report: Report) -> None:
    keyword = vocabulary.TYPE_KEYWORDS['name']
    if not keyword.is_valid(name):
        report(Mistake(place, f'the property name must be {keyword.wants}'))
    elif name in vocabulary.RESERVED_NAMES:
        report(Mistake(place, 'the name is reserved; choose another name'))


def _schema(place: Place, raw: Mapping[str, Any], table: Keywords,
            report: Report) -> dict[str, Any]:
    """Check a mapping of JSON Schema keywords, and the mappings inside it."""
    valid = _valid(place, raw, table, _kind(raw), report)
    for keyword in ('items', 'additionalProperties'):
        if isinstance(valid.get(keyword), dict):
            valid[keyword] = _schema((*place, keyword), valid[keyword],
                                     vocabulary.SCHEMA_KEYWORDS, report)
    if 'properties' in valid:
        valid['properties'] = _members((*place, 'properties'),
                                       valid['properties'], report)
    return valid


def _members(place: Place, raw: Mapping[str, Any],
             report: Report) -> dict[str, Any]:
    """Check the members of a property that is an object."""
    valid = {}
    for name, inner in raw.items():
        if isinstance(inner, dict):
            valid[name] = _schema((*place, name), inner,
                                  vocabulary.SCHEMA_KEYWORDS, report)
        else:
            report(_not_a_schema((*place, name), inner))
            valid[name] = {}
    return valid


def _kind(raw: Mapping[str, Any]) -> str | None:
    """The kind that decides which keywords are valid; None if malformed."""
    if 'references' in raw:
        return 'reference'
    if 'type' not in raw:
        return 'none'
    known = vocabulary.SCHEMA_KEYWORDS['type'].is_valid(raw['type'])
    return raw['type'] if known else None


def _valid(place: Place, raw: Mapping[str, Any], table: Keywords,
           kind: str | None, report: Report) -> dict[str, Any]:
    valid = {}
    for keyword, value in raw.items():
        mistake = _mistake(place, keyword, value, table, kind)
        if mistake:
            report(mistake)
        else:
            valid[keyword] = value
    return valid


def _mistake(place: Place, name: str, value: Any, table: Keywords,
             kind: str | None) -> Mistake | None:
    if name not in table:
        return Mistake(place, _unknown(name, table))
    keyword = table[name]
    if kind is not None and not _fits(keyword, kind, table):
        return Mistake((*place, name), _misplaced(keyword, kind))
    if not keyword.is_valid(value):
        return Mistake((*place, name),
                       f'must be {keyword.wants}, not {shown(value)}')
    return None


def _fits(keyword: vocabulary.Keyword, kind: str, table: Keywords) -> bool:
    """Whether a keyword is valid for a kind.

    A schema without a type may only hold keywords that are valid for every
    kind. A property without a type is a mistake already, so its keywords are
    not reported again.
    """
    if kind == 'none':
        return (table is vocabulary.PROPERTY_KEYWORDS
                or keyword.kinds >= set(vocabulary.KINDS))
    return kind in keyword.kinds


def _unknown(name: str, table: Keywords) -> str:
    if name == '$ref':
        return ('"$ref" is not supported; write the referenced keywords '
                'here')
    return f'unknown keyword {shown(name)}' + suggestion(name, table)


def _misplaced(keyword: vocabulary.Keyword, kind: str) -> str:
    order = (*vocabulary.KINDS, 'reference')
    kinds = ', '.join(name for name in order if name in keyword.kinds)
    if kind == 'none':
        return f'needs a "type" beside it ({kinds})'
    return f'is valid for {kinds}, not for {kind}'
