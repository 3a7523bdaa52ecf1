# SPDX-License-Identifier: Apache-2.0
"""The configured database, for a command that takes its time on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import Engine

from service.commands.cli.parser import Arguments, configuration
from service.errors import StartError
from service.storage.database import engine

T = TypeVar('T')


def run_on(arguments: Arguments, work: Callable[[Engine], T],
       otherwise: str | None = None) -> T:
    """Do work on the database; StartError where it does not answer, or is
    not ``there`` and has to be."""
    conf = configuration(arguments)
    made = engine.connect(conf, time_limits=False)
    try:
        if otherwise is not None:
            require_existing(made, otherwise)
        engine.wait_for_database(made, conf)
        return work(made)
    except engine.FAILURES as exc:
        raise engine.unusable_error(made, exc) from exc
    finally:
        made.dispose()


def require_existing(made: Engine, otherwise: str) -> Engine:
    """The same database, if there is one: SQLite would make an empty file,
    in which there is ``otherwise``, such as nothing to remove."""
    file = made.url.database or ''
    if made.dialect.name == 'sqlite' and not os.path.exists(file):
        raise StartError(f'[database] connection: {file}: there is no such '
                         f'file, and so {otherwise}')
    return made
