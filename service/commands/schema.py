# SPDX-License-Identifier: Apache-2.0
"""pileus-manage schema: change the tables to match the type files.

``plan`` prints the steps, ``apply`` carries them out. Progress goes to stderr,
so that the result can be piped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg

import service
from service.commands.cli import output
from service.commands.cli.parser import Arguments, Command, configuration
from service.storage import migrations
from service.storage.database import engine
from service.storage.schema import apply as applying
from service.storage.schema import plan as schema_plan
from service.storage.schema.apply import ApplyResult
from service.storage.schema.steps import Step

_UP_TO_DATE = 'The tables match the type files.'


def plan(arguments: Arguments) -> int:
    """Print the steps that apply would take; return 1 if there are any."""
    conf = configuration(arguments)
    wanted = service.catalogue(conf)
    connected = engine.connect(conf, time_limits=False)
    try:
        planned = schema_plan.of_database(connected, wanted,
                                          _ThrottledReport())
    finally:
        connected.dispose()
    _FORMATS[arguments.format](planned.steps, None)
    for line in (*planned.refusals, *planned.violations):
        _report(line)
    return 1 if planned.steps else 0


def apply(arguments: Arguments) -> int:
    """Carry out the steps; return 1 if a step is refused and none was taken.
    """
    try:
        done = apply_configured(configuration(arguments), _ThrottledReport(),
                                arguments.keep_broken)
    except applying.PlanRefused as exc:
        for line in str(exc).splitlines():
            _report(f'refused: {line}')
        if not exc.plan.refusals:
            _report('to keep these records unchanged, use --keep-broken')
        _report('nothing was changed')
        return 1
    _FORMATS[arguments.format](done.steps, done.catalogue_number)
    return 0


def apply_configured(conf: cfg.ConfigOpts,
                     progress: Callable[[str], None] = schema_plan.silent,
                     keep_broken: bool = False) -> ApplyResult:
    """Change the tables of the configured database to the declared types.

    The core tables are upgraded first (D9). Raises PlanRefused, with nothing
    changed, if a step is refused.
    """
    wanted = service.catalogue(conf)
    connected = engine.connect(conf, time_limits=False)
    try:
        engine.wait_for_database(connected, conf)
        migrations.upgrade(connected)
        return applying.apply(connected, wanted, progress, keep_broken)
    finally:
        connected.dispose()


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _ThrottledReport:
    """Print progress, but the number of records at most once a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if line.endswith(' records') and now - self._last < _REPORT_SECONDS:
            return
        self._last = now
        _report(line)


_REPORT_SECONDS = 1.0


# Output

def _table(steps: Sequence[Step], number: int | None) -> None:
    output.table(
        ('step', 'change', 'class', 'violations'),
        [(step.name, step.change, str(step.kind),
          str(step.violations.rows) if step.violations.rows else '')
         for step in steps], _UP_TO_DATE)
    if number is not None:
        print(f'Catalogue {number} is in force.')
        return
    for step in steps:
        for statement in step.ddl:
            print(f'{statement};')


def _json(steps: Sequence[Step], number: int | None) -> None:
    print(json.dumps({
        'steps': [_document(step) for step in steps],
        **({} if number is None else {'generation': number})}, indent=2))


def _document(step: Step) -> dict[str, Any]:
    return {'name': step.name, 'what': step.change, 'class': str(step.kind),
            'ddl': list(step.ddl), 'broken_rows': step.violations.rows,
            'sample_ids': list(step.violations.samples),
            'refused': step.refusal}


_FORMATS: dict[str, Callable[[Sequence[Step], int | None], None]] = {
    'table': _table, 'json': _json}


def _add_apply_arguments(parser: argparse.ArgumentParser) -> None:
    output.add_format(parser)
    parser.add_argument(
        '--keep-broken', action='store_true',
        help='keep records whose values a stricter rule forbids; the rule '
             'applies when they are next written')


COMMANDS = (
    Command(('schema', 'plan'),
            'Print the steps that change the tables to the declared types; '
            'exit 1 if there are any.', plan, output.add_format),
    Command(('schema', 'apply'),
            'Carry out the steps that schema plan prints, and put the '
            'declared types in force; exit 1 if a step is refused.',
            apply, _add_apply_arguments),
)
