# SPDX-License-Identifier: Apache-2.0
"""Failpoints: named places where a test can make the service fail.

The environment variable PILEUS_FAILPOINTS sets them when the process starts.
``before_commit=sleep 0-0.05, after_commit_before_reply=kill`` sleeps for a
random time of up to 0.05 seconds before each commit, and kills the process
after the first commit. ``@/some/file`` reads the same text from a file at each
failpoint, so that a test can change it. Without the variable, failpoints do
nothing.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from service.errors import StartError

LOG = logging.getLogger(__name__)

ENVIRONMENT = 'PILEUS_FAILPOINTS'

#: All failpoints.
NAMES = ('before_commit', 'after_commit_before_reply',
         'after_migration_step', 'schema_begun', 'schema_step',
         'import_chunk')


def _raise(argument: str) -> None:
    raise RuntimeError(argument or 'failpoint')


def _sleep(argument: str) -> None:
    """Sleep for some seconds, or for a random time in a range (``0-0.05``)."""
    minimum, _, maximum = argument.partition('-')
    time.sleep(random.uniform(float(minimum), float(maximum or minimum)))


def _kill(argument: str) -> None:
    """Kill the process at once, as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


ACTIONS: Mapping[str, Callable[[str], None]] = {
    'raise': _raise, 'sleep': _sleep, 'kill': _kill}


def disabled(name: str) -> None:
    """Do nothing: ``reach`` without failpoints."""


def parse(text: str) -> Callable[[str], None]:
    """Return a function that acts at the failpoints that ``text`` sets."""
    if not text:
        return disabled
    if text.startswith('@'):
        return lambda name: _run(name, _read_actions(Path(text[1:])))
    actions = _parse_actions(text)
    return lambda name: _run(name, actions)


def _read_actions(path: Path) -> Mapping[str, str]:
    return _parse_actions(path.read_text()) if path.exists() else {}


def _parse_actions(text: str) -> Mapping[str, str]:
    items = (item.partition('=') for item in text.split(',') if item.strip())
    actions = {name.strip(): action.strip() for name, _, action in items}
    for name, action in actions.items():
        if name not in NAMES or action.split(' ')[0] not in ACTIONS:
            raise StartError(
                f'{ENVIRONMENT}: {name}={action}: invalid; failpoints are '
                f'{", ".join(NAMES)}; actions are {", ".join(ACTIONS)}')
    return actions


def _run(name: str, actions: Mapping[str, str]) -> None:
    if name in actions:
        LOG.warning('failpoint %s: %s', name, actions[name])
        action, _, argument = actions[name].partition(' ')
        ACTIONS[action](argument.strip())


reach = parse(os.environ.get(ENVIRONMENT, ''))
