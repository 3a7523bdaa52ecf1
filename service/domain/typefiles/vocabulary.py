# SPDX-License-Identifier: Apache-2.0
"""The words of a type file: where each may stand and what it must be.

Tables only. ``forms`` holds a file to them word by word; how words go
together is ``rules``. The reference in the documentation prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from service.domain.catalogue.types import COMMON_FIELDS

#: How a pattern is compiled, here and wherever it is matched: in linear time.
REGEX_OPTIONS = jsonschema_rs.RegexOptions()

NAME = '^[a-z][a-z0-9_]{0,47}$'
#: A plural is a word of URLs with hyphens, so its parts are whole words.
PLURAL = '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'
VERSION = r'^([1-9][0-9]*)\.([1-9][0-9]*|0)$'

#: Query parameters of lists, which no property may hide.
LIST_PARAMETERS = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields',
                   'with_count', 'all_projects', 'dry_run', 'revision', 'tags',
                   'tags_any', 'not_tags', 'not_tags_any')
#: Columns the databases keep in every table for themselves (PostgreSQL,
#: InnoDB); a property of that name could not be stored.
SYSTEM_COLUMNS = ('ctid', 'tableoid', 'xmin', 'xmax', 'cmin', 'cmax',
                  'db_row_id', 'db_trx_id', 'db_roll_ptr', 'fts_doc_id')
RESERVED_NAMES = frozenset((*COMMON_FIELDS, *LIST_PARAMETERS, *SYSTEM_COLUMNS))
#: Collections of the service itself, and keys of a list's document.
RESERVED_PLURALS = frozenset((*COMMON_FIELDS, *LIST_PARAMETERS, 'types',
                              'test', 'quotas', 'docs', 'metrics', 'errors',
                              'error', 'count'))

#: What ``policy`` may override: one rule for each, ``pileus:hosts:create``.
ACTIONS = ('list', 'show', 'create', 'replace', 'patch', 'delete',
           'create_any', 'list_any', 'show_tags', 'update_tags',
           'show_metadata', 'update_metadata', 'list_revisions',
           'show_revision', 'revert')

#: The formats that are really checked; any other would only look so.
FORMATS = ('date', 'time', 'date-time', 'duration', 'email', 'idn-email',
           'hostname', 'idn-hostname', 'ipv4', 'ipv6', 'uri',
           'uri-reference', 'iri', 'iri-reference', 'uri-template', 'uuid',
           'json-pointer', 'relative-json-pointer', 'regex')

SCALARS = ('string', 'integer', 'number', 'boolean')
KINDS = (*SCALARS, 'object', 'array')

#: The length of a string that declares no maxLength, and the largest one.
DEFAULT_MAX_LENGTH = 255
MAX_LENGTH_LIMIT = 65535


class Keyword(NamedTuple):
    """One word: a test for its value, what that is in plain words, and which
    kinds of property it is for (a reference is the kind ``reference``)."""

    holds: Callable[[Any], bool]
    wants: str
    kinds: frozenset[str]


def _keyword(schema: Mapping[str, Any], wants: str,
             kinds: tuple[str, ...] = (*KINDS, 'reference')) -> Keyword:
    validator = jsonschema_rs.validator_for(dict(schema))
    return Keyword(validator.is_valid, wants, frozenset(kinds))


_TEXT = {'type': 'string'}
_NAME = {'type': 'string', 'pattern': NAME}
_NAME_WANTS = ('a name of small letters, digits and underscores, at most 48, '
               'beginning with a letter')
_VERSION = {'type': 'string', 'pattern': VERSION, 'maxLength': 21}
_VERSION_WANTS = 'a version in quotes, such as "1.4"'
_FLAG = {'type': 'boolean'}
_FLAG_WANTS = 'true or false'
_NAMES = {'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': True}
_SOME_NAMES = {**_NAMES, 'minItems': 1}
#: InnoDB takes 16 columns a key; the project and the id are two of them.
_KEYS = {'type': 'array', 'uniqueItems': True,
         'items': {**_SOME_NAMES, 'maxItems': 14}}
_KEYS_WANTS = ('a list of lists of at most 14 property names, such as '
               '[[state], [rack_id, name]]')
#: One of the columns of its index is the start of the period.
_PERIOD = {
    'type': 'object', 'required': ['period'],
    'additionalProperties': False, 'properties': {
        'period': {**_NAMES, 'minItems': 2, 'maxItems': 2},
        'over': {**_NAMES, 'maxItems': 13},
        'when': {'type': 'object', 'minProperties': 1,
                 'additionalProperties': {
                     'type': 'array', 'minItems': 1, 'maxItems': 100,
                     'uniqueItems': True, 'items': {
                         'type': ['string', 'integer', 'boolean']}}}}}
_EXCLUSIVE = {'anyOf': [_PERIOD, {'type': 'array', 'uniqueItems': True,
                                  'items': _PERIOD}]}
_COUNT = {'type': 'integer', 'minimum': 0, 'maximum': 2 ** 31 - 1}
_COUNT_WANTS = 'a whole number from 0 to 2147483647'
_ROLES = {'type': 'array', 'minItems': 1, 'uniqueItems': True, 'items': {
    'type': 'string', 'pattern': r'\S', 'maxLength': 255}}
_ROLES_WANTS = 'a list of role names'

#: The words of a type.
TYPE_KEYWORDS: Mapping[str, Keyword] = {
    'name': _keyword(_NAME, _NAME_WANTS),
    'plural': _keyword({'type': 'string', 'pattern': PLURAL, 'maxLength': 48},
                       _NAME_WANTS + ', with no double or last underscore'),
    'description': _keyword(_TEXT, 'text'),
    'scope': _keyword({'enum': ['project', 'cloud']}, 'project or cloud'),
    'since': _keyword(_VERSION, _VERSION_WANTS),
    'until': _keyword(_VERSION, _VERSION_WANTS),
    'controller': _keyword(
        {'type': 'string', 'pattern':
         r'^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$'},
        'package.module:Class'),
    'dropped': _keyword(_FLAG, _FLAG_WANTS),
    'properties': _keyword({'type': 'object'}, 'a mapping of names'),
    'required': _keyword(_NAMES, 'a list of property names, each once'),
    'unique': _keyword(_KEYS, _KEYS_WANTS),
    'indexes': _keyword(_KEYS, _KEYS_WANTS),
    'exclusive': _keyword(_EXCLUSIVE, 'a mapping such as {over: [host_id], '
                          'period: [starts_at, ends_at], when: {state: '
                          '[planned]}}, or a list of them'),
    'quota': _keyword(_COUNT, _COUNT_WANTS),
    'policy': _keyword({'type': 'object', 'additionalProperties': {
        'type': 'string'}}, 'a mapping of actions to rules'),
}

_NUMBERS = ('integer', 'number')
_FINITE = {'type': 'number'}
_FINITE_WANTS = 'a number'
_ENUM = {
    'type': 'array', 'minItems': 1, 'maxItems': 1000, 'items': {
        'type': [*SCALARS, 'object'],
        'required': ['const'], 'additionalProperties': False,
        'properties': {'const': {'type': list(SCALARS)},
                       'since': _VERSION, 'until': _VERSION}}}

#: The JSON Schema words, which may also stand inside objects and arrays.
SCHEMA_KEYWORDS: Mapping[str, Keyword] = {
    'type': _keyword({'enum': list(KINDS)}, 'one of ' + ', '.join(KINDS),
                     KINDS),
    'description': _keyword(_TEXT, 'text'),
    'enum': _keyword(
        {'type': 'array', 'minItems': 1, 'maxItems': 1000,
         'uniqueItems': True}, 'a list of values, each once', KINDS),
    'const': _keyword({}, 'a value', KINDS),
    'pattern': _keyword({**_TEXT, 'maxLength': 1000},
                        'a regular expression of at most 1000 characters',
                        ('string',)),
    'minLength': _keyword(_COUNT, _COUNT_WANTS, ('string',)),
    'maxLength': _keyword({**_COUNT, 'maximum': MAX_LENGTH_LIMIT},
                          f'a whole number from 0 to {MAX_LENGTH_LIMIT}',
                          ('string',)),
    'format': _keyword({'enum': list(FORMATS)}, 'one of ' + ', '.join(FORMATS),
                       ('string',)),
    'minimum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'maximum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMinimum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMaximum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'multipleOf': _keyword({**_FINITE, 'exclusiveMinimum': 0},
                           'a number above 0', _NUMBERS),
    'items': _keyword({'type': 'object'}, 'a mapping of words', ('array',)),
    'minItems': _keyword(_COUNT, _COUNT_WANTS, ('array',)),
    'maxItems': _keyword(_COUNT, _COUNT_WANTS, ('array',)),
    'uniqueItems': _keyword(_FLAG, _FLAG_WANTS, ('array',)),
    'properties': _keyword({'type': 'object', 'propertyNames': {
        'minLength': 1, 'maxLength': 255}}, 'a mapping of names', ('object',)),
    'required': _keyword(_NAMES, 'a list of names, each once', ('object',)),
    'additionalProperties': _keyword({'type': ['boolean', 'object']},
                                     'true, false or a mapping of words',
                                     ('object',)),
}

#: The words of a property: JSON Schema's, some of them narrower, and ours.
PROPERTY_KEYWORDS: Mapping[str, Keyword] = {
    **SCHEMA_KEYWORDS,
    'enum': _keyword(_ENUM, 'a list of texts, numbers and booleans, or of '
                            '{const: value, since: "1.3", until: "1.5"}',
                     SCALARS),
    'const': _keyword({'type': list(SCALARS)}, 'text, a number or a boolean',
                      SCALARS),
    'default': _keyword({'not': {'type': 'null'}}, 'a value; null is what a '
                        'property without a default has'),
    'backfill': _keyword({'not': {'type': 'null'}}, 'a value; null is what '
                         'existing records have without it'),
    'immutable': _keyword(_FLAG, _FLAG_WANTS),
    'references': _keyword(_NAME, 'the name of a type', ('reference',)),
    'on_delete': _keyword({'enum': ['restrict', 'set_null', 'cascade']},
                          'restrict, set_null or cascade', ('reference',)),
    'since': _keyword(_VERSION, _VERSION_WANTS),
    'until': _keyword(_VERSION, _VERSION_WANTS),
    'renamed_from': _keyword(_NAME, _NAME_WANTS),
    'read_roles': _keyword(_ROLES, _ROLES_WANTS),
    'write_roles': _keyword(_ROLES, _ROLES_WANTS),
    'dropped': _keyword(_FLAG, _FLAG_WANTS),
}

#: All that may stay of a type or property whose column is to go.
TOMBSTONE = frozenset(('name', 'plural', 'description', 'dropped'))
