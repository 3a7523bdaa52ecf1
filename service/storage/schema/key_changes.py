# SPDX-License-Identifier: Apache-2.0
"""One type's table as it is against the one it should be: keys.

Uniques, indexes, references and periods. A key is known by its columns; the
name follows from the type's and must be right as well, or a later key of
that name could not be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.exclusive_periods import ExclusivePeriod
from service.domain.catalogue.types import Catalogue, ResourceType
from service.storage.schema import ddl
from service.storage.schema.column_changes import TablePair
from service.storage.schema.steps import Kind, Phase, Step, Violations
from service.storage.tables import exclusion
from service.storage.tables.columns import MYSQL
from service.storage.tables.layouts import IndexLayout

# Uniques and indexes

def uniques(pair: TablePair) -> Iterator[Step]:
    place = pair.place('unique')
    made = {str(one.name): one for one in pair.table.constraints
            if isinstance(one, sa.UniqueConstraint)}
    if pair.database == ddl.SQLITE:
        made = {', '.join(one.columns.keys()): one for one in made.values()}
    for old, new in _moved(pair.real.uniques, pair.wanted.uniques):
        names = (pair.wanted.uniques.get(new or '')
                 or pair.real.uniques[old or ''])
        told = f'unique [{", ".join(_own(pair, names))}]'
        if old and new:
            yield Step(place, f'{told} gets the name {new}',
                       Kind.ONLINE, Phase.RENAME_KEY, ddl.rename_key(
                           pair.table.name, old, new, unique=True))
        elif old:
            yield Step(place, f'{told} goes', Kind.ONLINE,
                       Phase.DROP_KEY, ddl.drop_constraint(
                           pair.table.name, old, 'unique'), in_place=False)
        else:
            yield Step(
                place, f'{told} is new', _UNIQUE.get(
                    pair.database, Kind.REWRITE), Phase.KEY,
                ddl.add_key(made[new or '']), in_place=False,
                violations=pair.rows.duplicates(_own(pair, names)))


#: InnoDB makes one beside its readers; PostgreSQL's wait.
_UNIQUE: Mapping[str, Kind] = dict.fromkeys(MYSQL, Kind.ONLINE)


def indexes(pair: TablePair) -> Iterator[Step]:
    made = {str(one.name): one for one in pair.table.indexes}
    renames = pair.database != ddl.SQLITE
    for old, new in _moved(pair.real.indexes, pair.wanted.indexes, renames):
        index = pair.wanted.indexes.get(new or '') or (
            pair.real.indexes[old or ''])
        place, told = _index(pair, old or new or '', index)
        if old and new:
            yield Step(place, f'{told} gets the name {new}', Kind.ONLINE,
                       Phase.RENAME_KEY, ddl.rename_key(
                           pair.table.name, old, new, unique=False))
        elif old:
            yield Step(place, f'{told} goes', Kind.ONLINE, Phase.DROP_KEY,
                       ddl.drop_index(pair.table.name, old))
        else:
            yield Step(place, f'{told} is made', Kind.ONLINE, Phase.KEY,
                       ddl.add_key(made[new or '']))


def _index(pair: TablePair, name: str, index: IndexLayout) -> tuple[str, str]:
    """Where an index comes from in the file, and what to call it."""
    if name.startswith('ir_'):
        return pair.place(index.columns[0]), 'the index of its reference'
    own = ', '.join(_own(pair, index.columns) or ('id',))
    everybody = ' over all projects' if name.startswith('ia_') else ''
    return pair.place('indexes'), f'index [{own}]{everybody}'


def _own(pair: TablePair, names: Iterable[str]) -> tuple[str, ...]:
    """A key without what all keys have."""
    return tuple(one for one in names if one not in ('project_id', 'id'))


def _moved(real: Mapping[str, Any], wanted: Mapping[str, Any],
           renames: bool = True) -> list[tuple[str | None, str | None]]:
    """(old, new) of each key that goes, comes or has another name now."""
    gone = [name for name, key in real.items() if wanted.get(name) != key]
    found: list[tuple[str | None, str | None]] = []
    for name, key in wanted.items():
        if real.get(name) == key:
            continue
        twin = next((one for one in gone if renames and real[one] == key
                     and one not in wanted and name not in real), None)
        found.append((twin, name))
        if twin is not None:
            gone.remove(twin)
    return [*((one, None) for one in gone), *found]


# References

def links(pair: TablePair, catalogue: Catalogue, there: Mapping[str, str]
          ) -> Iterator[Step]:
    """``there`` are the tables as they will be named, and their present
    names."""
    for name, link in pair.real.links.items():
        if pair.wanted.links.get(name) != link:
            yield Step(pair.place(link.column), 'its foreign key goes',
                       Kind.ONLINE, Phase.UNLINK, ddl.drop_constraint(
                           pair.now, name, 'foreignkey'), in_place=False)
    for name, link in pair.wanted.links.items():
        if pair.real.links.get(name) != link:
            yield _linked(pair, catalogue, name, there.get(link.target))


def _linked(pair: TablePair, catalogue: Catalogue, name: str,
            target: str | None) -> Step:
    link = pair.wanted.links[name]
    referred = catalogue.types[
        pair.declared.properties[link.column].references or '']
    key = next(one for one in pair.table.foreign_key_constraints
               if one.column_keys[0] == link.column)
    future = pair.rows.future.c[link.column]
    broken = (pair.rows.violations_of(future.is_not(None))
              if target is None else
              pair.rows.orphans(link.column, target, owned=referred.owned))
    filled = pair.database in MYSQL and pair.rows.count
    return Step(pair.place(link.column), f'refers to {referred.name}',
                Kind.REWRITE if filled else Kind.ONLINE, Phase.LINK,
                ddl.add_key(key), violations=broken,
                in_place=link.column not in pair.real.columns)


def new_links(table: sa.Table, type_: str, catalogue: Catalogue
              ) -> Iterator[Step]:
    """The references of a table that is yet to be made."""
    for key in sorted(table.foreign_key_constraints,
                      key=lambda one: str(one.name)):
        column = key.column_keys[0]
        target = catalogue.types[type_].properties[column].references
        yield Step(f'{type_}.{column}', f'refers to {target}', Kind.ONLINE,
                   Phase.LINK, ddl.add_key(key))


# Periods

def exclusives(pair: TablePair, connection: Connection) -> Iterator[Step]:
    """The constraints PostgreSQL can have, and rows that a new rule would
    not have let stand, on every database."""
    statements: Mapping[str, str] = {}
    real = exclusion.existing_names(connection, pair.now)
    if exclusion.possible(connection):
        statements = exclusion.statements(pair.declared, pair.table,
                                          pair.dialect)
        for name in sorted(real - set(statements)):
            yield Step(pair.place('exclusive'), 'a period goes', Kind.ONLINE,
                       Phase.UNLINK, ddl.drop_constraint(
                           pair.now, name, 'check'))
    for rule in pair.declared.exclusive:
        name = exclusion.name(pair.declared, rule)
        if name in statements and name not in real:
            yield Step(pair.place('exclusive'), _told(rule), Kind.REWRITE,
                       Phase.EXCLUSIVE, ddl.said(statements[name]),
                       violations=_overlapping(pair, rule))
        elif name not in statements and _new(pair, rule):
            yield Step(pair.place('exclusive'), _told(rule), Kind.NONE,
                       Phase.SAY, violations=_overlapping(pair, rule))


def upset(pair: TablePair) -> Iterator[Step]:
    """Keys that stay, and do not bear the values that records are given:
    as long as those were null, none of them was another's."""
    filled = pair.rows.filled
    for names in pair.wanted.uniques.values():
        if names in pair.real.uniques.values() and filled & {*names}:
            yield Step(pair.place('unique'), _bound('unique', _own(
                pair, names)), Kind.NONE, Phase.SAY,
                violations=pair.rows.duplicates(_own(pair, names)))
    for rule in pair.declared.exclusive:
        if not _new(pair, rule) and filled & {*rule.columns}:
            yield Step(pair.place('exclusive'), _bound(
                'exclusive', rule.period), Kind.NONE, Phase.SAY,
                violations=_overlapping(pair, rule))


