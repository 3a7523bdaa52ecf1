# SPDX-License-Identifier: Apache-2.0
"""pileus-manage schema: the tables as the type files say.

``plan`` tells each step there is to be, ``apply`` takes them. What is told
on the way goes to stderr, so that the answer can be piped.
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

_UP_TO_DATE = 'The tables are as the type files say.'


def plan(arguments: Arguments) -> int:
    """Tell what apply would do; 1 if that is anything."""
    conf = configuration(arguments)
    wanted = service.catalogue(conf)
    made = engine.connect(conf, time_limits=False)
    try:
        found = schema_plan.of_database(made, wanted, _ThrottledReport())
    finally:
        made.dispose()
    _FORMATS[arguments.format](found.steps, None)
    for line in (*found.refusals, *found.violations):
        _report(line)
    return 1 if found.steps else 0


def apply(arguments: Arguments) -> int:
    """Take the steps; 1 where one is refused, and none was taken then."""
    try:
        done = apply_configured(configuration(arguments), _ThrottledReport(),
                                arguments.keep_broken)
    except applying.PlanRefused as exc:
        for line in str(exc).splitlines():
            _report(f'refused: {line}')
        if not exc.plan.refusals:
            _report('--keep-broken lets them stay as they are')
        _report('nothing was done')
        return 1
    _FORMATS[arguments.format](done.steps, done.catalogue_number)
    return 0


def apply_configured(conf: cfg.ConfigOpts,
                     progress: Callable[[str], None] = schema_plan.silent,
                     keep_broken: bool = False) -> ApplyResult:
    """Bring the configured database to the configured types.

    The core tables first (D9). Raises ``PlanRefused``, with nothing done.
    """
    wanted = service.catalogue(conf)
    made = engine.connect(conf, time_limits=False)
    try:
        engine.wait_for_database(made, conf)
        migrations.upgrade(made)
        return applying.apply(made, wanted, progress, keep_broken)
    finally:
        made.dispose()


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _ThrottledReport:
    """Tells what goes on, but how many records it was so far only now and
    then."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if line.endswith(' records') and now - self._last < _REPORT_SECONDS:
            return
        self._last = now
        _report(line)


_REPORT_SECONDS = 1.0


# What is printed

def _table(steps: Sequence[Step], generation: int | None) -> None:
    output.table(
        ('step', 'change', 'class', 'breaks it'),
        [(one.name, one.change, str(one.kind),
          str(one.violations.rows) if one.violations.rows else '')
         for one in steps], _UP_TO_DATE)
    if generation is not None:
        print(f'Generation {generation} is served.')
        return
    for one in steps:
        for statement in one.ddl:
            print(f'{statement};')


def _json(steps: Sequence[Step], generation: int | None) -> None:
    print(json.dumps({
        'steps': [_document(one) for one in steps],
        **({} if generation is None else {'generation': generation})},
        indent=2))


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
        help='let records stay whose values a narrower rule does not take; '
             'they meet it when they are next written')


COMMANDS = (
    Command(('schema', 'plan'),
            'Tell each step from the tables there are to the declared types; '
            'exit 1 if there is one.', plan, output.add_format),
    Command(('schema', 'apply'),
            'Take the steps that schema plan tells: change the tables, and '
            'have the declared types served; exit 1 if one is refused.',
            apply, _add_apply_arguments),
)
