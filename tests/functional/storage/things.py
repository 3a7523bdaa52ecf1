# SPDX-License-Identifier: Apache-2.0
"""A type with a column of each kind, its tables, and random records."""

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
    properties={prop.name: prop for prop in (
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

#: Texts with a meaning in filters, SQL or collations.
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

#: Values of each column that lists filter or sort by.
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
    """Return a random record; columns have few values, so there are ties."""
    values = {name: source.choice(domain) for name, domain in DOMAIN.items()}
    if source.random() < 0.5:
        values['label'] = source.choice((None, 'a', 'A'))
        values['size'] = source.choice((None, 1, 2))
    serial = source.choice((None, f'{number}'))
    return {**values, 'id': an_id(source), 'generation': 1, 'metadata': {},
            'name': f'{source.choice(TEXTS)[:200]}{number}', 'slot': number,
            'serial': serial,
            'tags': sorted(source.sample(TAGS, source.randrange(4)))}


def records(count: int, seed: int = 1) -> list[dict[str, Any]]:
    source = random.Random(seed)
    return [record(source, number) for number in range(count)]


def build() -> declared_tables.Tables:
    """Return the tables without foreign keys, so that no racks are needed."""
    tables = declared_tables.build(CATALOGUE)
    table = tables.of(THING)
    table.constraints -= table.foreign_key_constraints
    return tables


def filled(engine: sa.Engine,
           rows: Iterable[Mapping[str, Any]]) -> declared_tables.Tables:
    """Create the tables again, with these records."""
    tables = build()
    rows = list(rows)
    used = (tables.of(THING), tables.core.tags)
    with engine.begin() as connection:
        tables.metadata.drop_all(connection, used)
        tables.metadata.create_all(connection, used)
        connection.execute(sa.insert(tables.of(THING)), rows)
        connection.execute(sa.insert(tables.core.tags), [
            {'type': THING.name, 'record_id': row['id'], 'tag': tag}
            for row in rows for tag in row['tags']])
    return tables


def world(engine: sa.Engine, rows: list[dict[str, Any]]) -> SimpleNamespace:
    tables = filled(engine, rows)
    table = tables.of(THING)
    source = statements.source(table, tables.core.tags, engine.dialect.name)
    return SimpleNamespace(engine=engine, rows=rows, source=source,
                           table=table)