def _bound(word: str, names: tuple[str, ...]) -> str:
    return f'{word} [{", ".join(names)}] binds records that had nulls'


def _new(pair: TablePair, rule: ExclusivePeriod) -> bool:
    return pair.was is not None and rule not in pair.was.exclusive


def _told(rule: ExclusivePeriod) -> str:
    return f'periods [{", ".join(rule.period)}] may not overlap'


def _overlapping(pair: TablePair, rule: ExclusivePeriod) -> Violations:
    return pair.rows.among(exclusion.violating_ids(
        pair.declared, rule, pair.rows.future))  # type: ignore[arg-type]


def new_exclusives(declared: ResourceType, table: sa.Table,
                   connection: Connection) -> Iterator[Step]:
    """The periods of a table that is yet to be made."""
    if not exclusion.possible(connection):
        return
    statements = exclusion.statements(declared, table, connection.dialect)
    for rule in declared.exclusive:
        yield Step(f'{declared.name}.exclusive', _told(rule), Kind.ONLINE,
                   Phase.EXCLUSIVE, ddl.said(statements[
                       exclusion.name(declared, rule)]))


_INSTALLED = sa.text("SELECT EXISTS (SELECT FROM pg_extension "
                     "WHERE extname = 'btree_gist')")


def extension(connection: Connection, steps: Iterable[Step]
              ) -> Iterator[Step]:
    """What PostgreSQL needs before its first such constraint."""
    if any(one.phase is Phase.EXCLUSIVE for one in steps) and not (
            connection.scalar(_INSTALLED)):
        yield Step('exclusive', 'PostgreSQL gets the extension btree_gist',
                   Kind.ONLINE, Phase.PREPARE, ddl.said(
                       exclusion.EXTENSION))
