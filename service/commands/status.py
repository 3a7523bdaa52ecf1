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
from service import config
from service.domain.declare import DeclarationError
from service.errors import StartError
from service.storage import engine, evolve, tables

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
        if plan.refused:
            return Result(Code.FAILURE, '; '.join(plan.refused))
        return Result(Code.SUCCESS, plan.told)

    def _plan(self) -> evolve.Plan | None:
        """What a start would add; None where there is no database yet."""
        catalogue = service.catalogue(self._conf)
        made = engine.connect(self._conf)
        file = made.url.database or ''
        if made.dialect.name == 'sqlite' and not os.path.exists(file):
            return None
        return evolve.planned(made, catalogue, tables.build(catalogue))

    _upgrade_checks = (('Resource types', types), ('Database', database))


def main(argv: Sequence[str] | None = None) -> int:
    """``pileus-status --config-dir DIR upgrade check [--json]``."""
    words = sys.argv[1:] if argv is None else argv
    try:
        conf = config.load(words, PROG, [cfg.SubCommandOpt(
            'command', title='commands', handler=_commands)])
    except StartError as exc:
        print(f'{PROG}: {exc}', file=sys.stderr)
        return CANNOT_RUN
    upgradecheck.CONF = conf      # where it looks for --json
    return Checks(conf).check()


def _commands(parsers: Any) -> None:
    upgrade = parsers.add_parser('upgrade', help='before an upgrade')
    upgrade.add_argument('check', choices=['check'],
                         help='say whether a start would succeed')
    upgrade.add_argument('--json', action='store_true',
                         help='for programs, not for people')
