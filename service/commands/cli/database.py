# SPDX-License-Identifier: Apache-2.0
"""Run a command's work on the configured database."""

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
           consequence: str | None = None) -> T:
    """Return ``work(database)``; raise StartError if the database fails.

    With ``consequence``, the database must exist; see ``require_existing``.
    """
    conf = configuration(arguments)
    connected = engine.connect(conf, time_limits=False)
    try:
        if consequence is not None:
            require_existing(connected, consequence)
        engine.wait_for_database(connected, conf)
        return work(connected)
    except engine.FAILURES as exc:
        raise engine.unusable_error(connected, exc) from exc
    finally:
        connected.dispose()


def require_existing(connected: Engine, consequence: str) -> Engine:
    """Return the database, or raise StartError if its file does not exist.

    SQLite would create an empty file. ``consequence`` completes the message,
    such as "nothing to remove".
    """
    file = connected.url.database or ''
    if connected.dialect.name == 'sqlite' and not os.path.exists(file):
        raise StartError(f'[database] connection: {file}: the file does not '
                         f'exist; {consequence}')
    return connected
