# SPDX-License-Identifier: Apache-2.0
"""Places where a test makes the service fail as the world would.

PILEUS_FAILPOINTS says at which, when the process starts; without it there
are none. ``before_commit=sleep 0-0.05, after_commit_before_reply=kill`` waits
a random while before each commit and dies after the first; ``@/some/file``
reads such words from the file each time, so that a test may change its mind.
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

#: Every place there is.
NAMES = ('before_commit', 'after_commit_before_reply',
         'after_migration_step', 'schema_begun', 'schema_step',
         'import_chunk')


def _raise(argument: str) -> None:
    raise RuntimeError(argument or 'failpoint')


def _sleep(argument: str) -> None:
    """For so many seconds, or for some between two numbers."""
    least, _, most = argument.partition('-')
    time.sleep(random.uniform(float(least), float(most or least)))


def _kill(argument: str) -> None:
    """At once, as the kernel does where memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


ACTIONS: Mapping[str, Callable[[str], None]] = {
    'raise': _raise, 'sleep': _sleep, 'kill': _kill}


def disabled(name: str) -> None:
    """What ``reach`` is while no failpoint is set."""


def parse(text: str) -> Callable[[str], None]:
    """A function to call at each place by its name, set by this text."""
    if not text:
        return disabled
    if text.startswith('@'):
        return lambda name: _run(name, _read_actions(Path(text[1:])))
    words = _parse_actions(text)
    return lambda name: _run(name, words)


def _read_actions(path: Path) -> Mapping[str, str]:
    return _parse_actions(path.read_text()) if path.exists() else {}


def _parse_actions(text: str) -> Mapping[str, str]:
    words = {name.strip(): action.strip() for name, _, action in
             (one.partition('=') for one in text.split(',') if one.strip())}
    for name, action in words.items():
        if name not in NAMES or action.split(' ')[0] not in ACTIONS:
            raise StartError(
                f'{ENVIRONMENT}: {name}={action}: there are '
                f'{", ".join(NAMES)}, and {", ".join(ACTIONS)} to do there')
    return words


def _run(name: str, words: Mapping[str, str]) -> None:
    if name in words:
        LOG.warning('failpoint %s: %s', name, words[name])
        action, _, argument = words[name].partition(' ')
        ACTIONS[action](argument.strip())


reach = parse(os.environ.get(ENVIRONMENT, ''))
