# SPDX-License-Identifier: Apache-2.0
"""Cases of schema changes: an old and a new catalogue, and the rows before
and after.

A type is a dict with the keys of a type file. ``box`` is a type of scope
cloud with a property ``text``, unless a case changes that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Words = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]

#: The ids of the rows of a case, in order.
IDS = tuple(f'00000000-0000-4000-8000-00000000000{n}' for n in range(6))


def box(properties: Words | None = None, **words: Any) -> Words:
    return {'name': 'box', 'plural': 'boxes', 'scope': 'cloud',
            'properties': {'text': {'type': 'string'}, **(properties or {})},
            **words}


def rack(**words: Any) -> Words:
    return {'name': 'rack', 'plural': 'racks', 'scope': 'cloud',
            'properties': {}, **words}


GONE = {'dropped': True}
STRING = {'type': 'string'}
INTEGER = {'type': 'integer'}
NUMBER = {'type': 'number'}
MOMENT = {'type': 'string', 'format': 'date-time'}
REFERENCE = {'references': 'rack'}


@dataclass(frozen=True)
class Case:
    """One change of the types.

    ``rows`` of the type ``box``, and ``others`` of other types, become
    ``after``. If ``refused`` is set, the plan is refused with this text, and
    ``violating`` are the indexes of the rows that violate the new rule.
    ``kinds`` has the class of some steps.
    """

    name: str
    old: Sequence[Words]
    new: Sequence[Words]
    rows: Rows = ({'text': 'a'}, {'text': None})
    after: Rows | None = None
    others: Mapping[str, Rows] = field(default_factory=dict)
    refused: str = ''
    violating: tuple[int, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> Rows:
        return self.rows if self.after is None else self.after


TWO = ({'text': 'a', 'size': 1}, {'text': 'b', 'size': 2})
RACKS = {'rack': ({}, {})}
PERIOD = {'starts_at': MOMENT, 'ends_at': MOMENT}
EXCLUSIVE = {'over': ['text'], 'period': ['starts_at', 'ends_at']}


def day(number: int) -> str:
    return f'2026-01-{number:02}T00:00:00.000000Z'


def period(text: str, start: int, end: int | None) -> Words:
    return {'text': text, 'starts_at': day(start),
            'ends_at': None if end is None else day(end)}


ACCEPTED = (
    Case('nothing', [box()], [box()]),
    Case('a description', [box()], [box(description='A thing.')],
         kinds={'box.description': 'none'}),
    Case('words without a column', [box({'size': INTEGER})],
         [box({'size': {**INTEGER, 'minimum': 0, 'description': 'x'}},
              policy={'list': '@'})], TWO,
         kinds={'box.size': 'none', 'box.policy': 'none'}),
    Case('a new type', [box()], [box(), rack()], kinds={'rack': 'online'}),
    Case('a new type and a reference to it', [box()],
         [box({'rack_id': REFERENCE}), rack()],
         after=({'text': 'a', 'rack_id': None},
                {'text': None, 'rack_id': None})),
    Case('types that refer to each other', [box()], [
        box({'rack_id': REFERENCE}),
        rack(properties={'box_id': {'references': 'box'}})]),
    Case('a dropped type', [box(), rack()],
         [box(), {'name': 'rack', 'dropped': True}],
         others={'rack': ({}, {})}, kinds={'rack': 'destructive'}),
    Case('a dropped type and the reference to it',
         [box({'rack_id': REFERENCE}), rack()],
         [box({'rack_id': GONE}), {'name': 'rack', 'dropped': True}],
         ({'text': 'a', 'rack_id': IDS[0]},), ({'text': 'a'},), RACKS),
    Case('a dropped type whose plural a new type gets', [box(), rack()],
         [box(), {'name': 'rack', 'dropped': True},
          {'name': 'shelf', 'plural': 'racks', 'properties': {}}],
         others={'rack': ({}, {})}),
    Case('another plural', [box({'rack_id': REFERENCE}, indexes=[['text']],
                                unique=[['text']]), rack()],
         [box({'rack_id': REFERENCE}, indexes=[['text']],
              unique=[['text']], plural='chests'), rack(plural='stacks')],
         ({'text': 'a', 'rack_id': IDS[0]},), others=RACKS,
         kinds={'box.plural': 'online'}),
    Case('another plural, and the old one for a new type', [box()],
         [box(plural='chests'),
          {'name': 'shelf', 'plural': 'boxes', 'properties': {}}]),
    Case('a new property', [box()], [box({'size': INTEGER})],
         after=({'text': 'a', 'size': None}, {'text': None, 'size': None}),
         kinds={'box.size': 'online'}),
    Case('new properties with a default', [box()], [box({
        'size': {**INTEGER, 'default': 3},
        'ratio': {**NUMBER, 'default': 0.1},
        'on': {'type': 'boolean', 'default': True},
        'label': {**STRING, 'default': "it's 100%\\ :x 😀"},
        'long': {**STRING, 'maxLength': 4000, 'default': 'l'},
        'labels': {'type': 'object', 'default': {'a': ["b'\t%s\\"]}},
        'at': {**MOMENT, 'default': '2026-01-01T02:00:00.000001+02:00'}})],
        ({'text': 'a'},), ({
            'text': 'a', 'size': 3, 'ratio': 0.1, 'on': True,
            'label': "it's 100%\\ :x 😀", 'long': 'l',
            'labels': {'a': ["b'\t%s\\"]},
            'at': '2026-01-01T00:00:00.000001Z'},),
        kinds=dict.fromkeys(('box.size', 'box.ratio', 'box.on', 'box.label',
                             'box.long', 'box.labels', 'box.at'), 'online')),
    Case('a backfill beside a default', [box()], [box({
        'kind': {**STRING, 'default': 'new', 'backfill': 'old'}})],
        ({'text': 'a'},), ({'text': 'a', 'kind': 'old'},)),
    Case('a backfill of a nullable property', [box()], [box({
        'kind': {**STRING, 'backfill': 'old'}})],
        ({'text': 'a'},), ({'text': 'a', 'kind': 'old'},)),
    Case('a required property with a backfill', [box()], [box(
        {'kind': {**STRING, 'backfill': 'old'}}, required=['kind'])],
        ({'text': 'a'},), ({'text': 'a', 'kind': 'old'},)),
    Case('a required property without records', [box()],
         [box({'kind': STRING}, required=['kind'])], ()),
    Case('a dropped property', [box({'size': INTEGER})],
         [box({'size': GONE})], TWO, ({'text': 'a'}, {'text': 'b'}),
         kinds={'box.size': 'destructive'}),
    Case('a dropped property with its keys', [box(
        {'size': INTEGER, 'rack_id': REFERENCE}, unique=[['size']],
        indexes=[['size', 'text'], ['rack_id']]), rack()],
        [box({'size': GONE, 'rack_id': GONE}), rack()], TWO,
        ({'text': 'a'}, {'text': 'b'})),
    Case('a renamed property', [box({'size': INTEGER})],
         [box({'width': {**INTEGER, 'renamed_from': 'size',
                         'since': '1.1'}})], TWO,
         ({'text': 'a', 'width': 1}, {'text': 'b', 'width': 2}),
         kinds={'box.width': 'online'}),
    Case('a renamed property with its keys', [box(
        {'size': INTEGER, 'rack_id': REFERENCE},
        unique=[['size', 'text']], indexes=[['size'], ['rack_id', 'text']]),
        rack()], [box(
            {'width': {**INTEGER, 'renamed_from': 'size', 'since': '1.1'},
             'shelf_id': {**REFERENCE, 'renamed_from': 'rack_id',
                          'since': '1.1'}},
            unique=[['width', 'text']],
            indexes=[['width'], ['shelf_id', 'text']]), rack()],
        ({'text': 'a', 'size': 1, 'rack_id': IDS[1]},),
        ({'text': 'a', 'width': 1, 'shelf_id': IDS[1]},), RACKS),
    Case('a renamed property with a default and another type',
         [box({'size': INTEGER})],
         [box({'width': {**NUMBER, 'renamed_from': 'size', 'since': '1.1',
                         'default': 7}})],
         ({'text': 'a', 'size': 1}, {'text': 'b', 'size': None}),
         ({'text': 'a', 'width': 1.0}, {'text': 'b', 'width': 7.0})),
    Case('a renamed property, and a new one with the old name', [box(
        {'size': INTEGER}, indexes=[['size']])], [box({
            'width': {**INTEGER, 'renamed_from': 'size', 'since': '1.1'},
            'depth': INTEGER}, indexes=[['width'], ['depth']])], TWO,
        ({'text': 'a', 'width': 1, 'depth': None},
         {'text': 'b', 'width': 2, 'depth': None})),
    Case('a longer text', [box({'label': {**STRING, 'maxLength': 10}})],
         [box({'label': {**STRING, 'maxLength': 20}})],
         ({'text': 'a', 'label': 'x' * 10},)),
    Case('a text longer than a row', [box({'label': STRING})],
         [box({'label': {**STRING, 'maxLength': 9000}})],
         ({'text': 'a', 'label': 'é' * 255},)),
    Case('a shorter text', [box({'label': {**STRING, 'maxLength': 9000}})],
         [box({'label': {**STRING, 'maxLength': 4}})],
         ({'text': 'a', 'label': '😀' * 4},)),
    Case('integers that become numbers', [box({'size': INTEGER})],
         [box({'size': NUMBER}, indexes=[['size']])], TWO,
         ({'text': 'a', 'size': 1.0}, {'text': 'b', 'size': 2.0})),
    Case('whole numbers that become integers', [box({'size': NUMBER})],
         [box({'size': INTEGER})],
         ({'text': 'a', 'size': 1e18}, {'text': 'b', 'size': -2.0}),
         ({'text': 'a', 'size': 10 ** 18}, {'text': 'b', 'size': -2})),
    Case('any other type, without a value', [box(
        {'one': STRING, 'two': {'type': 'boolean'}, 'three': MOMENT,
         'four': {'type': 'object'}})], [box(
             {'one': INTEGER, 'two': MOMENT, 'three': {'type': 'array'},
              'four': STRING})], ({'text': 'a'},),
        ({'text': 'a', 'one': None, 'two': None, 'three': None,
          'four': None},)),
    Case('another type and a default, without a value',
         [box({'one': {'type': 'boolean'}})],
         [box({'one': {**MOMENT, 'default': day(1)}}, unique=[['text']])],
         ({'text': 'a'},), ({'text': 'a', 'one': day(1)},)),
    Case('required, with nulls and a backfill', [box()],
         [box({'text': {**STRING, 'backfill': 'none'}}, required=['text'])],
         after=({'text': 'a'}, {'text': 'none'}),
         kinds={'box.text': 'backfill'}),
    Case('a default, with nulls', [box(indexes=[['text']])],
         [box({'text': {**STRING, 'default': 'none'}}, indexes=[['text']])],
         after=({'text': 'a'}, {'text': 'none'})),
    Case('required, without nulls', [box()], [box(required=['text'])],
         ({'text': 'a'},)),
    Case('no longer required', [box(required=['text'],
                                       indexes=[['text']])],
         [box(indexes=[['text']])], ({'text': 'a'},)),
    Case('another default', [box({'size': {**INTEGER, 'default': 1}})],
         [box({'size': {**INTEGER, 'default': 2}})], TWO,
         kinds={'box.size': 'none'}),
    Case('a new unique', [box()], [box(unique=[['text']])],
         ({'text': 'a'}, {'text': None}, {'text': None}, {'text': 'A'})),
    Case('a dropped unique', [box(unique=[['text']])], [box()]),
    Case('another unique', [box({'size': INTEGER}, unique=[['text']])],
         [box({'size': INTEGER}, unique=[['text', 'size'], ['size']])], TWO),
    Case('new indexes', [box({'size': INTEGER})],
         [box({'size': INTEGER}, indexes=[['size', 'text'], ['text']])], TWO,
         kinds={'box.indexes': 'online'}),
    Case('a dropped index', [box(indexes=[['text']])], [box()]),
    Case('an index in another order',
         [box({'size': INTEGER}, indexes=[['text', 'size']])],
         [box({'size': INTEGER}, indexes=[['size', 'text']])], TWO),
    Case('a reference from a text', [box({'rack_id': STRING}), rack()],
         [box({'rack_id': REFERENCE}), rack()],
         ({'text': 'a', 'rack_id': IDS[1]}, {'text': 'b', 'rack_id': None}),
         others=RACKS),
    Case('a text from a reference', [box({'rack_id': REFERENCE}), rack()],
         [box({'rack_id': STRING}), rack()],
         ({'text': 'a', 'rack_id': IDS[1]},), others=RACKS),
    Case('another on_delete', [box({'rack_id': REFERENCE}), rack()],
         [box({'rack_id': {**REFERENCE, 'on_delete': 'cascade'}}), rack()],
         ({'text': 'a', 'rack_id': IDS[0]},), others=RACKS,
         kinds={'box.rack_id': 'none'}),
    Case('a narrower target of a reference', [
        box({'rack_id': {**REFERENCE, 'on_delete': 'cascade'}}),
        rack(properties={'name': STRING})], [
        box({'rack_id': {**REFERENCE, 'on_delete': 'cascade'}}),
        rack(properties={'name': {**STRING, 'maxLength': 3}},
             required=['name'], unique=[['name']])],
        ({'text': 'a', 'rack_id': IDS[0]}, {'text': 'b', 'rack_id': IDS[1]}),
        others={'rack': ({'name': 'x'}, {'name': 'y'})}),
    Case('a narrower rule that all records meet',
         [box({'size': INTEGER})],
         [box({'size': {**INTEGER, 'enum': [1, 2], 'maximum': 2},
               'text': {**STRING, 'pattern': '^[ab]$'}})], TWO),
    Case('periods that do not overlap', [box(PERIOD)],
         [box(PERIOD, exclusive=EXCLUSIVE)],
         (period('a', 1, 2), period('a', 2, None), period('b', 1, 9))),
    Case('a dropped exclusive',
         [box(PERIOD, exclusive=EXCLUSIVE)], [box(PERIOD)],
         (period('a', 1, 2),)),
    Case('periods of renamed properties', [box(PERIOD, exclusive=EXCLUSIVE)],
         [box({'starts_at': MOMENT, 'until_at': {
             **MOMENT, 'renamed_from': 'ends_at', 'since': '1.1'}},
             exclusive={'over': ['text'],
                        'period': ['starts_at', 'until_at']})],
         (period('a', 1, 2),),
         ({'text': 'a', 'starts_at': day(1), 'until_at': day(2)},)),
)

THREE = ({'text': 'a'}, {'text': 'a'}, {'text': 'b'})

REFUSED = (
    Case('a type without a tombstone', [box(), rack()], [box()],
         others={'rack': ({},)},
         refused='rack: drop the table and its 1 record: declare the type, '
                 'or declare "{name: rack, plural: racks, dropped: true}"'),
    Case('a property without a tombstone',
         [box({'size': INTEGER})], [box()], TWO,
         refused='box.size: drop the column and its values: declare the '
                 'property, or declare "size: {dropped: true}"'),
    Case('a required property', [box()],
         [box({'kind': STRING}, required=['kind'])],
         refused='box.kind: add the column: the property is required and '
                 'there are records; declare a default or a backfill'),
    Case('required, with nulls', [box()], [box(required=['text'])],
         ({'text': None}, {'text': 'a'}, {'text': None}),
         refused='give them a value, or declare a default or a backfill',
         violating=(0, 2)),
    Case('another scope', [box()], [box(scope='project')],
         refused='change the scope from cloud to project: the scope of a '
                 'type cannot change'),
    Case('duplicates', [box()], [box(unique=[['text']])], THREE,
         refused='add unique [text]: 2 violating records', violating=(0, 1)),
    Case('duplicates by a default', [box()], [box(
        {'kind': {**STRING, 'default': 'x'}}, unique=[['kind']])], THREE,
        refused='add unique [kind]: 3 violating records', violating=(0, 1, 2)),
    Case('duplicates in a unique by the value that replaces null',
         [box(unique=[['text']])],
         [box({'text': {**STRING, 'default': 'b'}}, unique=[['text']])],
         ({'text': 'a'}, {'text': 'b'}, {'text': None}),
         refused='check unique [text] for records whose nulls get a value: 2 '
                 'violating records',
         violating=(1, 2)),
    Case('duplicates in a renamed unique by the value that replaces null',
         [box({'size': INTEGER}, unique=[['size', 'text']])],
         [box({'width': {**INTEGER, 'renamed_from': 'size', 'since': '1.1',
                         'default': 1}}, unique=[['width', 'text']])],
         ({'text': 'a', 'size': 1}, {'text': 'a', 'size': None}),
         refused='check unique [width, text] for records whose nulls get a',
         violating=(0, 1)),
    Case('periods that overlap by the value that replaces null',
         [box(PERIOD, exclusive=EXCLUSIVE)],
         [box({**PERIOD, 'text': {**STRING, 'default': 'a'}},
              exclusive=EXCLUSIVE)],
         (period('a', 1, 3), {**period('a', 2, 4), 'text': None}),
         refused='whose nulls get a value: 2 violating records',
         violating=(0, 1)),
    Case('a text that is too long', [box()],
         [box({'text': {**STRING, 'maxLength': 2}})],
         ({'text': 'ab'}, {'text': '😀😀😀'}),
         refused='1 violating record (', violating=(1,)),
    Case('a number with a fraction',
         [box({'size': NUMBER})], [box({'size': INTEGER})],
         ({'text': 'a', 'size': 1.5}, {'text': 'b', 'size': 1e19},
          {'text': 'c', 'size': 1.0}), refused='2 violating records',
         violating=(0, 1)),
    Case('an integer that a double cannot represent', [box({'size': INTEGER})],
         [box({'size': NUMBER})],
         ({'text': 'a', 'size': 2 ** 53 + 1}, {'text': 'b', 'size': 1}),
         refused='1 violating record (', violating=(0,)),
    Case('values of another type', [box()], [box({'text': INTEGER})],
         ({'text': 'a'}, {'text': None}),
         refused='change the type from text to integer: 1 value cannot be '
                 'converted'),
    Case('documents that become texts', [box({'labels': {'type': 'object'}})],
         [box({'labels': {**STRING, 'maxLength': 9000}})],
         ({'text': 'a', 'labels': {}},),
         refused='change the type from document to text: 1 value cannot be '
                 'converted'),
    Case('references to no record', [box({'rack_id': STRING}), rack()],
         [box({'rack_id': REFERENCE}), rack()],
         ({'text': 'a', 'rack_id': IDS[0]}, {'text': 'b', 'rack_id': 'no'},
          {'text': 'c', 'rack_id': IDS[5]}), others=RACKS,
         refused='2 violating records', violating=(1, 2)),
    Case('a reference to a new type',
         [box({'rack_id': STRING})], [box({'rack_id': REFERENCE}), rack()],
         ({'text': 'a', 'rack_id': IDS[0]},), refused='1 violating record (',
         violating=(0,)),
    Case('overlapping periods', [box(PERIOD)],
         [box(PERIOD, exclusive=EXCLUSIVE)],
         (period('a', 1, 3), period('a', 2, None), period('b', 1, 9)),
         refused='forbid overlapping periods [starts_at, ends_at]: 2 '
                 'violating records', violating=(0, 1)),
    Case('two types that exchange their plurals', [box(), rack()],
         [box(plural='racks'), rack(plural='boxes')],
         refused='the table still belongs to the type'),
)

#: Narrower rules of values, which some rows violate. No table changes.
NARROWED = (
    Case('an enum', [box()], [box({'text': {**STRING, 'enum': ['a']}})],
         ({'text': 'a'}, {'text': 'b'}, {'text': None}), violating=(1,)),
    Case('a pattern', [box()], [box({'text': {**STRING, 'pattern': '^a'}})],
         ({'text': 'ba'}, {'text': 'a'}), violating=(0,)),
    Case('a minimum', [box({'size': INTEGER})],
         [box({'size': {**INTEGER, 'minimum': 2}})], TWO, violating=(0,)),
    Case('a format', [box()], [box({'text': {**STRING, 'format': 'uri'}})],
         ({'text': 'a b'}, {'text': 'http://a/'}), violating=(0,)),
    Case('members', [box({'labels': {'type': 'object'}})],
         [box({'labels': {'type': 'object', 'additionalProperties':
                          {'type': 'integer'}}})],
         ({'text': 'a', 'labels': {'x': 'y'}},
          {'text': 'b', 'labels': {'x': 1}}), violating=(0,)),
)
