# SPDX-License-Identifier: Apache-2.0
"""Nobody is sent anywhere that the request, and not we, chose."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest

HERE = 'http://127.0.0.1:8088'

#: Paths that a browser, or a careless join, takes for another host.
ELSEWHERE = [
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


@pytest.mark.parametrize('path', ELSEWHERE)
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'])
def test_no_path_leads_to_another_host(application, method, path):
    """A11: with and without the slash a router might add or take away."""
    reply = application.request(method, path)
    location = reply.headers.get('Location')
    assert not 301 <= reply.status <= 308
    assert location is None or urlsplit(
        urljoin(HERE + path, location)).netloc == '127.0.0.1:8088'
