# SPDX-License-Identifier: Apache-2.0
"""Compare the keys of one table with the declared type.

Keys are uniques, indexes, references and periods. A key is recognized by its
columns. Its name follows from the type's plural; a wrong name is corrected,
because a later key may need that name.
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
    constraints = {str(constraint.name): constraint
                   for constraint in pair.table.constraints
                   if isinstance(constraint, sa.UniqueConstraint)}
    if pair.database == ddl.SQLITE:
        constraints = {', '.join(constraint.columns.keys()): constraint
                       for constraint in constraints.values()}
    for old, new in _differences(pair.real.uniques, pair.wanted.uniques):
        names = (pair.wanted.uniques.get(new or '')
                 or pair.real.uniques[old or ''])
        unique = f'unique [{", ".join(_own(names))}]'
        if old and new:
            yield Step(place, f'rename {unique} to {new}',
                       Kind.ONLINE, Phase.RENAME_KEY, ddl.rename_key(
                           pair.table.name, old, new, unique=True))
        elif old:
            yield Step(place, f'drop {unique}', Kind.ONLINE,
                       Phase.DROP_KEY, ddl.drop_constraint(
                           pair.table.name, old, 'unique'), in_place=False)
        else:
            yield Step(
                place, f'add {unique}', _ADD_UNIQUE.get(
                    pair.database, Kind.REWRITE), Phase.KEY,
                ddl.add_key(constraints[new or '']), in_place=False,
                violations=pair.rows.duplicates(_own(names)))


#: InnoDB admits readers while it builds the index; PostgreSQL does not.
_ADD_UNIQUE: Mapping[str, Kind] = dict.fromkeys(MYSQL, Kind.ONLINE)


def indexes(pair: TablePair) -> Iterator[Step]:
    declared = {str(index.name): index for index in pair.table.indexes}
    renames = pair.database != ddl.SQLITE
    for old, new in _differences(pair.real.indexes, pair.wanted.indexes,
                                 renames):
        layout = pair.wanted.indexes.get(new or '') or (
            pair.real.indexes[old or ''])
        place, index = _describe(pair, old or new or '', layout)
        if old and new:
            yield Step(place, f'rename {index} to {new}', Kind.ONLINE,
                       Phase.RENAME_KEY, ddl.rename_key(
                           pair.table.name, old, new, unique=False))
        elif old:
            yield Step(place, f'drop {index}', Kind.ONLINE, Phase.DROP_KEY,
                       ddl.drop_index(pair.table.name, old))
        else:
            yield Step(place, f'add {index}', Kind.ONLINE, Phase.KEY,
                       ddl.add_key(declared[new or '']))


def _describe(pair: TablePair, name: str,
              index: IndexLayout) -> tuple[str, str]:
    """Return the place in the type file that an index comes from, and the
    name of the index in a plan."""
    if name.startswith('ir_'):
        return pair.place(index.columns[0]), 'the index of the reference'
    own = ', '.join(_own(index.columns) or ('id',))
    projects = ' across all projects' if name.startswith('ia_') else ''
    return pair.place('indexes'), f'index [{own}]{projects}'


def _own(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of a key without those that the service adds."""
    return tuple(name for name in names if name not in ('project_id', 'id'))


def _differences(real: Mapping[str, Any], wanted: Mapping[str, Any],
                 renames: bool = True
                 ) -> list[tuple[str | None, str | None]]:
    """Return (old, new) name of each key that differs.

    A key without a new name is dropped, without an old name added, with both
    renamed.
    """
    gone = [name for name, key in real.items() if wanted.get(name) != key]
    changed: list[tuple[str | None, str | None]] = []
    for name, key in wanted.items():
        if real.get(name) == key:
            continue
        old = next((old for old in gone if renames and real[old] == key
                    and old not in wanted and name not in real), None)
        changed.append((old, name))
        if old is not None:
            gone.remove(old)
    return [*((old, None) for old in gone), *changed]


# References

def foreign_keys(pair: TablePair, catalogue: Catalogue,
                 existing: Mapping[str, str]) -> Iterator[Step]:
    """Yield the steps for references. ``existing`` maps the tables' names
    after the steps to their present names."""
    for name, key in pair.real.foreign_keys.items():
        if pair.wanted.foreign_keys.get(name) != key:
            yield Step(pair.place(key.column), 'drop the foreign key',
                       Kind.ONLINE, Phase.UNLINK, ddl.drop_constraint(
                           pair.now, name, 'foreignkey'), in_place=False)
    for name, key in pair.wanted.foreign_keys.items():
        if pair.real.foreign_keys.get(name) != key:
            yield _add_foreign_key(pair, catalogue, name,
                                   existing.get(key.target))


