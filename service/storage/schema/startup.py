# SPDX-License-Identifier: Apache-2.0
"""What a start serves: the types in the database, or why it cannot.

Type files are proposals. SQLite takes them at a start where they only add;
in any other database they are in force when an operator has applied them,
while other workers serve (D24).
"""

from __future__ import annotations

import logging

from sqlalchemy.engine import Connection, Engine

from service.domain.catalogue.types import Catalogue
from service.errors import StartError
from service.storage import migrations
from service.storage.database.engine import Transactions
from service.storage.schema import applied_types, steps
from service.storage.schema import plan as schema_plan
from service.storage.schema.applied_types import Applied
from service.storage.schema.plan import Plan
from service.storage.tables import declared as declared_tables
from service.storage.tables import exclusion

LOG = logging.getLogger(__name__)

_APPLY = 'run pileus-manage schema apply'


def prepare(engine: Engine, proposed: Catalogue) -> Applied:
    """The catalogue to serve; StartError lists what must be done first."""
    transactions = Transactions(engine)
    if engine.dialect.name != 'sqlite':
        return transactions.read(lambda one: _applied_or_refuse(one, proposed))
    if transactions.read(migrations.pending_upgrade):
        migrations.upgrade(engine)
    found = transactions.read(lambda one: _applied_if_same(one, proposed))
    if found is not None and not transactions.read(
            lambda one: _lacks_indexes(one, found)):
        return found
    return transactions.write(lambda one: _apply_additions(one, proposed))


def preview(engine: Engine, proposed: Catalogue) -> Applied:
    """What a start would serve; what it would do to the database for that is
    told, and not done.

    An engine of a database that is not there yet has an empty one in memory,
    which is as good as any to start on.
    """
    if engine.dialect.name != 'sqlite':
        return prepare(engine, proposed)
    if engine.url.database is None:
        LOG.info('There is no database yet: a start makes one')
        return prepare(engine, proposed)
    return Transactions(engine).read(lambda one: _preview(one, proposed))


def _preview(connection: Connection, proposed: Catalogue) -> Applied:
    behind = migrations.pending_upgrade(connection)
    if behind is not None:
        LOG.info('A start upgrades the database: %s', behind)
    found = (_applied_or_plan(connection, proposed)
             if schema_plan.has_catalogues(connection)
             else schema_plan.build(connection, None, proposed))
    if isinstance(found, Applied):
        return found
    for step in found.lines:
        LOG.info('A start changes the database: %s', step)
    return Applied(0, proposed.digest, proposed)


def already_served(engine: Engine) -> Applied:
    """The catalogue that other workers serve: to take what the files propose
    by now, or to refuse it, is for a start or a reload."""
    def read(connection: Connection) -> Applied:
        behind = migrations.pending_upgrade(connection)
        if behind is not None:
            raise StartError(f'[database] connection: {behind}: {_APPLY}')
        _refuse_half_import(connection)
        found = applied_types.current(connection)
        if found is None:
            raise StartError('[database] connection: the types that were '
                             f'served are gone: {_APPLY}')
        return found
    return Transactions(engine).read(read)


def _applied_if_same(connection: Connection,
                     proposed: Catalogue) -> Applied | None:
    """What was applied, if that is what the files say."""
    found = applied_types.current(connection, proposed)
    same = found is not None and found.catalogue.digest == proposed.digest
    return (found if same and not applied_types.writes_blocked(connection)
            else None)


def _apply_additions(connection: Connection, proposed: Catalogue) -> Applied:
    """Apply what the files add, in one transaction: nobody meets half of it,
    and of two that start at once the second finds it done."""
    due = _applied_or_plan(connection, proposed)
    if isinstance(due, Applied):
        return due
    number = applied_types.begin(connection, proposed)
    for step in due.steps:
        steps.execute(step, connection)
    applied_types.publish(connection, number)
    return Applied(number, proposed.digest, proposed)


def _applied_or_plan(connection: Connection,
                     proposed: Catalogue) -> Applied | Plan:
    """What can be served as it is, or what has to be done first and may be;
    StartError where it may not."""
    found = _applied_if_same(connection, proposed)
    if found is not None and not _lacks_indexes(connection, found):
        return found
    _refuse_half_import(connection)
    plan = _plan(connection, proposed)
    if plan.additive:
        return plan
    if found is not None:
        return found
    raise _not_applied_error(plan)


def _lacks_indexes(connection: Connection, found: Applied) -> bool:
    """There is no index yet that this release wants for the same types."""
    there = set(connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    return any(index.name not in there
               for table in declared_tables.build(
                   found.catalogue).types.values()
               for index in table.indexes)


def _applied_or_refuse(connection: Connection, proposed: Catalogue) -> Applied:
    """What was applied, if the files are of it or of a time before it."""
    behind = migrations.pending_upgrade(connection)
    if behind is not None:
        raise StartError(f'[database] connection: {behind}: {_APPLY}')
    found = applied_types.current(connection, proposed)
    _refuse_half_import(connection)
    if applied_types.writes_blocked(connection):
        raise StartError(
            '[database] connection: resource types are being applied, or '
            'whoever did so was interrupted: wait until it is over, or '
            f'{_APPLY}')
    if found is None or not _is_applied_or_older(connection, found, proposed):
        plan = _plan(connection, proposed)
        if found is None or plan.steps:
            raise _not_applied_error(plan)
    for told in exclusion.notes(connection, found.catalogue):
        LOG.warning('%s', told)
    return found


def _refuse_half_import(connection: Connection) -> None:
    """SECURITY: half a dump is never served as all there is."""
    if applied_types.import_unfinished(connection):
        raise StartError(f'[database] connection: '
                         f'{schema_plan.IMPORT_UNFINISHED}: '
                         f'{schema_plan.FINISH_IMPORT}')


def _plan(connection: Connection, proposed: Catalogue) -> Plan:
    found = applied_types.current(connection)
    return schema_plan.build(connection, found.catalogue if found else None,
                       proposed)


def _not_applied_error(plan: Plan) -> StartError:
    """Every step an operator has to decide on, a line each; then what an
    apply would refuse, and the help that it would give."""
    refused = [f'refused: {one}' for one in (*plan.refusals, *plan.violations)]
    first = 'mend what is refused, then ' if refused else ''
    if plan.violations and not plan.refusals:
        refused.append('--keep-broken lets them stay as they are')
    return StartError('\n'.join([
        f'[api] types_dir: the types are not those of the database; '
        f'{first}{_APPLY}, which does this:', *plan.lines, *refused]))


def _is_applied_or_older(connection: Connection, found: Applied,
           proposed: Catalogue) -> bool:
    """The files are those in force, or older: a worker that starts again in
    the midst of a roll-out serves what the others do."""
    if found.catalogue.digest == proposed.digest:
        return True
    older = applied_types.number_of(connection, proposed.digest)
    if older is not None:
        LOG.warning(
            '[api] types_dir: the files are those of generation %d, and the '
            'database is at %d: serving what the database has', older,
            found.number)
    return older is not None
