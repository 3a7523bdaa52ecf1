# SPDX-License-Identifier: Apache-2.0
"""Load the types that a start serves, or refuse the start.

Type files are proposals. On SQLite a start applies them if they only add
something. On a database server the operator applies them with a command,
while workers run (D24).
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
    """Return the catalogue to serve; on SQLite, upgrade and apply first.

    Raises StartError that lists what must be done first.
    """
    transactions = Transactions(engine)
    if engine.dialect.name != 'sqlite':
        return transactions.read(
            lambda connection: _applied_or_refuse(connection, proposed))
    if transactions.read(migrations.pending_upgrade):
        migrations.upgrade(engine)
    applied = transactions.read(
        lambda connection: _applied_if_same(connection, proposed))
    if applied is not None and not transactions.read(
            lambda connection: _lacks_indexes(connection, applied)):
        return applied
    return transactions.write(
        lambda connection: _apply_additions(connection, proposed))


def preview(engine: Engine, proposed: Catalogue) -> Applied:
    """Return the catalogue that a start would serve, and log what a start
    would change in the database.

    If there is no database yet, the engine has an empty one in memory, on
    which the start is carried out.
    """
    if engine.dialect.name != 'sqlite':
        return prepare(engine, proposed)
    if engine.url.database is None:
        LOG.info('The database does not exist: a start creates it')
        return prepare(engine, proposed)
    return Transactions(engine).read(
        lambda connection: _preview(connection, proposed))


def _preview(connection: Connection, proposed: Catalogue) -> Applied:
    pending = migrations.pending_upgrade(connection)
    if pending is not None:
        LOG.info('A start upgrades the database: %s', pending)
    outcome = (_applied_or_plan(connection, proposed)
             if schema_plan.has_catalogues(connection)
             else schema_plan.build(connection, None, proposed))
    if isinstance(outcome, Applied):
        return outcome
    for line in outcome.lines:
        LOG.info('A start changes the database: %s', line)
    return Applied(0, proposed.digest, proposed)


def already_served(engine: Engine) -> Applied:
    """Return the applied catalogue, without reading type files.

    A replaced worker serves what the other workers serve. To apply or refuse
    new type files is up to a start or a reload.
    """
    def read(connection: Connection) -> Applied:
        pending = migrations.pending_upgrade(connection)
        if pending is not None:
            raise StartError(f'[database] connection: {pending}: {_APPLY}')
        _refuse_half_import(connection)
        applied = applied_types.current(connection)
        if applied is None:
            raise StartError('[database] connection: the database has no '
                             f'applied types any more: {_APPLY}')
        return applied
    return Transactions(engine).read(read)


def _applied_if_same(connection: Connection,
                     proposed: Catalogue) -> Applied | None:
    """Return the applied catalogue if the files have the same meaning."""
    applied = applied_types.current(connection, proposed)
    same = (applied is not None
            and applied.catalogue.digest == proposed.digest)
    return (applied if same and not applied_types.writes_blocked(connection)
            else None)


def _apply_additions(connection: Connection, proposed: Catalogue) -> Applied:
    """Apply what the files add, in one transaction.

    If two workers start at the same time, the second finds it done.
    """
    outcome = _applied_or_plan(connection, proposed)
    if isinstance(outcome, Applied):
        return outcome
    number = applied_types.begin(connection, proposed)
    for step in outcome.steps:
        steps.execute(step, connection)
    applied_types.publish(connection, number)
    return Applied(number, proposed.digest, proposed)


def _applied_or_plan(connection: Connection,
                     proposed: Catalogue) -> Applied | Plan:
    """Return the applied catalogue if it can be served as it is, else the
    plan if it only adds something. Raises StartError for any other plan."""
    applied = _applied_if_same(connection, proposed)
    if applied is not None and not _lacks_indexes(connection, applied):
        return applied
    _refuse_half_import(connection)
    plan = _plan(connection, proposed)
    if plan.additive:
        return plan
    if applied is not None:
        return applied
    raise _not_applied_error(plan)


def _lacks_indexes(connection: Connection, applied: Applied) -> bool:
    """Whether this release needs an index that the same types did not need
    in the release that applied them."""
    existing = set(connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    return any(index.name not in existing
               for table in declared_tables.build(
                   applied.catalogue).types.values()
               for index in table.indexes)


def _applied_or_refuse(connection: Connection,
                       proposed: Catalogue) -> Applied:
    """Return the applied catalogue if the files are the same or older."""
    pending = migrations.pending_upgrade(connection)
    if pending is not None:
        raise StartError(f'[database] connection: {pending}: {_APPLY}')
    applied = applied_types.current(connection, proposed)
    _refuse_half_import(connection)
    if applied_types.writes_blocked(connection):
        raise StartError(
            '[database] connection: resource types are being applied, or an '
            'apply was interrupted: wait until it has finished; if none is '
            f'running, {_APPLY}')
    if applied is None or not _is_applied_or_older(connection, applied,
                                                   proposed):
        plan = _plan(connection, proposed)
        if applied is None or plan.steps:
            raise _not_applied_error(plan)
    for note in exclusion.notes(connection, applied.catalogue):
        LOG.warning('%s', note)
    return applied


def _refuse_half_import(connection: Connection) -> None:
    """SECURITY: a part of the records must never be served as all of them."""
    if applied_types.import_unfinished(connection):
        raise StartError(f'[database] connection: '
                         f'{schema_plan.IMPORT_UNFINISHED}: '
                         f'{schema_plan.FINISH_IMPORT}')


def _plan(connection: Connection, proposed: Catalogue) -> Plan:
    applied = applied_types.current(connection)
    return schema_plan.build(
        connection, applied.catalogue if applied else None, proposed)


def _not_applied_error(plan: Plan) -> StartError:
    """Return a StartError with each step on a line, then each refusal, as
    ``schema apply`` prints them."""
    refusals = [f'refused: {refusal}'
                for refusal in (*plan.refusals, *plan.violations)]
    first = 'correct what is refused, then ' if refusals else ''
    if plan.violations and not plan.refusals:
        refusals.append('to keep these records unchanged, use --keep-broken')
    return StartError('\n'.join([
        f'[api] types_dir: the type files are not applied to the database; '
        f'{first}{_APPLY}, which carries out these steps:',
        *plan.lines, *refusals]))


def _is_applied_or_older(connection: Connection, applied: Applied,
                         proposed: Catalogue) -> bool:
    """Whether the files are those of the applied types or of earlier ones.

    With older files, as during a roll-out, a worker serves what the others
    serve, and a warning is logged.
    """
    if applied.catalogue.digest == proposed.digest:
        return True
    number = applied_types.number_of(connection, proposed.digest)
    if number is not None:
        LOG.warning(
            '[api] types_dir: the type files are those of catalogue number '
            '%d, but number %d is applied; serving the applied types',
            number, applied.number)
    return number is not None
