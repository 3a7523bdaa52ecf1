# SPDX-License-Identifier: Apache-2.0
"""Secrets that the requests of all tests carry, and no output may have.

Reliability L03. ``harness.Server`` sends them, notes what else it sends that
is secret, such as a real token, a password or a body, and looks through all
that the service wrote once it has ended: whatever a test is about, it is
about this as well.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

#: Headers whose values are secret, in lower case.
SECRET = frozenset({'authorization', 'cookie', 'x-auth-token',
                    'x-service-token', 'x-subject-token'})

TOKEN = 'gAAAAplantedtoken4f1c9b7e'
COOKIE = 'plantedcookie82d6a01f'

#: Shorter words stand in a log by chance; so do shorter bodies.
SHORTEST, SHORTEST_BODY = 8, 24

#: PERF: so many secrets of one service are looked for, the first.
MOST = 300

#: A database's own words, which quote what it was given.
QUOTING = ('[parameters: ', 'DETAIL:  Key (', 'Duplicate entry \'')


def added(given: Mapping[str, str], strategy: str | None
          ) -> dict[str, str]:
    """Headers of a request, with those secrets that it does not have yet and
    that mean nothing to the auth strategy."""
    planted = {'cookie': f'session={COOKIE}'}
    if strategy != 'keystone':
        planted['x-auth-token'] = TOKEN
    if strategy in (None, 'noauth'):
        planted['authorization'] = f'Bearer {TOKEN}'
    named = {name.lower() for name in given}
    return {**given, **{name: value for name, value in planted.items()
                        if name not in named}}


def secrets(sent: Mapping[str, str]) -> Iterator[str]:
    """What of these headers must be in no log, as sent or decoded."""
    for name, value in sent.items():
        if name.lower() in SECRET:
            for word in value.replace('=', ' ').split():
                yield word
                yield from _password(word)


def _password(word: str) -> Iterator[str]:
    """Of HTTP Basic, which is but another spelling of it."""
    try:
        text = base64.b64decode(word + '==').decode()
    except (binascii.Error, ValueError):
        return
    yield text.partition(':')[2]


def of_body(body: bytes | str) -> Iterator[str]:
    """A body as it was sent, and as Python writes what was read of it."""
    text = body if isinstance(body, str) else body.decode(errors='replace')
    if len(text) >= SHORTEST_BODY:
        yield text
        try:
            yield repr(json.loads(text))
        except (ValueError, RecursionError):
            return


def of_story(told: Mapping[str, Any]) -> Iterator[str]:
    """What a story's requests send, by its defaults and its steps."""
    for step in (told['defaults'], *told['tests']):
        yield from secrets(step.get('request_headers', {}))
        if 'data' in step:
            yield from of_body(json.dumps(step['data']))


def leaked(output: str, known: Collection[str]) -> list[str]:
    return [one for one in (*known, *QUOTING)
            if len(one) >= SHORTEST and one in output]
