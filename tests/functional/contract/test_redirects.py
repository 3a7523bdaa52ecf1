# SPDX-License-Identifier: Apache-2.0
"""No redirect leads to a host that the request chose."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest

BASE_URL = 'http://127.0.0.1:8088'

#: Paths that a browser or a URL join could read as another host.
PATHS = [
    '//evil.example.org', '//evil.example.org/', '//evil.example.org/v1/',
    '///evil.example.org', '/\\evil.example.org', '/\\/evil.example.org',
    '/%5cevil.example.org', '/%09/evil.example.org', '/%20/evil.example.org',
    '/%0d%0aLocation:%20http://evil.example.org', '/.//evil.example.org',
    '/v1//evil.example.org', '/v1/\\evil.example.org',
    '/v1//evil.example.org/',
    '/v1/racks//evil.example.org', '/v1/racks/..//evil.example.org',
    '/http://evil.example.org', '/v1/http://evil.example.org/',
    '/@evil.example.org', '/v1@evil.example.org', '/v1/test//evil.example.org',
]


@pytest.mark.parametrize('path', PATHS)
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'])
def test_no_path_redirects_to_another_host(application, method, path):
    """A11: with and without the slash that a router could add or remove."""
    reply = application.request(method, path)
    location = reply.headers.get('Location')
    assert not 301 <= reply.status <= 308
    assert location is None or urlsplit(
        urljoin(BASE_URL + path, location)).netloc == '127.0.0.1:8088'
