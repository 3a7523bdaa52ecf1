# SPDX-License-Identifier: Apache-2.0
"""pileus-status: whether what is installed can serve what is configured."""

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

#: The check could not even begin; 0, 1 and 2 are the check's own results.
CANNOT_RUN = 255


class Checks(upgradecheck.UpgradeCommands):
    """What an operator wants to know before the service is started anew."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def types(self) -> Result:
        """Every type file can be read."""
        try:
            found = service.catalogue(self._conf)
        except (StartError, DeclarationError) as exc:
            return Result(Code.FAILURE, str(exc))
        return Result(Code.SUCCESS, f'{len(found.live)} types')

    def database(self) -> Result:
        """The tables fit the types, or the next start can make them."""
        try:
            plan = self._plan()
        except (StartError, DeclarationError) as exc:
            return Result(Code.FAILURE, str(exc))
        if plan is None:
            return Result(Code.SUCCESS, 'The next start makes the database.')
        if plan.refusals or plan.violations:
            return Result(Code.FAILURE, '; '.join(
                (*plan.refusals, *plan.violations)))
        return self._due(plan)

    def _due(self, plan: schema_plan.Plan) -> Result:
        """A start takes what only adds, and that of SQLite alone."""
        told = '; '.join(plan.lines)
        if not told:
            return Result(Code.SUCCESS, 'The tables fit the types.')
        if self._sqlite() and plan.additive:
            return Result(Code.SUCCESS, f'The next start does this: {told}')
        return Result(Code.WARNING, 'The service does not start with these '
                      'types before pileus-manage schema apply does this: '
                      + told)

    def _sqlite(self) -> bool:
        return engine.connect(self._conf).dialect.name == 'sqlite'

    def _plan(self) -> schema_plan.Plan | None:
        """The steps to the types; None where there is no database yet."""
        catalogue = service.catalogue(self._conf)
        made = engine.connect(self._conf, time_limits=False)
        file = made.url.database or ''
        if made.dialect.name == 'sqlite' and not os.path.exists(file):
            return None
        return schema_plan.of_database(made, catalogue)

    _upgrade_checks = (('Resource types', types), ('Database', database))


def main(argv: Sequence[str] | None = None) -> int:
    """``pileus-status --config-dir DIR upgrade check [--json]``."""
    words = sys.argv[1:] if argv is None else argv
    try:
        conf = config_files.load(words, PROG, [cfg.SubCommandOpt(
            'command', title='commands', handler=_commands)])
    except StartError as exc:
        print(f'{PROG}: {exc}', file=sys.stderr)
        return CANNOT_RUN
    upgradecheck.CONF = conf      # where it looks for --json
    return Checks(conf).check()


def _commands(parsers: Any) -> None:
    upgrade = parsers.add_parser(
        'upgrade', help='what to ask before an upgrade')
    upgrade.add_argument('check', choices=['check'],
                         help='say whether a start would succeed')
    upgrade.add_argument('--json', action='store_true',
                         help='for programs, not for people')
