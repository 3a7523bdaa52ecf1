# SPDX-License-Identifier: Apache-2.0
"""Two catalogues each, what stood in the tables of the first, and what of it
stands in those of the second.

A type is written as the words of its file; ``box`` has a text and is of
scope cloud unless it says otherwise.
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
    """``rows`` of the type ``box`` (or of those named) become ``after``;
    or the plan is ``refused``, for a reason that says this."""

    name: str
    old: Sequence[Words]
    new: Sequence[Words]
    rows: Rows = ({'text': 'a'}, {'text': None})
    after: Rows | None = None
    others: Mapping[str, Rows] = field(default_factory=dict)
    refused: str = ''
    broken: tuple[int, ...] = ()
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


TAKEN = (
    Case('nothing', [box()], [box()]),
    Case('a description', [box()], [box(description='A thing.')],
         kinds={'box.description': 'none'}),
    Case('what has no table', [box({'size': INTEGER})],
         [box({'size': {**INTEGER, 'minimum': 0, 'description': 'x'}},
              policy={'list': '@'})], TWO,
         kinds={'box.size': 'none', 'box.policy': 'none'}),
    Case('a new type', [box()], [box(), rack()], kinds={'rack': 'online'}),
    Case('a new type to refer to', [box()],
         [box({'rack_id': REFERENCE}), rack()],
         after=({'text': 'a', 'rack_id': None},
                {'text': None, 'rack_id': None})),
    Case('types that refer to each other', [box()], [
        box({'rack_id': REFERENCE}),
        rack(properties={'box_id': {'references': 'box'}})]),
    Case('a dropped type', [box(), rack()],
         [box(), {'name': 'rack', 'dropped': True}],
         others={'rack': ({}, {})}, kinds={'rack': 'destructive'}),
    Case('a dropped type that was referred to',
         [box({'rack_id': REFERENCE}), rack()],
         [box({'rack_id': GONE}), {'name': 'rack', 'dropped': True}],
         ({'text': 'a', 'rack_id': IDS[0]},), ({'text': 'a'},), RACKS),
    Case('a dropped type whose plural another takes', [box(), rack()],
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
    Case('a backfill of what may be null', [box()], [box({
        'kind': {**STRING, 'backfill': 'old'}})],
        ({'text': 'a'},), ({'text': 'a', 'kind': 'old'},)),
    Case('a required property with a backfill', [box()], [box(
        {'kind': {**STRING, 'backfill': 'old'}}, required=['kind'])],
        ({'text': 'a'},), ({'text': 'a', 'kind': 'old'},)),
    Case('a required property where there is no record', [box()],
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
    Case('a renamed property that is required and of another type now',
         [box({'size': INTEGER})],
         [box({'width': {**NUMBER, 'renamed_from': 'size', 'since': '1.1',
                         'default': 7}})],
         ({'text': 'a', 'size': 1}, {'text': 'b', 'size': None}),
         ({'text': 'a', 'width': 1.0}, {'text': 'b', 'width': 7.0})),
    Case('a new name, and the old one for another property', [box(
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
    Case('whole numbers that may have fractions', [box({'size': INTEGER})],
         [box({'size': NUMBER}, indexes=[['size']])], TWO,
         ({'text': 'a', 'size': 1.0}, {'text': 'b', 'size': 2.0})),
    Case('numbers without a fraction', [box({'size': NUMBER})],
         [box({'size': INTEGER})],
         ({'text': 'a', 'size': 1e18}, {'text': 'b', 'size': -2.0}),
         ({'text': 'a', 'size': 10 ** 18}, {'text': 'b', 'size': -2})),
    Case('any other type, where there is no value', [box(
        {'one': STRING, 'two': {'type': 'boolean'}, 'three': MOMENT,
         'four': {'type': 'object'}})], [box(
             {'one': INTEGER, 'two': MOMENT, 'three': {'type': 'array'},
              'four': STRING})], ({'text': 'a'},),
        ({'text': 'a', 'one': None, 'two': None, 'three': None,
          'four': None},)),
    Case('another type and a default, where there is no value',
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
    Case('required, without a null', [box()], [box(required=['text'])],
         ({'text': 'a'},)),
    Case('not required any more', [box(required=['text'],
                                       indexes=[['text']])],
         [box(indexes=[['text']])], ({'text': 'a'},)),
    Case('another default', [box({'size': {**INTEGER, 'default': 1}})],
         [box({'size': {**INTEGER, 'default': 2}})], TWO,
         kinds={'box.size': 'none'}),
    Case('a new unique', [box()], [box(unique=[['text']])],
         ({'text': 'a'}, {'text': None}, {'text': None}, {'text': 'A'})),
    Case('no unique any more', [box(unique=[['text']])], [box()]),
    Case('another unique', [box({'size': INTEGER}, unique=[['text']])],
         [box({'size': INTEGER}, unique=[['text', 'size'], ['size']])], TWO),
    Case('new indexes', [box({'size': INTEGER})],
         [box({'size': INTEGER}, indexes=[['size', 'text'], ['text']])], TWO,
         kinds={'box.indexes': 'online'}),
    Case('no index any more', [box(indexes=[['text']])], [box()]),
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
    Case('a narrower target that is referred to', [
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
    Case('periods that may overlap again',
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
    Case('a type that vanished', [box(), rack()], [box()],
         others={'rack': ({},)},
         refused='rack: is dropped, with its 1 records: declare it, or let a '
                 'file say "{name: rack, plural: racks, dropped: true}"'),
    Case('a property that vanished', [box({'size': INTEGER})], [box()], TWO,
         refused='box.size: is dropped, with its values: declare it, or say '
                 '"size: {dropped: true}"'),
    Case('a required property', [box()],
         [box({'kind': STRING}, required=['kind'])],
         refused='box.kind: is new: give it a default or a backfill'),
    Case('required, with nulls', [box()], [box(required=['text'])],
         ({'text': None}, {'text': 'a'}, {'text': None}),
         refused='give it a default or a backfill', broken=(0, 2)),
    Case('another scope', [box()], [box(scope='project')],
         refused='turns from scope cloud to scope project: nobody can say'),
    Case('twins', [box()], [box(unique=[['text']])], THREE,
         refused='unique [text] is new: 2 records break it', broken=(0, 1)),
    Case('twins by a default', [box()], [box(
        {'kind': {**STRING, 'default': 'x'}}, unique=[['kind']])], THREE,
        refused='unique [kind] is new: 3 records', broken=(0, 1, 2)),
    Case('twins of a unique by what nulls are given',
         [box(unique=[['text']])],
         [box({'text': {**STRING, 'default': 'b'}}, unique=[['text']])],
         ({'text': 'a'}, {'text': 'b'}, {'text': None}),
         refused='unique [text] binds records that had nulls: 2 records',
         broken=(1, 2)),
    Case('twins of a renamed unique by what nulls are given',
         [box({'size': INTEGER}, unique=[['size', 'text']])],
         [box({'width': {**INTEGER, 'renamed_from': 'size', 'since': '1.1',
                         'default': 1}}, unique=[['width', 'text']])],
         ({'text': 'a', 'size': 1}, {'text': 'a', 'size': None}),
         refused='unique [width, text] binds records that had nulls',
         broken=(0, 1)),
    Case('periods that overlap by what nulls are given',
         [box(PERIOD, exclusive=EXCLUSIVE)],
         [box({**PERIOD, 'text': {**STRING, 'default': 'a'}},
              exclusive=EXCLUSIVE)],
         (period('a', 1, 3), {**period('a', 2, 4), 'text': None}),
         refused='binds records that had nulls: 2 records', broken=(0, 1)),
    Case('too long', [box()], [box({'text': {**STRING, 'maxLength': 2}})],
         ({'text': 'ab'}, {'text': '😀😀😀'}), refused='1 records break it',
         broken=(1,)),
    Case('a fraction', [box({'size': NUMBER})], [box({'size': INTEGER})],
         ({'text': 'a', 'size': 1.5}, {'text': 'b', 'size': 1e19},
          {'text': 'c', 'size': 1.0}), refused='2 records break it',
         broken=(0, 1)),
    Case('a number no double has', [box({'size': INTEGER})],
         [box({'size': NUMBER})],
         ({'text': 'a', 'size': 2 ** 53 + 1}, {'text': 'b', 'size': 1}),
         refused='1 records break it', broken=(0,)),
    Case('values of another type', [box()], [box({'text': INTEGER})],
         ({'text': 'a'}, {'text': None}),
         refused='turns from text to integer: 1 records have a value, which '
                 'cannot be converted'),
    Case('documents as texts', [box({'labels': {'type': 'object'}})],
         [box({'labels': {**STRING, 'maxLength': 9000}})],
         ({'text': 'a', 'labels': {}},),
         refused='turns from document to text: 1 records have a value'),
    Case('orphans', [box({'rack_id': STRING}), rack()],
         [box({'rack_id': REFERENCE}), rack()],
         ({'text': 'a', 'rack_id': IDS[0]}, {'text': 'b', 'rack_id': 'no'},
          {'text': 'c', 'rack_id': IDS[5]}), others=RACKS,
         refused='2 records break it', broken=(1, 2)),
    Case('a type to refer to that is not there yet',
         [box({'rack_id': STRING})], [box({'rack_id': REFERENCE}), rack()],
         ({'text': 'a', 'rack_id': IDS[0]},), refused='1 records break it',
         broken=(0,)),
    Case('overlapping periods', [box(PERIOD)],
         [box(PERIOD, exclusive=EXCLUSIVE)],
         (period('a', 1, 3), period('a', 2, None), period('b', 1, 9)),
         refused='may not overlap: 2 records break it', broken=(0, 1)),
    Case('plurals that change places', [box(), rack()],
         [box(plural='racks'), rack(plural='boxes')],
         refused='has this plural still'),
)

#: A narrower rule of values: the table does not change for it.
MEETS_NOT = (
    Case('an enum', [box()], [box({'text': {**STRING, 'enum': ['a']}})],
         ({'text': 'a'}, {'text': 'b'}, {'text': None}), broken=(1,)),
    Case('a pattern', [box()], [box({'text': {**STRING, 'pattern': '^a'}})],
         ({'text': 'ba'}, {'text': 'a'}), broken=(0,)),
    Case('a minimum', [box({'size': INTEGER})],
         [box({'size': {**INTEGER, 'minimum': 2}})], TWO, broken=(0,)),
    Case('a format', [box()], [box({'text': {**STRING, 'format': 'uri'}})],
         ({'text': 'a b'}, {'text': 'http://a/'}), broken=(0,)),
    Case('members', [box({'labels': {'type': 'object'}})],
         [box({'labels': {'type': 'object', 'additionalProperties':
                          {'type': 'integer'}}})],
         ({'text': 'a', 'labels': {'x': 'y'}},
          {'text': 'b', 'labels': {'x': 1}}), broken=(0,)),
)
