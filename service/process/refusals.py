# SPDX-License-Identifier: Apache-2.0
"""Error documents that the server sends itself, without the application.

The server answers requests that it cannot pass on, such as malformed ones.
Its error documents have the same shape as those of ``api.response.faults``,
but this module imports nothing from ``api``.
"""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

#: The lowest API version, which applies to requests that name none.
MIN_VERSION = '1.0'


class Reason(NamedTuple):
    """One kind of refusal; a released ``code`` never changes."""

    status: int
    phrase: str
    code: str
    title: str
    headers: str = ''


REASONS = {
    'malformed': Reason(400, 'Bad Request', 'malformed-request',
                        'Malformed request'),
    # The targets that the server refuses support no method at all, so
    # Allow is empty.
    'method': Reason(405, 'Method Not Allowed', 'method-not-allowed',
                     'Method not allowed', 'Allow: \r\n'),
    'slow': Reason(408, 'Request Timeout', 'request-timeout',
                   'Request too slow'),
    'body': Reason(413, 'Content Too Large', 'body-too-large',
                   'Body too large'),
    'target': Reason(414, 'URI Too Long', 'uri-too-long', 'URI too long'),
    'expect': Reason(417, 'Expectation Failed', 'expectation-failed',
                     'Expectation failed'),
    'header': Reason(431, 'Request Header Fields Too Large',
                     'headers-too-large', 'Request headers too large'),
    'broken': Reason(500, 'Internal Server Error', 'internal-error',
                     'Internal error'),
    'unknown': Reason(501, 'Not Implemented', 'not-implemented',
                      'Not implemented'),
    'overload': Reason(503, 'Service Unavailable', 'unavailable',
                       'Service unavailable', 'Retry-After: 1\r\n'),
    'version': Reason(505, 'HTTP Version Not Supported',
                      'http-version-not-supported',
                      'HTTP version not supported'),
}


class RequestRefused(Exception):
    """The server itself answers this request with an error.

    ``reason`` is a key of ``REASONS``, ``detail`` the text for the client.
    With ``version_headers`` the response carries the API version headers;
    pass it once the request is known to be HTTP/1.
    """

    def __init__(self, reason: str, detail: str,
                 version_headers: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.version_headers = version_headers

    @property
    def status(self) -> int:
        return REASONS[self.reason].status


def request_id() -> str:
    """Return a new request id, in the form that OpenStack services use."""
    return f'req-{uuid.uuid4()}'


def render(refused: RequestRefused, service_type: str, request_id: str,
           date: bytes, bodiless: bool = False) -> bytes:
    """Return the whole response, which announces ``Connection: close``.

    ``date`` is the Date header line. With ``bodiless`` the body is left
    out, as a response to HEAD requires.
    """
    reason = REASONS[refused.reason]
    body = _document(reason, refused.detail, service_type, request_id)
    head = (f'HTTP/1.1 {reason.status} {reason.phrase}\r\n'
            f'Content-Type: application/json\r\n'
            f'Content-Length: {len(body)}\r\n'
            f'Cache-Control: private, no-cache\r\n'
            f'X-Openstack-Request-Id: {request_id}\r\n'
            f'{reason.headers}'
            f'{_version_headers(service_type, refused)}'
            f'Connection: close\r\n').encode('ascii')
    return b''.join((head, date, b'\r\n', b'' if bodiless else body))


def _version_headers(service_type: str, refused: RequestRefused) -> str:
    if not refused.version_headers:
        return ''
    return (f'OpenStack-API-Version: {service_type} {MIN_VERSION}\r\n'
            f'Vary: OpenStack-API-Version\r\n')


def _document(reason: Reason, detail: str, service_type: str,
              request_id: str) -> bytes:
    code = f'{service_type}.{reason.code}'
    item = {'status': reason.status, 'code': code, 'title': reason.title,
            'detail': detail, 'request_id': request_id,
            'links': [{'rel': 'help', 'href': f'/v1/errors/{reason.code}'}]}
    error = {'code': reason.status, 'title': reason.title, 'message': detail}
    return json.dumps({'errors': [item], 'error': error}).encode('ascii')
