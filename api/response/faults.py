# SPDX-License-Identifier: Apache-2.0
"""Turn an exception into an error document, and give each error its status.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import webob

from api.request import errors as request_errors
from api.request import urls
from api.response import replies
from service.domain import errors as domain
from service.domain.errors import PileusError, Violation

LOG = logging.getLogger(__name__)
T = TypeVar('T')

#: The status of each error class; subclasses without an entry inherit it.
STATUS: Mapping[type[Exception], int] = {
    domain.Invalid: 400,
    domain.Forbidden: 403,
    domain.NotFound: 404,
    domain.Conflict: 409,
    domain.Stale: 412,
    domain.Unavailable: 503,
    request_errors.MalformedVersion: 400,
    request_errors.Unauthenticated: 401,
    request_errors.NoSuchPath: 404,
    request_errors.MethodNotAllowed: 405,
    request_errors.NotAcceptable: 406,
    request_errors.VersionUnsupported: 406,
    request_errors.BodyUnread: 400,
    request_errors.BodyTooLarge: 413,
    request_errors.UnsupportedMediaType: 415,
    request_errors.UnprocessableKey: 422,
    request_errors.PreconditionRequired: 428,
}


#: Additional members of an error item, for programs: the member, the error's
#: fact, and the conversion. A 406 has the range of versions (MV-7).
FACTS: Mapping[type[PileusError],
               tuple[tuple[str, str, Callable[[Any], Any]], ...]] = {
    request_errors.VersionUnsupported: (
        ('min_version', 'minimum', str), ('max_version', 'maximum', str)),
    domain.QuotaExceeded: (('limit', 'limit', int), ('used', 'used', int)),
}


class Internal(PileusError):
    """A bug in the service: the log has the cause, the client gets no detail.
    """

    code = 'internal-error'
    title = 'Internal error'
    text = ('The service failed because of an internal error; its log has '
            'the cause under this request id.')


#: Errors that other middleware returns, by status: (code, title, text).
MIDDLEWARE_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ('bad-request', 'Bad request', 'The request cannot be read.'),
    401: (request_errors.Unauthenticated.code,
          request_errors.Unauthenticated.title,
          request_errors.Unauthenticated.text),
    403: (domain.Forbidden.code, domain.Forbidden.title,
          'The request is not allowed.'),
    404: (request_errors.NoSuchPath.code, request_errors.NoSuchPath.title,
          'This path does not exist.'),
    405: (request_errors.MethodNotAllowed.code,
          request_errors.MethodNotAllowed.title,
          'This path does not take the method.'),
    413: (request_errors.BodyTooLarge.code, request_errors.BodyTooLarge.title,
          'The request body is too large.'),
    500: (Internal.code, Internal.title, Internal.text),
    503: (domain.Unavailable.code, domain.Unavailable.title,
          domain.Unavailable.text),
}


#: Headers of other middleware's errors that a client needs, by prefix.
_PASSED_HEADERS = ('www-authenticate', 'retry-after', 'allow',
                   'access-control-')

#: Key in the environ: true if the API makes the reply, be it an error or not.
OWN_REPLY = 'pileus.own_reply'


def guarded(produce: Callable[[], T], environ: dict[str, Any],
            service_type: str) -> T | webob.Response:
    """Return what ``produce`` returns, or the document of the error it raises.

    This is the only catch-all of the API. A PileusError is an error that the
    client can act on. Any other exception is a bug: the log gets one
    traceback, the client an Internal error.
    """
    try:
        return produce()
    except PileusError as exc:
        LOG.info('%s: %s', exc.code, _log_text(exc))
        return response(environ, service_type, exc)
    except Exception:
        LOG.exception('The request failed')
        return response(environ, service_type, Internal())


def _log_text(exc: PileusError) -> str:
    """Return the text of an error for the log.

    SECURITY: for Invalid, the places of the violations without their texts: a
    text quotes the value, which may be a password that is one letter short.
    """
    if not isinstance(exc, domain.Invalid):
        return ascii(str(exc))
    places = (violation.pointer if violation.pointer is not None
              else violation.parameter for violation in exc.violations)
    quoted = [ascii(domain.shorten(place)) for place in places
              if place is not None]
    return f'at {", ".join(quoted)}' if quoted else 'at no known place'


def status(error: type[Exception]) -> int:
    """Return the status of an error's nearest ancestor, or 500."""
    return next((STATUS[ancestor] for ancestor in error.__mro__
                 if ancestor in STATUS), 500)


def response(environ: dict[str, Any], service_type: str,
             exc: PileusError) -> webob.Response:
    number = status(type(exc))
    violations = exc.violations
    document = _document(environ, service_type, number, exc.code, exc.title,
                         violations, _facts(exc))
    return replies.document(number, document, list(_headers(exc)))


def middleware_error(environ: dict[str, Any], service_type: str, number: int,
                     headers: Iterable[tuple[str, str]]) -> webob.Response:
    """Return the error document for a failed reply of other middleware."""
    code, title, text = (MIDDLEWARE_ERRORS.get(number)
                         or MIDDLEWARE_ERRORS[number // 100 * 100])
    document = _document(environ, service_type, number, code, title,
                         (Violation(text),), {})
    passed = [(name, value) for name, value in headers
              if name.lower().startswith(_PASSED_HEADERS)]
    return replies.document(number, document, passed)


def _document(environ: dict[str, Any], service_type: str, number: int,
              code: str, title: str, violations: Iterable[Violation],
              facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error document.

    openstacksdk reads the member ``error``, keystoneauth ``errors``.
    """
    request_id = environ.get('openstack.request_id')
    common = {'code': f'{service_type}.{code}', 'status': number,
              'title': title, 'links': [{
                  'rel': 'help',
                  'href': f'{urls.root(environ)}/v1/errors/{code}'}]}
    if request_id:
        common['request_id'] = request_id
    items = [{**common, 'detail': _sentence(violation.detail), **facts,
              **_source(violation)} for violation in violations]
    message = ' '.join(item['detail'] for item in items)
    return {'errors': items, 'error': {'code': number, 'title': title,
                                       'message': message}}


def _sentence(detail: str) -> str:
    """Return a detail with a final stop, because ``message`` joins details."""
    return detail if detail.endswith(('.', '!', '?')) else f'{detail}.'


def _source(violation: Violation) -> dict[str, Any]:
    pointer = violation.pointer
    if pointer is not None and len(pointer) <= domain.MAX_POINTER_CHARS:
        return {'source': {'pointer': pointer}}
    if violation.parameter is not None:
        return {'source': {'parameter': violation.parameter}}
    return {}


def _facts(exc: PileusError) -> dict[str, Any]:
    """Return the members that FACTS adds for an error."""
    return {name: show(exc.facts[fact])
            for name, fact, show in FACTS.get(type(exc), ())}


def _headers(exc: PileusError) -> Iterator[tuple[str, str]]:
    if isinstance(exc, request_errors.MethodNotAllowed):
        yield 'Allow', str(exc.facts['allow'])
    challenged = isinstance(exc, request_errors.Unauthenticated)
    if challenged and exc.facts['challenge']:
        yield 'WWW-Authenticate', str(exc.facts['challenge'])
    if isinstance(exc, domain.Unavailable):
        yield 'Retry-After', '1'
