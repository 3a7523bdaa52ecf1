# SPDX-License-Identifier: Apache-2.0
"""The keywords of a type file: where each is valid, and its valid values.

This module has only tables. ``syntax`` checks each keyword of a file against
them; ``type_checks`` checks keywords together. A test compares the reference
in the documentation with these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from service.domain.catalogue.types import COMMON_FIELDS

#: Compiles patterns in linear time, here and in every validator.
REGEX_OPTIONS = jsonschema_rs.RegexOptions()

NAME = '^[a-z][a-z0-9_]{0,47}$'
#: URLs have the plural with hyphens for underscores, so no part is empty.
PLURAL = '^[a-z][a-z0-9]*(_[a-z0-9]+)*$'
VERSION = r'^([1-9][0-9]*)\.([1-9][0-9]*|0)$'

#: Query parameters; a property of the same name could not be a filter.
LIST_PARAMETERS = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'fields',
                   'with_count', 'all_projects', 'dry_run', 'revision', 'tags',
                   'tags_any', 'not_tags', 'not_tags_any')
#: System columns of PostgreSQL and InnoDB, which exist in every table; a
#: property of such a name cannot be stored.
SYSTEM_COLUMNS = ('ctid', 'tableoid', 'xmin', 'xmax', 'cmin', 'cmax',
                  'db_row_id', 'db_trx_id', 'db_roll_ptr', 'fts_doc_id')
RESERVED_NAMES = frozenset((*COMMON_FIELDS, *LIST_PARAMETERS, *SYSTEM_COLUMNS))
#: Collections of the service itself, and keys in the reply of a list.
RESERVED_PLURALS = frozenset((*COMMON_FIELDS, *LIST_PARAMETERS, 'types',
                              'test', 'quotas', 'docs', 'metrics', 'errors',
                              'error', 'count'))

#: The actions that ``policy`` can override; each has a rule such as
#: ``pileus:hosts:create``.
ACTIONS = ('list', 'show', 'create', 'replace', 'patch', 'delete',
           'create_any', 'list_any', 'show_tags', 'update_tags',
           'show_metadata', 'update_metadata', 'list_revisions',
           'show_revision', 'revert')

#: The formats that jsonschema-rs checks; it would ignore any other.
FORMATS = ('date', 'time', 'date-time', 'duration', 'email', 'idn-email',
           'hostname', 'idn-hostname', 'ipv4', 'ipv6', 'uri',
           'uri-reference', 'iri', 'iri-reference', 'uri-template', 'uuid',
           'json-pointer', 'relative-json-pointer', 'regex')

SCALARS = ('string', 'integer', 'number', 'boolean')
KINDS = (*SCALARS, 'object', 'array')

#: The maxLength of a string that declares none, and the largest maxLength.
DEFAULT_MAX_LENGTH = 255
MAX_LENGTH_LIMIT = 65535


class Keyword(NamedTuple):
    """A keyword: the test of its value, and the kinds that it is valid for.

    ``wants`` describes a valid value for the message "must be ...". Kinds are
    the JSON types, and ``reference``.
    """

    is_valid: Callable[[Any], bool]
    wants: str
    kinds: frozenset[str]


def _keyword(schema: Mapping[str, Any], wants: str,
             kinds: tuple[str, ...] = (*KINDS, 'reference')) -> Keyword:
    validator = jsonschema_rs.validator_for(dict(schema))
    return Keyword(validator.is_valid, wants, frozenset(kinds))


_TEXT = {'type': 'string'}
_NAME = {'type': 'string', 'pattern': NAME}
_NAME_WANTS = ('1 to 48 lower-case letters, digits and underscores, beginning '
               'with a letter')
_VERSION = {'type': 'string', 'pattern': VERSION, 'maxLength': 21}
_VERSION_WANTS = 'a version in quotes, such as "1.4"'
_FLAG = {'type': 'boolean'}
_FLAG_WANTS = 'true or false'
_NAMES = {'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': True}
_SOME_NAMES = {**_NAMES, 'minItems': 1}
#: InnoDB allows 16 columns in an index; project_id and id are two of them.
_KEYS = {'type': 'array', 'uniqueItems': True,
         'items': {**_SOME_NAMES, 'maxItems': 14}}
_KEYS_WANTS = ('a list of different lists of 1 to 14 different property '
               'names, such as [[state], [rack_id, name]]')
#: ``over`` has one column less than a key: the index has the start as well.
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
_COUNT_WANTS = 'an integer from 0 to 2147483647'
_ROLES = {'type': 'array', 'minItems': 1, 'uniqueItems': True, 'items': {
    'type': 'string', 'pattern': r'\S', 'maxLength': 255}}
_ROLES_WANTS = 'a list of different role names, such as [admin]'

#: The keywords of a type.
TYPE_KEYWORDS: Mapping[str, Keyword] = {
    'name': _keyword(_NAME, _NAME_WANTS),
    'plural': _keyword({'type': 'string', 'pattern': PLURAL, 'maxLength': 48},
                       _NAME_WANTS + ', with no underscore at the end or '
                                     'beside another'),
    'description': _keyword(_TEXT, 'a string'),
    'scope': _keyword({'enum': ['project', 'cloud']}, 'project or cloud'),
    'since': _keyword(_VERSION, _VERSION_WANTS),
    'until': _keyword(_VERSION, _VERSION_WANTS),
    'controller': _keyword(
        {'type': 'string', 'pattern':
         r'^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$'},
        'a class in the form package.module:Class'),
    'dropped': _keyword(_FLAG, _FLAG_WANTS),
    'properties': _keyword({'type': 'object'}, 'a mapping of property names '
                           'to keywords, such as {name: {type: string}}'),
    'required': _keyword(_NAMES, 'a list of different property names'),
    'unique': _keyword(_KEYS, _KEYS_WANTS),
    'indexes': _keyword(_KEYS, _KEYS_WANTS),
    'exclusive': _keyword(_EXCLUSIVE, 'a mapping such as {over: [host_id], '
                          'period: [starts_at, ends_at], when: {state: '
                          '[planned]}}, or a list of such mappings'),
    'quota': _keyword(_COUNT, _COUNT_WANTS),
    'policy': _keyword({'type': 'object', 'additionalProperties': {
        'type': 'string'}}, 'a mapping of actions to rules, such as {create: '
                            '"role:admin"}'),
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

_SCHEMA_WANTS = 'a mapping of keywords, such as {type: string}'

#: The JSON Schema keywords, which are also valid inside objects and arrays.
SCHEMA_KEYWORDS: Mapping[str, Keyword] = {
    'type': _keyword({'enum': list(KINDS)}, 'one of ' + ', '.join(KINDS),
                     KINDS),
    'description': _keyword(_TEXT, 'a string'),
    'enum': _keyword(
        {'type': 'array', 'minItems': 1, 'maxItems': 1000,
         'uniqueItems': True}, 'a list of 1 to 1000 different values', KINDS),
    'const': _keyword({}, 'a value', KINDS),
    'pattern': _keyword({**_TEXT, 'maxLength': 1000},
                        'a regular expression of at most 1000 characters',
                        ('string',)),
    'minLength': _keyword(_COUNT, _COUNT_WANTS, ('string',)),
    'maxLength': _keyword({**_COUNT, 'maximum': MAX_LENGTH_LIMIT},
                          f'an integer from 0 to {MAX_LENGTH_LIMIT}',
                          ('string',)),
    'format': _keyword({'enum': list(FORMATS)}, 'one of ' + ', '.join(FORMATS),
                       ('string',)),
    'minimum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'maximum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMinimum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'exclusiveMaximum': _keyword(_FINITE, _FINITE_WANTS, _NUMBERS),
    'multipleOf': _keyword({**_FINITE, 'exclusiveMinimum': 0},
                           'a number above 0', _NUMBERS),
    'items': _keyword({'type': 'object'}, _SCHEMA_WANTS, ('array',)),
    'minItems': _keyword(_COUNT, _COUNT_WANTS, ('array',)),
    'maxItems': _keyword(_COUNT, _COUNT_WANTS, ('array',)),
    'uniqueItems': _keyword(_FLAG, _FLAG_WANTS, ('array',)),
    'properties': _keyword({'type': 'object', 'propertyNames': {
        'minLength': 1, 'maxLength': 255}}, 'a mapping of names of 1 to 255 '
        'characters to keywords, such as {name: {type: string}}',
        ('object',)),
    'required': _keyword(_NAMES, 'a list of different names', ('object',)),
    'additionalProperties': _keyword({'type': ['boolean', 'object']},
                                     f'true, false or {_SCHEMA_WANTS}',
                                     ('object',)),
}

#: The keywords of a property: those of JSON Schema, some of them more
#: restricted, and Pileus' own.
PROPERTY_KEYWORDS: Mapping[str, Keyword] = {
    **SCHEMA_KEYWORDS,
    'enum': _keyword(_ENUM, 'a list of 1 to 1000 strings, numbers, booleans '
                            'or mappings such as {const: value, since: '
                            '"1.3", until: "1.5"}', SCALARS),
    'const': _keyword({'type': list(SCALARS)},
                      'a string, a number or a boolean', SCALARS),
    'default': _keyword({'not': {'type': 'null'}}, 'a value (leave the '
                        'keyword out to make null the default)'),
    'backfill': _keyword({'not': {'type': 'null'}}, 'a value (leave the '
                         'keyword out to use the default)'),
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

#: The keywords that a dropped type or property may keep.
TOMBSTONE = frozenset(('name', 'plural', 'description', 'dropped'))
