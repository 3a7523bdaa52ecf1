# SPDX-License-Identifier: Apache-2.0
"""pileus-manage history purge, and purge: remove rows that are not needed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from oslo_config import cfg
from sqlalchemy.engine import Engine

from service.commands.cli import database, progress
from service.commands.cli.parser import Arguments, Command, configuration
from service.domain.documents import timestamps
from service.errors import StartError
from service.storage.database import engine
from service.storage.database.engine import Transactions
from service.storage.maintenance import purge as maintenance_purge
from service.storage.maintenance.purge import PurgeProgress, Retention
from service.storage.schema import applied_types, plan


def purge_history(arguments: Arguments) -> int:
    """Remove old revisions, or print their number."""
    return _run(arguments, ('revisions',))


def purge(arguments: Arguments) -> int:
    """Remove old revisions and all other rows that are no longer needed."""
    return _run(arguments, ('revisions', 'idempotency keys', 'locks',
                            'counts of zero'))


def _run(arguments: Arguments, kinds: Iterable[str]) -> int:
    conf = configuration(arguments)
    connected = database.require_existing(engine.connect(conf),
                                          'nothing to remove')
    report = progress.reporter(arguments.prog)
    removed = {}
    try:
        _check_no_import(connected)
        for name in kinds:
            removed[name] = 0
            for done in _sweeps(conf, connected, arguments.dry_run)[name]:
                removed[name] = done.removed
                report(f'{name}: {done.checked} checked, {done.removed} to '
                       f'remove')
    except engine.FAILURES as exc:
        raise engine.unusable_error(connected, exc) from exc
    _FORMATS[arguments.format](removed, arguments.dry_run,
                               conf.history.keep_days)
    return 0


def _sweeps(conf: cfg.ConfigOpts, connected: Engine,
            dry_run: bool) -> dict[str, Iterable[PurgeProgress]]:
    keep = Retention(conf.history.keep_days, conf.history.keep_last)
    now = timestamps.now()
    return {
        'revisions': maintenance_purge.revisions(connected, keep, now,
                                                 dry_run=dry_run),
        'idempotency keys': maintenance_purge.replies(connected, now,
                                                      dry_run=dry_run),
        'locks': maintenance_purge.locks(connected, dry_run=dry_run),
        'counts of zero': maintenance_purge.zero_counts(
            connected, dry_run=dry_run)}


def _check_no_import(connected: Engine) -> None:
    """Raise StartError during an import, which needs all rows that it stored.
    """
    if Transactions(connected).read(applied_types.import_unfinished):
        raise StartError(f'[database] connection: {plan.IMPORT_UNFINISHED}: '
                         f'nothing is removed until then')


def _print_text(removed: dict[str, int], dry_run: bool, days: int) -> None:
    *rest, last = (f'{number} {name}' for name, number in removed.items())
    text = ' and '.join(filter(None, (', '.join(rest), last)))
    print(f'{text} would be removed.' if dry_run else f'{text} removed.')
    if not days:
        print('[history] keep_days is 0: revisions are kept for ever.')


def _print_json(removed: dict[str, int], dry_run: bool, days: int) -> None:
    print(json.dumps({'dry_run': dry_run, **{
        name.replace(' ', '_'): number for name, number in removed.items()}}))


_FORMATS = {'text': _print_text, 'json': _print_json}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--dry-run', action='store_true',
                        help='print what would be removed; remove nothing')
    parser.add_argument('--format', choices=list(_FORMATS), default='text',
                        help='output format (default: text)')


COMMANDS = (
    Command(('history', 'purge'),
            'Remove revisions older than [history] keep_days. The newest '
            'keep_last revisions of each existing record stay.',
            purge_history, _add_arguments),
    Command(('purge',),
            'Remove old revisions (as history purge does), expired '
            'idempotency keys, unused locks and usage counts of zero.',
            purge, _add_arguments),
)
