# SPDX-License-Identifier: Apache-2.0
"""A type with a column of every kind, its tables and random records of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import (
    Catalogue,
    Choice,
    Property,
    ResourceType,
)
from service.storage.lists import statements
from service.storage.tables import declared as declared_tables

STATUSES = ('active', 'provisioning', 'retired')

RACK = ResourceType('rack', 'racks', scope='cloud', properties={
    'name': Property('name', 'string', required=True)}, unique=(('name',),))

THING = ResourceType(
    'thing', 'things',
    properties={one.name: one for one in (
        Property('name', 'string', required=True),
        Property('serial', 'string'),
        Property('label', 'string'),
        Property('status', 'string', default='active',
                 enum=tuple(map(Choice, STATUSES))),
        Property('size', 'integer'),
        Property('slot', 'integer', required=True),
        Property('ratio', 'number'),
        Property('enabled', 'boolean'),
        Property('finished_at', 'string', format='date-time'),
        Property('rack_id', 'string', references='rack'),
    )},
    unique=(('name',), ('serial',), ('status', 'slot')),
    indexes=(('status',), ('label', 'size'), ('ratio',),
             ('enabled', 'finished_at'), ('finished_at',),
             ('rack_id', 'name'), ('size',), ('status', 'size', 'label')))

CATALOGUE = Catalogue({'rack': RACK, 'thing': THING})
SHAPE = THING.at(FIRST_VERSION)

#: Texts that a filter's grammar, SQL or a collation could trip over.
TEXTS = ('', ' ', 'a', 'A', 'a ', ' a', 'b', 'é', 'e\u0301', 'null', 'NULL',
         'gte:1', 'in:a,b', 'a,b', '"', 'a"b', '\\', 'a\\', '\\n', '\n', '%',
         '_', "'", "' OR 1=1 --", ':x', '%(x)s', '\U0001f600', '\uffff',
         'fa:16:3e:00:00:01', 'true', '0', 'z' * 255)
INTEGERS = (-2 ** 63, -10, -2, -1, 0, 1, 2, 9, 10, 2 ** 53 + 1, 2 ** 63 - 1)
NUMBERS = (-1e308, -2.5, -0.1, 0.0, 0.1, 0.30000000000000004, 1.0, 2.0, 1e-9,
           1e22, 1.7976931348623157e308)
INSTANTS = ('1000-01-01T00:00:00.000000Z', '1999-12-31T23:59:59.999999Z',
            '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000001Z',
            '2026-03-29T02:30:00.000000Z', '9999-12-31T23:59:59.999999Z')
TAGS = ('red', 'Red', 'blue', 'é ?%')
PROJECTS = ('alpha', 'Alpha', 'beta')


def an_id(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


_IDS = random.Random(7)
RACKS = tuple(sorted(an_id(_IDS) for _ in range(3)))

#: What each column that a list may ask for can hold.
DOMAIN: Mapping[str, Sequence[Any]] = {
    'label': (None, *TEXTS),
    'serial': (None,),
    'status': STATUSES,
    'size': (None, *INTEGERS),
    'ratio': (None, *NUMBERS),
    'enabled': (None, False, True),
    'finished_at': (None, *INSTANTS),
    'rack_id': (None, *RACKS),
    'created_at': INSTANTS,
    'updated_at': INSTANTS,
    'project_id': PROJECTS,
}


def record(source: random.Random, number: int) -> dict[str, Any]:
    """One record; few values a column, so that there are many ties."""
    found = {name: source.choice(values) for name, values in DOMAIN.items()}
    if source.random() < 0.5:
        found['label'] = source.choice((None, 'a', 'A'))
        found['size'] = source.choice((None, 1, 2))
    serial = source.choice((None, f'{number}'))
    return {**found, 'id': an_id(source), 'generation': 1, 'metadata': {},
            'name': f'{source.choice(TEXTS)[:200]}{number}', 'slot': number,
            'serial': serial,
            'tags': sorted(source.sample(TAGS, source.randrange(4)))}


def records(count: int, seed: int = 1) -> list[dict[str, Any]]:
    source = random.Random(seed)
    return [record(source, number) for number in range(count)]


def built() -> declared_tables.Tables:
    """The tables without their foreign keys, so that no rack must be there.
    """
    made = declared_tables.build(CATALOGUE)
    table = made.of(THING)
    table.constraints -= table.foreign_key_constraints
    return made


def filled(engine: sa.Engine,
           rows: Iterable[Mapping[str, Any]]) -> declared_tables.Tables:
    """Tables anew, with these records in them."""
    made = built()
    rows = list(rows)
    used = (made.of(THING), made.core.tags)
    with engine.begin() as connection:
        made.metadata.drop_all(connection, used)
        made.metadata.create_all(connection, used)
        connection.execute(sa.insert(made.of(THING)), rows)
        connection.execute(sa.insert(made.core.tags), [
            {'type': THING.name, 'record_id': one['id'], 'tag': tag}
            for one in rows for tag in one['tags']])
    return made


def world(engine: sa.Engine, rows: list[dict[str, Any]]) -> SimpleNamespace:
    made = filled(engine, rows)
    table = made.of(THING)
    source = statements.source(table, made.core.tags, engine.dialect.name)
    return SimpleNamespace(engine=engine, rows=rows, source=source,
                           table=table)