def _add_foreign_key(pair: TablePair, catalogue: Catalogue, name: str,
                     target: str | None) -> Step:
    column = pair.wanted.foreign_keys[name].column
    referred = catalogue.types[
        pair.declared.properties[column].references or '']
    constraint = next(key for key in pair.table.foreign_key_constraints
                      if key.column_keys[0] == column)
    values = pair.rows.future.c[column]
    violations = (pair.rows.violations_of(values.is_not(None))
                  if target is None else
                  pair.rows.orphans(column, target, owned=referred.owned))
    rewrite = pair.database in MYSQL and pair.rows.count
    return Step(pair.place(column), f'add the foreign key to {referred.name}',
                Kind.REWRITE if rewrite else Kind.ONLINE, Phase.LINK,
                ddl.add_key(constraint), violations=violations,
                in_place=column not in pair.real.columns)


def new_foreign_keys(table: sa.Table, type_: str, catalogue: Catalogue
                     ) -> Iterator[Step]:
    """Yield the steps for the references of a new table."""
    for key in sorted(table.foreign_key_constraints,
                      key=lambda key: str(key.name)):
        column = key.column_keys[0]
        target = catalogue.types[type_].properties[column].references
        yield Step(f'{type_}.{column}', f'add the foreign key to {target}',
                   Kind.ONLINE, Phase.LINK, ddl.add_key(key))


# Periods

def exclusives(pair: TablePair, connection: Connection) -> Iterator[Step]:
    """Yield the steps for ``exclusive``: PostgreSQL's constraints, and on
    every database the records that violate a new rule."""
    statements: Mapping[str, str] = {}
    real = exclusion.existing_names(connection, pair.now)
    if exclusion.possible(connection):
        statements = exclusion.statements(pair.declared, pair.table,
                                          pair.dialect)
        for name in sorted(real - set(statements)):
            yield Step(pair.place('exclusive'), 'drop the exclusion '
                       'constraint', Kind.ONLINE, Phase.UNLINK,
                       ddl.drop_constraint(pair.now, name, 'check'))
    for rule in pair.declared.exclusive:
        name = exclusion.name(pair.declared, rule)
        if name in statements and name not in real:
            yield Step(pair.place('exclusive'), _forbid_overlaps(rule),
                       Kind.REWRITE, Phase.EXCLUSIVE,
                       ddl.execute(statements[name]),
                       violations=_overlapping(pair, rule))
        elif name not in statements and _is_new(pair, rule):
            yield Step(pair.place('exclusive'), _forbid_overlaps(rule),
                       Kind.NONE, Phase.CATALOGUE_ONLY,
                       violations=_overlapping(pair, rule))


def unchanged(pair: TablePair) -> Iterator[Step]:
    """Yield a check of each unchanged key on columns whose nulls get a value.

    Nulls do not conflict in a key; the values that replace them may.
    """
    filled = pair.rows.filled
    for names in pair.wanted.uniques.values():
        if names in pair.real.uniques.values() and filled & {*names}:
            yield Step(pair.place('unique'), _check('unique', _own(names)),
                       Kind.NONE, Phase.CATALOGUE_ONLY,
                       violations=pair.rows.duplicates(_own(names)))
    for rule in pair.declared.exclusive:
        if not _is_new(pair, rule) and filled & {*rule.columns}:
            yield Step(pair.place('exclusive'), _check(
                'exclusive', rule.period), Kind.NONE, Phase.CATALOGUE_ONLY,
                violations=_overlapping(pair, rule))


def _check(word: str, names: tuple[str, ...]) -> str:
    return (f'check {word} [{", ".join(names)}] for records whose nulls get '
            f'a value')


def _is_new(pair: TablePair, rule: ExclusivePeriod) -> bool:
    return pair.was is not None and rule not in pair.was.exclusive


def _forbid_overlaps(rule: ExclusivePeriod) -> str:
    return f'forbid overlapping periods [{", ".join(rule.period)}]'


def _overlapping(pair: TablePair, rule: ExclusivePeriod) -> Violations:
    return pair.rows.among(exclusion.violating_ids(
        pair.declared, rule, pair.rows.future))  # type: ignore[arg-type]


def new_exclusives(declared: ResourceType, table: sa.Table,
                   connection: Connection) -> Iterator[Step]:
    """Yield the steps for the periods of a new table."""
    if not exclusion.possible(connection):
        return
    statements = exclusion.statements(declared, table, connection.dialect)
    for rule in declared.exclusive:
        yield Step(f'{declared.name}.exclusive', _forbid_overlaps(rule),
                   Kind.ONLINE, Phase.EXCLUSIVE, ddl.execute(statements[
                       exclusion.name(declared, rule)]))


_INSTALLED = sa.text("SELECT EXISTS (SELECT FROM pg_extension "
                     "WHERE extname = 'btree_gist')")


def extension(connection: Connection, steps: Iterable[Step]
              ) -> Iterator[Step]:
    """Yield the step that PostgreSQL needs before its first exclusion
    constraint."""
    if any(step.phase is Phase.EXCLUSIVE for step in steps) and not (
            connection.scalar(_INSTALLED)):
        yield Step('exclusive', 'create the PostgreSQL extension btree_gist',
                   Kind.ONLINE, Phase.PREPARE, ddl.execute(
                       exclusion.EXTENSION))
