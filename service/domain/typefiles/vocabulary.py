# SPDX-License-Identifier: Apache-2.0
"""The words of a type file: where each may stand and what it must be.

Tables only. ``forms`` holds a file to them word by word; how words go
together is ``rules``. The reference in the documentation prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from service.domain.catalogue.types import COMMON

#: How a pattern is compiled, here and wherever it is matched: in linear time.
REGEX = jsonschema_rs.RegexOptions()

NAME = '^[a-z][a-z0-9_]{0,47}$'
#: A plural is a word of URLs with hyphens, so its parts are whole words.
PLURAL = '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'
VERSION = r'^([1-9][0-9]*)\.([1-9][0-9]*|0)$'

#: Query parameters of lists, which no property may hide.
PARAMETERS = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields',
              'with_count', 'all_projects', 'dry_run', 'revision', 'tags',
              'tags_any', 'not_tags', 'not_tags_any')
#: Columns the databases keep in every table for themselves (PostgreSQL,
#: InnoDB); a property of that name could not be stored.
SYSTEM_COLUMNS = ('ctid', 'tableoid', 'xmin', 'xmax', 'cmin', 'cmax',
                  'db_row_id', 'db_trx_id', 'db_roll_ptr', 'fts_doc_id')
RESERVED = frozenset((*COMMON, *PARAMETERS, *SYSTEM_COLUMNS))
#: Collections of the service itself, and keys of a list's document.
RESERVED_PLURALS = frozenset((*COMMON, *PARAMETERS, 'types', 'test', 'quotas',
                              'docs', 'metrics', 'errors', 'error', 'count'))

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
MAX_LENGTH = 255
MAX_LENGTH_LIMIT = 65535


class Word(NamedTuple):
    """One word: a test for its value, what that is in plain words, and which
    kinds of property it is for (a reference is the kind ``reference``)."""

    holds: Callable[[Any], bool]
    wants: str
    kinds: frozenset[str]


def _word(schema: Mapping[str, Any], wants: str,
          kinds: tuple[str, ...] = (*KINDS, 'reference')) -> Word:
    validator = jsonschema_rs.validator_for(dict(schema))
    return Word(validator.is_valid, wants, frozenset(kinds))


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
TYPE: Mapping[str, Word] = {
    'name': _word(_NAME, _NAME_WANTS),
    'plural': _word({'type': 'string', 'pattern': PLURAL, 'maxLength': 48},
                    _NAME_WANTS + ', with no double or last underscore'),
    'description': _word(_TEXT, 'text'),
    'scope': _word({'enum': ['project', 'cloud']}, 'project or cloud'),
    'since': _word(_VERSION, _VERSION_WANTS),
    'until': _word(_VERSION, _VERSION_WANTS),
    'controller': _word(
        {'type': 'string', 'pattern':
         r'^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$'},
        'package.module:Class'),
    'dropped': _word(_FLAG, _FLAG_WANTS),
    'properties': _word({'type': 'object'}, 'a mapping of names'),
    'required': _word(_NAMES, 'a list of property names, each once'),
    'unique': _word(_KEYS, _KEYS_WANTS),
    'indexes': _word(_KEYS, _KEYS_WANTS),
    'exclusive': _word(_EXCLUSIVE, 'a mapping such as {over: [host_id], '
                       'period: [starts_at, ends_at], when: {state: '
                       '[planned]}}, or a list of them'),
    'quota': _word(_COUNT, _COUNT_WANTS),
    'policy': _word({'type': 'object', 'additionalProperties': {
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
SCHEMA: Mapping[str, Word] = {
    'type': _word({'enum': list(KINDS)}, 'one of ' + ', '.join(KINDS), KINDS),
    'description': _word(_TEXT, 'text'),
    'enum': _word(
        {'type': 'array', 'minItems': 1, 'maxItems': 1000,
         'uniqueItems': True}, 'a list of values, each once', KINDS),
    'const': _word({}, 'a value', KINDS),
    'pattern': _word({**_TEXT, 'maxLength': 1000},
                     'a regular expression of at most 1000 characters',
                     ('string',)),
    'minLength': _word(_COUNT, _COUNT_WANTS, ('string',)),
    'maxLength': _word({**_COUNT, 'maximum': MAX_LENGTH_LIMIT},
                       f'a whole number from 0 to {MAX_LENGTH_LIMIT}',
                       ('string',)),
    'format': _word({'enum': list(FORMATS)}, 'one of ' + ', '.join(FORMATS),
                    ('string',)),
    'minimum': _word(_FINITE, _FINITE_WANTS, _NUMBERS),
    'maximum': _word(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMinimum': _word(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMaximum': _word(_FINITE, _FINITE_WANTS, _NUMBERS),
    'multipleOf': _word({**_FINITE, 'exclusiveMinimum': 0},
                        'a number above 0', _NUMBERS),
    'items': _word({'type': 'object'}, 'a mapping of words', ('array',)),
    'minItems': _word(_COUNT, _COUNT_WANTS, ('array',)),
    'maxItems': _word(_COUNT, _COUNT_WANTS, ('array',)),
    'uniqueItems': _word(_FLAG, _FLAG_WANTS, ('array',)),
    'properties': _word({'type': 'object', 'propertyNames': {
        'minLength': 1, 'maxLength': 255}}, 'a mapping of names', ('object',)),
    'required': _word(_NAMES, 'a list of names, each once', ('object',)),
    'additionalProperties': _word({'type': ['boolean', 'object']},
                                  'true, false or a mapping of words',
                                  ('object',)),
}

#: The words of a property: JSON Schema's, some of them narrower, and ours.
PROPERTY: Mapping[str, Word] = {
    **SCHEMA,
    'enum': _word(_ENUM, 'a list of texts, numbers and booleans, or of '
                         '{const: value, since: "1.3", until: "1.5"}',
                  SCALARS),
    'const': _word({'type': list(SCALARS)}, 'text, a number or a boolean',
                   SCALARS),
    'default': _word({'not': {'type': 'null'}}, 'a value; null is what a '
                     'property without a default has'),
    'backfill': _word({'not': {'type': 'null'}}, 'a value; null is what '
                      'existing records have without it'),
    'immutable': _word(_FLAG, _FLAG_WANTS),
    'references': _word(_NAME, 'the name of a type', ('reference',)),
    'on_delete': _word({'enum': ['restrict', 'set_null', 'cascade']},
                       'restrict, set_null or cascade', ('reference',)),
    'since': _word(_VERSION, _VERSION_WANTS),
    'until': _word(_VERSION, _VERSION_WANTS),
    'renamed_from': _word(_NAME, _NAME_WANTS),
    'read_roles': _word(_ROLES, _ROLES_WANTS),
    'write_roles': _word(_ROLES, _ROLES_WANTS),
    'dropped': _word(_FLAG, _FLAG_WANTS),
}

#: All that may stay of a type or property whose column is to go.
TOMBSTONE = frozenset(('name', 'plural', 'description', 'dropped'))
