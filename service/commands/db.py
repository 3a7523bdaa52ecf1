# SPDX-License-Identifier: Apache-2.0
"""pileus-manage db: the core tables, which do not depend on the types."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from service.commands.cli import database
from service.commands.cli.output import FORMATS, add_format
from service.commands.cli.parser import Arguments, Command
from service.storage import migrations


def upgrade(arguments: Arguments) -> int:
    """Upgrade the core tables to the newest version."""
    before, after = database.run_on(arguments, migrations.upgrade)
    if before == after:
        print(f'The core tables already have version {after}.')
    else:
        print(f'The core tables now have version {after}; before, they had '
              f'{before or "none"}.')
    return 0


def version(arguments: Arguments) -> int:
    """Print the version of the core tables; return 1 if it is not the newest.
    """
    def versions(connected: Engine) -> tuple[str | None, str | None]:
        with connected.connect() as connection:
            return (migrations.version(connection),
                    migrations.pending_upgrade(connection))
    current, behind = database.run_on(arguments, versions)
    FORMATS[arguments.format](
        ('version', 'newest'), [(current or 'none', migrations.HEAD)], '')
    return 1 if behind else 0


COMMANDS = (
    Command(('db', 'upgrade'),
            'Upgrade the core tables to the version of this release. schema '
            'apply does so too.', upgrade),
    Command(('db', 'version'),
            'Print the version of the core tables; exit 1 if this release '
            'needs another.', version, add_format),
)
