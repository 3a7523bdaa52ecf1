# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: read the header, store the reply and replay it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import webob

from api.request import errors
from api.request.call import Call
from api.response import replies
from service.domain.documents import timestamps, values
from service.domain.errors import Invalid, Violation
from service.domain.records.idempotency import IdempotentRequest
from service.domain.records.store import Record, StoredReply

HEADER = 'Idempotency-Key'

_KEY = re.compile(r'[\x21-\x7e]{1,255}')

#: Headers that are stored with a reply. All others, such as the request id,
#: are set anew when the reply is replayed.
_STORED_HEADERS = ('ETag', 'Location')


def key(environ: dict[str, Any]) -> str | None:
    """Return a request's idempotency key or None; raise Invalid if malformed.
    """
    text: str | None = environ.get('HTTP_IDEMPOTENCY_KEY')
    if text is None or _KEY.fullmatch(text):
        return text
    raise Invalid([Violation(
        f'{HEADER}: {values.quoted(text)} is not a key; send 1 to 255 '
        f'visible ASCII characters without blanks, such as a new UUID for '
        f'each new request.', parameter=HEADER)])


def keyed_request(call: Call, key: str,
                  reply: Callable[[Sequence[Record]], webob.Response]
                  ) -> IdempotentRequest:
    """Return the call as a request that the storage executes once.

    ``reply`` makes the response from the created records. The same key from
    another user or project, or with another method, path or version,
    identifies a different request (D18).
    """
    scope = _hash([call.caller.project_id, call.caller.user_id,
                   call.environ['REQUEST_METHOD'], _path(call.environ),
                   str(call.version), key])
    at = timestamps.now()

    def render(records: Sequence[Record]) -> StoredReply:
        response = reply(records)
        headers = [[name, value] for name, value in response.headerlist
                   if name in _STORED_HEADERS]
        return StoredReply(scope, _hash(call.body), response.status_int,
                           headers, response.body.decode(), at)
    return IdempotentRequest(scope, at, render)


def replay(call: Call, key: str, stored: StoredReply) -> webob.Response:
    """Return the stored reply as a response.

    Raises UnprocessableKey if the key was first sent with another body.
    """
    if stored.body_hash != _hash(call.body):
        raise errors.UnprocessableKey(key=key)
    return replies.encoded_document(stored.status, stored.body.encode(), [
        (name, value) for name, value in stored.headers])


def _path(environ: dict[str, Any]) -> str:
    return str(environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''))


def _hash(value: Any) -> str:
    """Return a hash that depends on the JSON value, not on its spelling."""
    return hashlib.sha256(values.canonical(value).encode()).hexdigest()
