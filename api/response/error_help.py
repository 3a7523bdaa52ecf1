# SPDX-License-Identifier: Apache-2.0
"""The explanation of each error code, which an error's help link shows.

An explanation says what happened and what to do, for all errors of a code;
the error's own text is about one request. The meaning of a code never
changes, so an edit of an explanation must keep its meaning.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api.request import errors as request_errors
from api.response import faults
from service.domain import errors as domain
from service.domain.errors import PileusError


class Explanation(NamedTuple):
    status: int
    title: str
    text: str


#: The explanation of each code that the API returns.
TEXT: Mapping[str, str] = {
    'bad-request': (
        'A component in front of the API could not parse the request. '
        'Correct its headers or its URL and send the request again.'),
    'body-too-large': (
        'The body is larger than the limit of the service. Send a smaller '
        'body, for example fewer records in one request.'),
    'body-unread': (
        'The request body ended early, came too slowly or was not framed as '
        'HTTP requires. Send the complete body without pauses.'),
    'conflict': (
        'The request conflicts with the stored state. Read the records '
        'concerned, then send a request that fits their current state.'),
    'field-forbidden': (
        'Each item of errors names a property that only other roles may set. '
        'Leave the property out, or send the value that you have read.'),
    'forbidden': (
        'A policy rule denies this request. Ask the operator of the cloud '
        'for a role that has the permission.'),
    'id-taken': (
        'The id in the URL belongs to a record that you cannot access. '
        'Choose another id, or create the record by POST, which chooses an '
        'id.'),
    'idempotency-key-reused': (
        'The Idempotency-Key was sent before with another body. Use a new '
        'key for each new request. Send the same key again only with the '
        'same body.'),
    'identity-unavailable': (
        'The identity service, which validates tokens, does not answer. '
        'Wait for the seconds in Retry-After, then send the same request '
        'again.'),
    'internal-error': (
        'The service failed because of an internal error, and rolled back '
        'the changes of the request. Report the request id to the operator; '
        'the log has the cause under this id.'),
    'invalid': (
        'The body or the query is not valid for the type. Each item of '
        'errors names a place and what is valid there. Correct all places '
        'and send the request again.'),
    'key-taken': (
        'The record has this metadata key with another value, and POST does '
        'not overwrite a value. Use PUT to change the value, or choose '
        'another key.'),
    'malformed-body': (
        'The body is not JSON that the service can store. It must be UTF-8 '
        'without duplicate member names, NaN, NUL, integers of more than 64 '
        'bits or more than 32 levels of nesting.'),
    'malformed-version': (
        'The requested microversion is malformed. Send latest, or two '
        'numbers with a dot, such as 1.0: the first number is at least 1, '
        'and neither has a leading zero.'),
    'method-not-allowed': (
        'The path exists, but does not allow this method. The Allow header '
        'lists the methods that the path allows.'),
    'microversion-unsupported': (
        'The service does not support the requested microversion. Request a '
        'version from min_version to max_version.'),
    'missing-reference': (
        'The body refers to a record that does not exist or belongs to '
        'another project. Refer to a record that you can read, or create '
        'the record first.'),
    'no-such-path': (
        'No resource has this URL at the requested microversion. Check the '
        'spelling of the URL, or request a version that has the resource.'),
    'no-such-item': (
        'The record exists, but has no tag or metadata key of this name. '
        'Read its tags or metadata for the names that it has.'),
    'no-such-revision': (
        'The record has no revision of this number, or the revision was '
        'removed because of its age. GET /revisions of the record lists '
        'its revisions.'),
    'not-acceptable': (
        'The Accept header excludes JSON, which is the only format of the '
        'API. Send Accept: application/json.'),
    'not-found': (
        'The record does not exist, or you may not read it. Check the id and '
        'the project of your credentials.'),
    'not-local': (
        'The service runs without authentication, so it answers only '
        'clients on the same machine, at a loopback address. Send the '
        'request from that machine, or ask the operator to configure '
        'authentication.'),
    'not-unique': (
        'Another record has these values, which must be unique. Choose '
        'other values, or change the other record.'),
    'overlapping': (
        'The period of another record overlaps the requested period. Choose '
        'another period, or change the other record. A period may begin at '
        'the moment when another ends.'),
    'precondition-failed': (
        'The record is not in the state that the request named: it was '
        'changed, removed or created in the meantime. Nothing was written. '
        'Read the record again and repeat your change if it still applies.'),
    'precondition-required': (
        'The service requires a precondition for each change. Send If-Match '
        'with the ETag that you have read.'),
    'quota-exceeded': (
        'The project has reached its quota of records of this type. Delete '
        'some records, or ask the operator of the cloud for a higher quota.'),
    'quota-kept-elsewhere': (
        'Another service, which the error names, keeps the quotas of '
        'projects. Change the quota in that service.'),
    'still-referred': (
        'Other records refer to the record that the request deletes. Delete '
        'those records or change their references first.'),
    'test-failed': (
        'A test operation of the JSON Patch failed, so no operation was '
        'applied. Read the record again and repeat your change if it still '
        'applies.'),
    'types-changing': (
        'The operator is changing the resource types, and the service rolled '
        'the request back because its types are no longer in force. Wait '
        'for the seconds in Retry-After, then send the same request again.'),
    'unauthenticated': (
        'The request has no credentials, or invalid or expired ones. Send '
        'valid credentials, such as a new token.'),
    'unavailable': (
        'The service cannot answer now: the database does not respond, or '
        'the service is overloaded. Wait for the seconds in Retry-After, '
        'then send the same request again.'),
    'unsupported-media-type': (
        'The service does not support the media type, charset or encoding '
        'of the body. Send uncompressed JSON in UTF-8 with its '
        'Content-Type.'),
}

#: Explanations of the errors that the HTTP server returns without the API.
SERVER: Mapping[str, Explanation] = {
    'expectation-failed': Explanation(417, 'Expectation failed', (
        'The server does not support the value of the Expect header. Send '
        'Expect: 100-continue, or no Expect header.')),
    'headers-too-large': Explanation(431, 'Request headers too large', (
        'A header, or all headers together, exceed the limit of the server. '
        'Send fewer or shorter headers.')),
    'http-version-not-supported': Explanation(
        505, 'HTTP version not supported', (
            'The server does not support the HTTP version of the request. '
            'Use HTTP/1.1.')),
    'malformed-request': Explanation(400, 'Malformed request', (
        'The request violates HTTP, so the server could not determine where '
        'the request ends and closed the connection. Correct the client or '
        'the proxy that sent it.')),
    'not-implemented': Explanation(501, 'Not implemented', (
        'The server does not support the method or the transfer coding. Use '
        'a method of the API, and send the body with a Content-Length or '
        'chunked.')),
    'request-timeout': Explanation(408, 'Request too slow', (
        'The request did not arrive in time, and the server closed the '
        'connection. Send the request again without pauses.')),
    'uri-too-long': Explanation(414, 'URI too long', (
        'The URL exceeds the limit of the server. Send a shorter URL, for '
        'example with fewer values in a filter.')),
}


def _classes() -> Iterator[type[PileusError]]:
    """Yield every error class of the API, the domain and the faults."""
    for module in (request_errors, domain, faults):
        for member in vars(module).values():
            if (inspect.isclass(member) and issubclass(member, PileusError)
                    and member is not PileusError):
                yield member


#: Explanations by code, without the service type in front of the code.
CODES: Mapping[str, Explanation] = {
    **SERVER,
    **{code: Explanation(status, title, TEXT[code])
       for status, (code, title, _) in faults.MIDDLEWARE_ERRORS.items()},
    **{error.code: Explanation(faults.status(error), error.title,
                               TEXT.get(error.code, error.title))
       for error in _classes()},
}
