# SPDX-License-Identifier: Apache-2.0
"""Check that every error reply has the same shape (L02).

The shape is that of ERR-1 to 6, MV-8 and MV-9 of the API contract.
``daemon.Server``, ``in_process.Application`` and the stories check each reply
of every test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: Codes of errors that come before the head of the request is parsed, when
#: the requested version is unknown.
BEFORE_VERSION = frozenset({
    'headers-too-large', 'http-version-not-supported', 'malformed-request',
    'not-implemented', 'request-timeout', 'uri-too-long'})

VERSION = 'openstack-api-version'


def check(method: str, status: int, fields: Iterable[tuple[str, str]],
          body: bytes | str) -> None:
    """Raise AssertionError if an error reply has another shape."""
    if status < 400 or method == 'HEAD':
        return
    headers: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        headers[key] = f'{headers[key]}, {value}' if key in headers else value
    assert headers['content-type'] == 'application/json', body
    request_id = headers['x-openstack-request-id']
    assert re.fullmatch('req-[0-9a-f-]{36}', request_id)
    document = json.loads(body)
    assert set(document) == {'errors', 'error'}
    assert document['error']['code'] == status
    assert document['error']['title'] and document['error']['message']
    assert document['errors']
    for error in document['errors']:
        assert (error['status'], error['request_id']) == (status, request_id)
        assert re.fullmatch(r'[a-z0-9_-]+\.[a-z0-9._-]+', error['code'])
        assert error['title'] and error['detail']
        assert any(link['rel'] == 'help' and link['href']
                   for link in error['links'])
        _check_version(error['code'], headers)


def _check_version(code: str, headers: Mapping[str, Any]) -> None:
    service_type, _, name = code.partition('.')
    if VERSION not in headers and name in BEFORE_VERSION:
        return
    assert re.fullmatch(rf'{service_type} \d+\.\d+', headers[VERSION])
    assert VERSION in re.split(r',\s*', headers['vary'].lower())
