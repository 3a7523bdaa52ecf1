# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: from header to value, and the kept reply back to one."""

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

#: What of a reply is said in headers of its own. The rest, its request id
#: among them, is said anew each time.
_KEPT = ('ETag', 'Location')


def key(environ: dict[str, Any]) -> str | None:
    """The key a request is sent under; Invalid for what cannot be one."""
    sent: str | None = environ.get('HTTP_IDEMPOTENCY_KEY')
    if sent is None or _KEY.fullmatch(sent):
        return sent
    raise Invalid([Violation(
        f'{HEADER}: {values.quoted(sent)} is not a key; send 1 to 255 '
        f'visible ASCII characters without blanks, such as a new UUID for '
        f'each new request.', parameter=HEADER)])


def keyed_request(call: Call, key: str,
         reply: Callable[[Sequence[Record]],
                         webob.Response]) -> IdempotentRequest:
    """The call as a request that is carried out once.

    ``reply`` answers it with the records it made. A key means something only
    to who chose it, on the path and at the version it was sent to (D18).
    """
    scope = _hash([call.caller.project_id, call.caller.user_id,
                   call.environ['REQUEST_METHOD'], _path(call.environ),
                   str(call.version), key])
    at = timestamps.now()

    def render(made: Sequence[Record]) -> StoredReply:
        response = reply(made)
        headers = [[name, value] for name, value in response.headerlist
                   if name in _KEPT]
        return StoredReply(scope, _hash(call.body), response.status_int,
                           headers,
                    response.body.decode(), at)
    return IdempotentRequest(scope, at, render)


def replay(call: Call, key: str, kept: StoredReply) -> webob.Response:
    """The kept reply; UnprocessableKey if it answers another body."""
    if kept.body_hash != _hash(call.body):
        raise errors.UnprocessableKey(key=key)
    return replies.encoded(kept.status, kept.body.encode(), [
        (name, value) for name, value in kept.headers])


def _path(environ: dict[str, Any]) -> str:
    return str(environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''))


def _hash(value: Any) -> str:
    """JSON that says the same has the same hash, however it is written."""
    return hashlib.sha256(values.canonical(value).encode()).hexdigest()
