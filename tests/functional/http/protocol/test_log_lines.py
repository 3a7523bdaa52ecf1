# SPDX-License-Identifier: Apache-2.0
"""L03 L04: clients cannot forge log lines, and secrets are not logged."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from service.logs import escape
from tests.functional.http import wire


@pytest.mark.parametrize('line', [
    b'GET /\x1b[31mred HTTP/1.1', b'GET /"quoted" forged HTTP/1.1',
    b'GET /\xe2\x80\xa8 HTTP/1.1', b'a\rb\x00c\nd', b'\x7f\x08\x08'], ids=repr)
def test_a_refused_request_is_one_printable_line(
        running: Any, caplog: pytest.LogCaptureFixture, line: bytes) -> None:
    """L04: with the request id that the client gets."""
    caplog.set_level(logging.INFO, 'service.process.http.connection')
    answer = wire.refused(running, [line + b'\r\n\r\n'])
    messages = [record.getMessage() for record in caplog.records
            if record.name == 'service.process.http.connection']
    assert len(messages) == 1
    assert messages[0].isprintable()
    assert answer.headers['x-openstack-request-id'] in messages[0]


@pytest.mark.parametrize('text', [
    'a\nb', 'a\r\nb', '\x1b[2J', 'a"b', 'a\\b', '\u2028', '\u202e', '\x00',
    '\ud800', '\x9b', '\ufeff'], ids=ascii)
def test_unsafe_text_is_escaped_reversibly(text: str) -> None:
    """L04"""
    escaped = escape.escape(text)
    assert escaped.isprintable() and '"' not in escaped.replace('\\"', '')
    assert len(escaped.splitlines()) == 1
    undone = escaped.encode('ascii').decode('unicode_escape')
    assert undone == text


def test_safe_text_is_not_changed() -> None:
    """L04"""
    for text in ('/v1/hosts?limit=1', 'grün 日本 😀'):
        assert escape.escape(text) == text


def test_long_text_is_cut() -> None:
    """L04"""
    assert len(escape.escape('a' * 10**6)) < 3000


SECRET = b'plantedsecret'


@pytest.mark.parametrize('head', [
    b'GET /v1/ho%%zz?token=%s HTTP/1.1\r\nHost: a',
    b'GET /v1/hosts?a=1&adminPass=%s HTTP/1.1\r\nHost: a b',
    b'GET /v1/hosts?token=%s HTTP/1.1\r\nHost: a\r\nHost: b',
    b'GET /v1/hosts?token=%s HTTP/1.1',
    b'GET /v1/hosts?token=%s#part HTTP/1.1\r\nHost: a',
    b'GET /v1/hosts#token=%s HTTP/1.1\r\nHost: a',
    b'GET /v1/hosts?token=x %s HTTP/1.1\r\nHost: a',
    b'GET /v1/hosts?token=%s HTTP/9.9\r\nHost: a',
    b'GET /v1/hosts?token=%s',
    b'FOO /v1/hosts?token=%s HTTP/1.1\r\nHost: a',
    b'CONNECT u:%s@x:80 HTTP/1.1\r\nHost: a',
    b'GET http://u:%s@x/v1 HTTP/1.1\r\nHost: x',
    b'GET  http://u:%s@x/v1?a=b HTTP/1.1\r\nHost: x',
    b'GET /v1 HTTP/1.1\rAuthorization: Bearer %s\r\nHost: a',
    b'GET /v1 HTTP/1.1\nAuthorization: Bearer %s\r\nHost: a',
    b'GET /v1/hosts?token=%s&x=' + b'x' * 9000 + b' HTTP/1.1\r\nHost: a',
], ids=lambda head: repr(head[:50]))
def test_a_refused_request_is_logged_without_its_secrets(
        running: Any, caplog: pytest.LogCaptureFixture, head: bytes) -> None:
    """L03: the server masks them, since no application logs the request."""
    caplog.set_level(logging.DEBUG)
    wire.refused(running, [head % SECRET + b'\r\n\r\n'],
                 allowed=(400, 405, 414, 501, 505))
    assert ' refused "' in caplog.text
    assert SECRET.decode() not in caplog.text


@pytest.mark.parametrize('name', [
    'adminPass', 'admin_pass', 'adminpass', 'pass', 'PASS', 'user-pass',
    'passwd', 'passphrase', 'passcode', 'pwd', 'credential', 'credentials',
    'jwt', 'session', 'session_id', 'PHPSESSID', 'sig', 'X-Sig', 'apisig',
    'X-Amz-Signature', 'api_key', 'auth', 'Token', 'bearer', 'cookie',
    '%70ass', 'x+token'])
def test_parameters_with_names_of_secrets_are_masked(name: str) -> None:
    """L03"""
    assert escape.mask_secrets(f'GET /a?b=1&{name}=2=3&c=4') == (
        f'GET /a?b=1&{name}=***&c=4')


@pytest.mark.parametrize('text', [
    '/a?sort=name', '/a?marker=1', '/a?passive=1', '/a?design=1', '/a?pass',
    '/a?sort_key=a', '/a?compass=n', '/a?bypass=1', '/a?passed=2',
    '/a?signal=9', '/a?sign=1', '/a?assigned=x', '/a?assessment=1',
    '/a?name=token', '/a?passenger=1', '/a?message=1', '/a/token=1',
    '/a@b', '/v1//a@b', '/a?x=b@c', 'GET /a@b HTTP/1.1'])
def test_other_parameters_are_not_masked(text: str) -> None:
    """L03: masking more would make the log useless."""
    assert escape.mask_secrets(text) == text


@pytest.mark.parametrize('text', [
    'a ' * 30000, ' ' * 60000, '/' * 60000, 'token=' * 10000, '&' * 60000,
    '?' + 'pass' * 15000, 'a:' * 30000, 'GET ' + ' ' * 60000])
def test_a_long_line_is_masked_quickly(text: str) -> None:
    """L03: a client cannot occupy the worker with long lines."""
    begun = time.perf_counter()
    escape.mask_secrets(text)
    assert time.perf_counter() - begun < 0.5
