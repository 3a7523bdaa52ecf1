# SPDX-License-Identifier: Apache-2.0
"""Secrets that every request of the tests carries and no output may contain.

This is reliability row L03. ``daemon.Server`` adds the planted secrets to its
requests and records the other secrets that it sends, such as tokens,
passwords and bodies. When the service has ended, ``Server`` searches all its
output for them, whatever the test is about.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

#: Headers with secret values, in lower case.
SECRET_HEADERS = frozenset({
    'authorization', 'cookie', 'x-auth-token', 'x-service-token',
    'x-subject-token'})

TOKEN = 'gAAAAplantedtoken4f1c9b7e'
COOKIE = 'plantedcookie82d6a01f'

#: Shorter secrets and bodies can occur in a log by chance.
MIN_SECRET_CHARS, MIN_BODY_CHARS = 8, 24

#: PERF: the output of a service is searched for its first 300 secrets.
MAX_SECRETS = 300

#: Starts of database messages that quote the values of a statement.
DATABASE_QUOTES = ('[parameters: ', 'DETAIL:  Key (', 'Duplicate entry \'')


def with_planted(headers: Mapping[str, str], strategy: str | None
                 ) -> dict[str, str]:
    """Add the planted secrets to the headers of a request.

    Headers of the request, and those that the auth strategy reads, stay
    unchanged.
    """
    planted = {'cookie': f'session={COOKIE}'}
    if strategy != 'keystone':
        planted['x-auth-token'] = TOKEN
    if strategy in (None, 'noauth'):
        planted['authorization'] = f'Bearer {TOKEN}'
    present = {name.lower() for name in headers}
    return {**headers, **{name: value for name, value in planted.items()
                          if name not in present}}


def in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets in the headers of a request, as sent and decoded."""
    for name, value in headers.items():
        if name.lower() in SECRET_HEADERS:
            for word in value.replace('=', ' ').split():
                yield word
                yield from _basic_password(word)


def _basic_password(word: str) -> Iterator[str]:
    """Yield the password in the base64 text of HTTP Basic."""
    try:
        text = base64.b64decode(word + '==').decode()
    except (binascii.Error, ValueError):
        return
    yield text.partition(':')[2]


def in_body(body: bytes | str) -> Iterator[str]:
    """Yield a body as it was sent, and the Python repr of its JSON value."""
    text = body if isinstance(body, str) else body.decode(errors='replace')
    if len(text) >= MIN_BODY_CHARS:
        yield text
        try:
            yield repr(json.loads(text))
        except (ValueError, RecursionError):
            return


def in_story(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secrets in the headers and bodies of a story's requests."""
    for step in (story['defaults'], *story['tests']):
        yield from in_headers(step.get('request_headers', {}))
        if 'data' in step:
            yield from in_body(json.dumps(step['data']))


def leaked(output: str, known: Collection[str]) -> list[str]:
    """Return the known secrets and database quotes that are in the output."""
    return [secret for secret in (*known, *DATABASE_QUOTES)
            if len(secret) >= MIN_SECRET_CHARS and secret in output]
