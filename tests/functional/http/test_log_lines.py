# SPDX-License-Identifier: Apache-2.0
"""L04: nobody writes our log but us."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from service import loglines
from tests.functional.http import wire


@pytest.mark.parametrize('line', [
    b'GET /\x1b[31mred HTTP/1.1', b'GET /"quoted" forged HTTP/1.1',
    b'GET /\xe2\x80\xa8 HTTP/1.1', b'a\rb\x00c\nd', b'\x7f\x08\x08'], ids=repr)
def test_a_refused_request_is_one_printable_line(
        running: Any, caplog: pytest.LogCaptureFixture, line: bytes) -> None:
    """L04: with the request id that the client was told."""
    caplog.set_level(logging.INFO, 'service.process.protocol')
    answer = wire.refused(running, [line + b'\r\n\r\n'])
    told = [one.getMessage() for one in caplog.records
            if one.name == 'service.process.protocol']
    assert len(told) == 1
    assert told[0].isprintable()
    assert answer.headers['x-openstack-request-id'] in told[0]


@pytest.mark.parametrize('text', [
    'a\nb', 'a\r\nb', '\x1b[2J', 'a"b', 'a\\b', '\u2028', '\u202e', '\x00',
    '\ud800', '\x9b', '\ufeff'], ids=ascii)
def test_unsafe_text_is_escaped_and_can_be_undone(text: str) -> None:
    """L04"""
    escaped = loglines.escape(text)
    assert escaped.isprintable() and '"' not in escaped.replace('\\"', '')
    assert len(escaped.splitlines()) == 1
    undone = escaped.encode('ascii').decode('unicode_escape')
    assert undone == text


def test_safe_text_stays_as_it_is() -> None:
    """L04"""
    for text in ('/v1/hosts?limit=1', 'grün 日本 😀'):
        assert loglines.escape(text) == text


def test_endless_text_ends() -> None:
    """L04"""
    assert len(loglines.escape('a' * 10**6)) < 3000
