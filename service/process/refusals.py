# SPDX-License-Identifier: Apache-2.0
"""The server's own error documents: what is answered before the application.

Each has the shape of every other error of the API
(``api.response.faults``), though nothing of the API is imported: a request
that is not understood reaches
nobody else.
"""

from __future__ import annotations

import json
import uuid
from typing import NamedTuple

#: The versions document's lowest: what a request without a version means.
MIN_VERSION = '1.0'


class Reason(NamedTuple):
    """One kind of refusal: ``code`` is a promise to clients."""

    status: int
    phrase: str
    code: str
    title: str
    headers: str = ''


REASONS = {
    'malformed': Reason(400, 'Bad Request', 'malformed-request',
                        'Malformed request'),
    # Of what the server alone refuses, nothing takes any method.
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
    """The server answers this request itself; ``detail`` is for the client.

    ``head_read`` says that this may well be a request of HTTP/1, so that the
    client is owed the version headers.
    """

    def __init__(self, reason: str, detail: str,
                 head_read: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.head_read = head_read

    @property
    def status(self) -> int:
        return REASONS[self.reason].status


def request_id() -> str:
    return f'req-{uuid.uuid4()}'


def render(refused: RequestRefused, service_type: str, request_id: str,
           date: bytes, bodiless: bool = False) -> bytes:
    """The whole response, ready for the wire; the connection closes after."""
    reason = REASONS[refused.reason]
    body = _document(reason, refused.detail, service_type, request_id)
    head = (f'HTTP/1.1 {reason.status} {reason.phrase}\r\n'
            f'Content-Type: application/json\r\n'
            f'Content-Length: {len(body)}\r\n'
            f'Cache-Control: private, no-cache\r\n'
            f'X-Openstack-Request-Id: {request_id}\r\n'
            f'{reason.headers}'
            f'{_version_headers(service_type) if refused.head_read else ""}'
            f'Connection: close\r\n').encode('ascii')
    return b''.join((head, date, b'\r\n', b'' if bodiless else body))


def _version_headers(service_type: str) -> str:
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
