# SPDX-License-Identifier: Apache-2.0
"""pileus-status: check whether this release can serve the configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result

import service
from service.config import files as config_files
from service.domain.typefiles.type_files import DeclarationError
from service.errors import StartError
from service.storage.database import engine
from service.storage.schema import plan as schema_plan

PROG = 'pileus-status'

#: Exit status if the checks cannot begin; 0, 1 and 2 are their results.
CANNOT_RUN = 255


class Checks(upgradecheck.UpgradeCommands):
    """Checks to run before the service is restarted."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def types(self) -> Result:
        """Check that all type files are valid."""
        try:
            catalogue = service.catalogue(self._conf)
        except (StartError, DeclarationError) as exc:
            return Result(Code.FAILURE, str(exc))
        return Result(Code.SUCCESS, f'{len(catalogue.live)} types')

    def database(self) -> Result:
        """Check that the tables match the types, or a start makes them match.
        """
        try:
            plan = self._plan()
        except (StartError, DeclarationError) as exc:
            return Result(Code.FAILURE, str(exc))
        if plan is None:
            return Result(Code.SUCCESS,
                          'The next start creates the database.')
        if plan.refusals or plan.violations:
            return Result(Code.FAILURE, '; '.join(
                (*plan.refusals, *plan.violations)))
        return self._due(plan)

    def _due(self, plan: schema_plan.Plan) -> Result:
        """Return the result for missing steps.

        Only with SQLite does a start change tables, and only by additions.
        """
        steps = '; '.join(plan.lines)
        if not steps:
            return Result(Code.SUCCESS, 'The tables match the types.')
        if self._sqlite() and plan.additive:
            return Result(Code.SUCCESS,
                          f'The next start changes the tables: {steps}')
        return Result(Code.WARNING, 'Run pileus-manage schema apply before '
                      'the next start; the service does not start without '
                      'these steps: ' + steps)

    def _sqlite(self) -> bool:
        return engine.connect(self._conf).dialect.name == 'sqlite'

    def _plan(self) -> schema_plan.Plan | None:
        """Return the steps to the types, or None without a database."""
        catalogue = service.catalogue(self._conf)
        connected = engine.connect(self._conf, time_limits=False)
        file = connected.url.database or ''
        if connected.dialect.name == 'sqlite' and not os.path.exists(file):
            return None
        return schema_plan.of_database(connected, catalogue)

    _upgrade_checks = (('Resource types', types), ('Database', database))


def main(argv: Sequence[str] | None = None) -> int:
    """``pileus-status --config-dir DIR upgrade check [--json]``."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        conf = config_files.load(arguments, PROG, [cfg.SubCommandOpt(
            'command', title='commands', handler=_commands)])
    except StartError as exc:
        print(f'{PROG}: {exc}', file=sys.stderr)
        return CANNOT_RUN
    upgradecheck.CONF = conf    # upgradecheck reads --json from here
    return Checks(conf).check()


def _commands(parsers: Any) -> None:
    upgrade = parsers.add_parser(
        'upgrade', help='checks to run before an upgrade')
    upgrade.add_argument('check', choices=['check'],
                         help='report whether the service can start')
    upgrade.add_argument('--json', action='store_true',
                         help='print the results as JSON')
