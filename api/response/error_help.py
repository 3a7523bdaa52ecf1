# SPDX-License-Identifier: Apache-2.0
"""What each error code means, for the help link of every error.

An error's own text is about one request; this is about all of its kind: what
happened, and what to do. A code stands for the same thing for ever, so an
explanation may be put better but never differently.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api.request import errors as asked
from api.response import faults
from service.domain import errors as domain
from service.domain.errors import PileusError


class Explanation(NamedTuple):
    status: int
    title: str
    text: str


#: By code: what happened, and what to do.
TEXT: Mapping[str, str] = {
    'bad-request': (
        'A layer in front of the API could not make sense of the request. '
        'Look at its headers and its URL, and send it again as HTTP has it.'),
    'body-too-large': (
        'The body is larger than the service reads. Send less at once, such '
        'as fewer records in one request.'),
    'body-unread': (
        'The request body ended early, came too slowly or was not framed as '
        'HTTP has it. Send the whole of it at once.'),
    'conflict': (
        'The request and the stored state disagree. Read the records '
        'concerned and ask for what is possible now.'),
    'field-forbidden': (
        'Each item of errors names a property that only other roles may set. '
        'Leave it out, or send it back as it was read.'),
    'forbidden': (
        'A policy rule does not let you do this. Ask whoever runs the cloud '
        'for a role that may.'),
    'id-taken': (
        'The id in the URL belongs to a record that you cannot reach. Choose '
        'another id, or let POST choose one.'),
    'idempotency-key-reused': (
        'The Idempotency-Key was sent before with another body. Use a new '
        'key for each new request, and the old one only to repeat it.'),
    'identity-unavailable': (
        'The identity service, which knows who a token belongs to, is out of '
        'reach. Send the same request again after the seconds in '
        'Retry-After.'),
    'internal-error': (
        'The service failed on its own account, and what it was doing was '
        'undone. Give its operator the request id; the log has the cause '
        'under it.'),
    'invalid': (
        'The body or the query asks for what the type does not allow. Each '
        'item of errors names one place and what would do; correct all of '
        'them and send it again.'),
    'key-taken': (
        'The metadata key is there with another value, which a POST does not '
        'overwrite. PUT the key to change it, or choose another one.'),
    'malformed-body': (
        'The body is not JSON that can be stored as it is. It must be UTF-8 '
        'without names that stand twice, NaN, NUL, integers beyond 64 bits '
        'or nesting deeper than 32.'),
    'malformed-version': (
        'The microversion asked for is not written as one. Send two numbers '
        'with a dot, such as 1.0, or latest: the first from 1 on, neither '
        'with a zero in front.'),
    'method-not-allowed': (
        'The path is there, but it does not take this method. The Allow '
        'header has those that it takes.'),
    'microversion-unsupported': (
        'The microversion asked for is outside the range that is served. Ask '
        'for one from min_version to max_version.'),
    'missing-reference': (
        'The body refers to a record that is not there, or that is not your '
        'project\'s. Refer to one that you can read, or make it first.'),
    'no-such-path': (
        'Nothing has this URL at the microversion asked for. Look at its '
        'spelling, or ask for a version that knows it.'),
    'no-such-item': (
        'The record is there, but it has no tag or metadata key of that '
        'name. Read its tags or its metadata to see those that it has.'),
    'no-such-revision': (
        'The record has no revision of that number, or it was so old that it '
        'was removed. GET /revisions of the record lists those it has.'),
    'not-acceptable': (
        'The Accept header excludes JSON, and there is nothing else to send. '
        'Accept application/json.'),
    'not-found': (
        'There is no such record, or none that you may see. Look at the id '
        'and at the project you are working in.'),
    'not-local': (
        'The service runs without authentication and so answers only its own '
        'machine, by a loopback address. Call it from there, or let its '
        'operator set up authentication.'),
    'not-unique': (
        'Another record already has these values, which only one may have. '
        'Choose others, or change that record.'),
    'overlapping': (
        'Another record holds a period that overlaps the one asked for. '
        'Choose another time, or free that one. A period that ends when '
        'another begins does not overlap it.'),
    'precondition-failed': (
        'The record is not as you said you saw it: somebody changed, removed '
        'or made it meanwhile. Read it again and decide anew; nothing was '
        'written.'),
    'precondition-required': (
        'The service lets nobody write without saying what they saw. Send '
        'If-Match with the ETag of what you read.'),
    'quota-exceeded': (
        'The project has as many records of this type as it may. Delete '
        'some, or ask whoever runs the cloud for a higher quota.'),
    'quota-kept-elsewhere': (
        'The limits of projects come from another service, which the error '
        'names. Set them there.'),
    'still-referred': (
        'Other records refer to the one that was to be deleted. Delete them '
        'or let them refer to another first.'),
    'test-failed': (
        'A test operation of the JSON Patch did not hold, so none of the '
        'patch was carried out. Read the record again and decide anew.'),
    'types-changing': (
        'The operator changes the resource types just now, and the request '
        'was undone rather than carried out by types that are not in force '
        'any more. Send the same request again after the seconds in '
        'Retry-After.'),
    'unauthenticated': (
        'The request carries no identity, or one that does not hold any '
        'more. Send valid credentials, such as a fresh token.'),
    'unavailable': (
        'The service cannot answer now: its database is out of reach or it '
        'has too much to do. Send the same request again after the seconds '
        'in Retry-After.'),
    'unsupported-media-type': (
        'The body is of a kind that is not read here. Send JSON in UTF-8, '
        'not compressed, with its Content-Type.'),
}

#: What the HTTP server answers by itself, before the API is asked.
SERVER: Mapping[str, Explanation] = {
    'expectation-failed': Explanation(417, 'Expectation failed', (
        'The Expect header asks for what the server does not know. Send '
        '100-continue there, or leave it out.')),
    'headers-too-large': Explanation(431, 'Request headers too large', (
        'A header, or all of them together, is larger than the server takes. '
        'Send fewer or shorter ones.')),
    'http-version-not-supported': Explanation(
        505, 'HTTP version not supported', (
            'The request is of an HTTP version that the server does not '
            'speak. Use HTTP/1.1.')),
    'malformed-request': Explanation(400, 'Malformed request', (
        'The request breaks the rules of HTTP, so that its end cannot be '
        'known for sure, and the connection was closed. Correct the client '
        'or the proxy that made it.')),
    'not-implemented': Explanation(501, 'Not implemented', (
        'The server does not know the method or the transfer coding. Use one '
        'that the API names, and send the body plain or chunked.')),
    'request-timeout': Explanation(408, 'Request too slow', (
        'The request did not arrive in time, and the connection was closed. '
        'Send it again without pauses.')),
    'uri-too-long': Explanation(414, 'URI too long', (
        'The URL is longer than the server takes. Ask for less at once, such '
        'as fewer values in a filter.')),
}


def _classes() -> Iterator[type[PileusError]]:
    """Every error a reply can be, first those of the request itself."""
    for room in (asked, domain, faults):
        for one in vars(room).values():
            if (inspect.isclass(one) and issubclass(one, PileusError)
                    and one is not PileusError):
                yield one


#: By code, without the service type in front.
CODES: Mapping[str, Explanation] = {
    **SERVER,
    **{code: Explanation(status, title, TEXT[code])
       for status, (code, title, _) in faults.MIDDLEWARE_ERRORS.items()},
    **{one.code: Explanation(faults.status(one), one.title,
                             TEXT.get(one.code, one.title))
       for one in _classes()},
}
