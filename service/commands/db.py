# SPDX-License-Identifier: Apache-2.0
"""pileus-manage db: the tables that are there whatever types are declared.
"""

from __future__ import annotations

from sqlalchemy.engine import Engine

from service.commands.cli import database
from service.commands.cli.output import FORMATS, add_format
from service.commands.cli.parser import Arguments, Command
from service.storage import migrations


def upgrade(arguments: Arguments) -> int:
    """Bring the core tables to the newest version."""
    before, after = database.run_on(arguments, migrations.upgrade)
    if before == after:
        print(f'The core tables are of version {after} already.')
    else:
        print(f'The core tables are of version {after} now; they were of '
              f'{before or "none"}.')
    return 0


def version(arguments: Arguments) -> int:
    """Tell the core tables' version; 1 if this release needs another."""
    def told(made: Engine) -> tuple[str | None, str | None]:
        with made.connect() as connection:
            return (migrations.version(connection),
                    migrations.pending_upgrade(connection))
    found, behind = database.run_on(arguments, told)
    FORMATS[arguments.format](
        ('version', 'newest'), [(found or 'none', migrations.HEAD)], '')
    return 1 if behind else 0


COMMANDS = (
    Command(('db', 'upgrade'),
            'Bring the core tables to the version of this release; schema '
            'apply does it as well.', upgrade),
    Command(('db', 'version'),
            'Tell the version of the core tables; exit 1 if this release '
            'needs another.', version, add_format),
)
