# SPDX-License-Identifier: Apache-2.0
"""Exception -> error document: the only file that knows an error's status."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import webob

from api.request import errors as asked
from api.request import urls
from api.response import replies
from service.domain import errors as domain
from service.domain.errors import PileusError, Violation

LOG = logging.getLogger(__name__)
T = TypeVar('T')

#: The status of each error; a branch has its own or its parent's.
STATUS: Mapping[type[Exception], int] = {
    domain.Invalid: 400,
    domain.Forbidden: 403,
    domain.NotFound: 404,
    domain.Conflict: 409,
    domain.Stale: 412,
    domain.Unavailable: 503,
    asked.MalformedVersion: 400,
    asked.Unauthenticated: 401,
    asked.NoSuchPath: 404,
    asked.MethodNotAllowed: 405,
    asked.NotAcceptable: 406,
    asked.VersionUnsupported: 406,
    asked.BodyUnread: 400,
    asked.BodyTooLarge: 413,
    asked.UnsupportedMediaType: 415,
    asked.UnprocessableKey: 422,
    asked.PreconditionRequired: 428,
}


#: What stands in an error for programs, with the fact it is made of. The
#: range stands in a 406 (MV-7).
FACTS: Mapping[type[PileusError],
               tuple[tuple[str, str, Callable[[Any], Any]], ...]] = {
    asked.VersionUnsupported: (('min_version', 'minimum', str),
                               ('max_version', 'maximum', str)),
    domain.QuotaExceeded: (('limit', 'limit', int), ('used', 'used', int)),
}


class Internal(PileusError):
    """Ours, not theirs: told in the log, never to the client."""

    code = 'internal-error'
    title = 'Internal error'
    text = ('The service failed on its own account; its log has the cause '
            'under this request id.')


#: Foreign errors of the pipeline, by status: (code, title, text).
MIDDLEWARE_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ('bad-request', 'Bad request', 'The request cannot be read.'),
    401: (asked.Unauthenticated.code, asked.Unauthenticated.title,
          asked.Unauthenticated.text),
    403: (domain.Forbidden.code, domain.Forbidden.title,
          'The request is not allowed.'),
    404: (asked.NoSuchPath.code, asked.NoSuchPath.title,
          'Nothing has this path.'),
    405: (asked.MethodNotAllowed.code, asked.MethodNotAllowed.title,
          'This path does not take the method.'),
    413: (asked.BodyTooLarge.code, asked.BodyTooLarge.title,
          'The request body is too large.'),
    500: (Internal.code, Internal.title, Internal.text),
    503: (domain.Unavailable.code, domain.Unavailable.title,
          domain.Unavailable.text),
}


#: Headers of a foreign error that a client needs.
_PASSED_HEADERS = ('www-authenticate', 'retry-after', 'allow',
                   'access-control-')

#: Marks a request whose reply is ours, error or not, in its environ.
OWN_REPLY = 'pileus.ours'


def guarded(produce: Callable[[], T], environ: dict[str, Any],
            service_type: str) -> T | webob.Response:
    """Whatever ``produce`` raises becomes an error document.

    The one catch-all: a failure the caller can act on is told plainly, any
    other is a bug, logged once with its traceback.
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
    """What the log says of a failure.

    SECURITY: of what was invalid, only where: the text quotes the value, and
    that may be a password with one letter too few.
    """
    if not isinstance(exc, domain.Invalid):
        return ascii(str(exc))
    places = (one.pointer if one.pointer is not None else one.parameter
              for one in exc.violations)
    named = [ascii(domain.shorten(one)) for one in places if one is not None]
    return f'at {", ".join(named)}' if named else 'no place in particular'


def status(error: type[Exception]) -> int:
    """The status of an error's nearest ancestor that has one; 500 if none."""
    return next((STATUS[one] for one in error.__mro__ if one in STATUS), 500)


def response(environ: dict[str, Any], service_type: str,
             exc: PileusError) -> webob.Response:
    number = status(type(exc))
    violations = exc.violations
    document = _document(environ, service_type, number, exc.code, exc.title,
                         violations, _facts(exc))
    return replies.document(number, document, list(_headers(exc)))


def middleware_error(environ: dict[str, Any], service_type: str, number: int,
            headers: Iterable[tuple[str, str]]) -> webob.Response:
    """The document for an error that came from another's middleware."""
    code, title, text = (MIDDLEWARE_ERRORS.get(number)
                         or MIDDLEWARE_ERRORS[number // 100 * 100])
    document = _document(environ, service_type, number, code, title,
                         (Violation(text),), {})
    kept = [(name, value) for name, value in headers
            if name.lower().startswith(_PASSED_HEADERS)]
    return replies.document(number, document, kept)


def _document(environ: dict[str, Any], service_type: str, number: int,
              code: str, title: str, violations: Iterable[Violation],
              facts: Mapping[str, Any]) -> dict[str, Any]:
    """Both shapes: openstacksdk reads ``error``, keystoneauth ``errors``."""
    request_id = environ.get('openstack.request_id')
    common = {'code': f'{service_type}.{code}', 'status': number,
              'title': title, 'links': [{
                  'rel': 'help',
                  'href': f'{urls.root(environ)}/v1/errors/{code}'}]}
    if request_id:
        common['request_id'] = request_id
    items = [{**common, 'detail': _sentence(one.detail), **facts,
              **_source(one)} for one in violations]
    message = ' '.join(one['detail'] for one in items)
    return {'errors': items, 'error': {'code': number, 'title': title,
                                       'message': message}}


def _sentence(detail: str) -> str:
    """Details stand behind each other in ``error.message``."""
    return detail if detail.endswith(('.', '!', '?')) else f'{detail}.'


def _source(violation: Violation) -> dict[str, Any]:
    pointer = violation.pointer
    if pointer is not None and len(pointer) <= domain.MAX_POINTER_CHARS:
        return {'source': {'pointer': pointer}}
    if violation.parameter is not None:
        return {'source': {'parameter': violation.parameter}}
    return {}


def _facts(exc: PileusError) -> dict[str, Any]:
    """Members a program reads, beside the text a person does."""
    return {name: show(exc.facts[fact])
            for name, fact, show in FACTS.get(type(exc), ())}


def _headers(exc: PileusError) -> Iterator[tuple[str, str]]:
    if isinstance(exc, asked.MethodNotAllowed):
        yield 'Allow', str(exc.facts['allow'])
    if isinstance(exc, asked.Unauthenticated) and exc.facts['challenge']:
        yield 'WWW-Authenticate', str(exc.facts['challenge'])
    if isinstance(exc, domain.Unavailable):
        yield 'Retry-After', '1'
