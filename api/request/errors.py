# SPDX-License-Identifier: Apache-2.0
"""Errors of a request that are detected before any record is read.

    PileusError
    +-- Invalid
    |   +-- MalformedBody      the body is not valid JSON
    +-- Forbidden
    |   +-- NotLocal           no authentication, and a remote client
    +-- MalformedVersion       the microversion is not two numbers
    +-- Unauthenticated        no credentials, or invalid ones
    +-- NoSuchPath             no route has this path
    +-- MethodNotAllowed       a route has this path, but not the method
    +-- NotAcceptable          the Accept header excludes JSON
    +-- VersionUnsupported     the microversion is out of range
    +-- BodyUnread             the body ended early or was malformed
    +-- BodyTooLarge           the body is above the limit
    +-- UnsupportedMediaType   the action does not accept the media type
    +-- UnprocessableKey       the idempotency key belongs to another body
    +-- Unavailable
    |   +-- IdentityUnavailable  the identity service does not answer
    +-- PreconditionRequired   the write has no If-Match

``service.domain.errors`` has the errors about records.
``api.response.faults`` gives each error its status.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.errors import Forbidden, Invalid, PileusError, Unavailable


class MalformedBody(Invalid):
    code = 'malformed-body'
    title = 'Malformed body'


class MalformedVersion(PileusError):
    """Facts: ``wanted``, the version as the header spells it."""

    code = 'malformed-version'
    title = 'Malformed microversion'
    text = ('{wanted} is not a microversion; write two numbers with a dot, '
            'such as 1.0, or latest.')


class VersionUnsupported(PileusError):
    """Facts: ``wanted``, ``minimum``, ``maximum``."""

    code = 'microversion-unsupported'
    title = 'Requested microversion is unsupported'
    text = ('Version {wanted} is not supported. The range is {minimum} to '
            '{maximum}.')


class Unauthenticated(PileusError):
    """``facts['challenge']`` is the value of the WWW-Authenticate header."""

    code = 'unauthenticated'
    title = 'Authentication required'
    text = 'The request needs valid credentials.'

    def __init__(self, challenge: str | None = None) -> None:
        super().__init__(challenge=challenge)


class IdentityUnavailable(Unavailable):
    code = 'identity-unavailable'
    title = 'Identity service unavailable'
    text = ('The identity service cannot be reached to check the '
            'credentials; try again shortly.')


class NotLocal(Forbidden):
    code = 'not-local'
    title = 'Not from this machine'
    text = ('Without authentication the API serves only clients on this '
            'machine, at a loopback address; [api] insecure_noauth_bind '
            'allows other addresses.')


class NoSuchPath(PileusError):
    """Facts: ``path``."""

    code = 'no-such-path'
    title = 'No such path'
    text = 'The path {path} does not exist.'


class MethodNotAllowed(PileusError):
    """``facts['allow']`` is the value of the Allow header."""

    code = 'method-not-allowed'
    title = 'Method not allowed'
    text = 'This path does not take {method}; it takes {allow}.'

    def __init__(self, method: str, allow: Iterable[str]) -> None:
        super().__init__(method=method, allow=', '.join(allow))


class NotAcceptable(PileusError):
    """Facts: ``accept``, the header's value."""

    code = 'not-acceptable'
    title = 'Not acceptable'
    text = 'Replies are application/json, which Accept: {accept} excludes.'


class BodyUnread(PileusError):
    code = 'body-unread'
    title = 'Body not read'
    text = 'The request body ended early, came too slowly or was malformed.'


class BodyTooLarge(PileusError):
    """Facts: ``limit`` in bytes."""

    code = 'body-too-large'
    title = 'Body too large'
    text = 'The request body is larger than {limit} bytes.'


class UnsupportedMediaType(PileusError):
    """Facts: ``reason``, which names the header and its valid values."""

    code = 'unsupported-media-type'
    title = 'Unsupported media type'
    text = '{reason}'


class UnprocessableKey(PileusError):
    """Facts: ``key``."""

    code = 'idempotency-key-reused'
    title = 'Idempotency key reused'
    text = ('The Idempotency-Key {key} was sent before with another body; '
            'choose a new key for a new request.')


class PreconditionRequired(PileusError):
    """Facts: ``method``."""

    code = 'precondition-required'
    title = 'Precondition required'
    text = ('{method} needs If-Match with the ETag of what it changes, or '
            'If-Match: *.')
