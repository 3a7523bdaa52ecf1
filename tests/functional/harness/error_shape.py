# SPDX-License-Identifier: Apache-2.0
"""The one shape of all errors, whoever made them and whichever test asks.

Reliability L02, and ERR-1 to 6, MV-8 and MV-9 of the contract.
``harness.Server``, ``inprocess.Application`` and the stories hold each reply
to it: whatever a test is about, it is about this as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: What is said of a request whose head was not understood: nobody knows of
#: which version it was.
UNREAD = frozenset({
    'headers-too-large', 'http-version-not-supported', 'malformed-request',
    'not-implemented', 'request-timeout', 'uri-too-long'})

VERSION = 'openstack-api-version'


def check(method: str, status: int, told: Iterable[tuple[str, str]],
          body: bytes | str) -> None:
    """Raise AssertionError where an error has another shape."""
    if status < 400 or method == 'HEAD':
        return
    headers: dict[str, str] = {}
    for name, value in told:
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
    for one in document['errors']:
        assert (one['status'], one['request_id']) == (status, request_id)
        assert re.fullmatch(r'[a-z0-9_-]+\.[a-z0-9._-]+', one['code'])
        assert one['title'] and one['detail']
        assert any(link['rel'] == 'help' and link['href']
                   for link in one['links'])
        _check_version(one['code'], headers)


def _check_version(code: str, headers: Mapping[str, Any]) -> None:
    service_type, _, name = code.partition('.')
    if VERSION not in headers and name in UNREAD:
        return
    assert re.fullmatch(rf'{service_type} \d+\.\d+', headers[VERSION])
    assert VERSION in re.split(r',\s*', headers['vary'].lower())
