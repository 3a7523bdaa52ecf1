# SPDX-License-Identifier: Apache-2.0
"""Valid request heads and their values.

``tests/functional/http/protocol/test_framing.py`` has the refused forms.
"""

from __future__ import annotations

import pytest

from service.process.http.head import Head
from service.process.http.head_parser import HeadParser, has_stray_control
from service.process.refusals import RequestRefused
from tests.unit.process.scripted import limits

LIMITS = limits()


def parsed(line: bytes, *fields: bytes, host: bytes = b'Host: h') -> Head:
    lines = [line, *([host] if host else []), *fields, b'', b'']
    return HeadParser(LIMITS).parse(b'\r\n'.join(lines))


GET = b'GET / HTTP/1.1'


@pytest.mark.parametrize('target, path, query', [
    (b'/', '/', ''), (b'/a?b', '/a', 'b'), (b'/a?b?c=/d', '/a', 'b?c=/d'),
    (b'//a', '//a', ''), (b'/a%2Fb', '/a%2Fb', ''), (b'/?', '/', ''),
    (b'http://h/a', '/a', ''), (b'http://h', '/', ''),
    (b'http://h?q', '/', 'q'), (b'HTTPS://H/', '/', ''),
    (b'/a:b@c', '/a:b@c', ''), (b'/%FF?%zz', '/%FF', '%zz')])
def test_targets_with_a_path_are_accepted(
        target: bytes, path: str, query: str) -> None:
    """H13"""
    head = parsed(b'GET ' + target + b' HTTP/1.1')
    assert (head.path, head.query) == (path, query)
    assert head.target == target.decode()


@pytest.mark.parametrize('host', [
    b'h', b'h:80', b'h:65535', b'[::1]', b'[::1]:8088', b'127.0.0.1:1',
    b'under_score.example', b'8088'])
def test_valid_hosts_are_accepted(host: bytes) -> None:
    """H16"""
    head = parsed(GET, host=b'Host: ' + host)
    assert head.fields['HTTP_HOST'] == host.decode()


@pytest.mark.parametrize('host', [b'h:65536', b'[::1]:99999', b'[]', b':80'])
def test_invalid_hosts_are_refused(host: bytes) -> None:
    """H16"""
    with pytest.raises(RequestRefused):
        parsed(GET, host=b'Host: ' + host)


@pytest.mark.parametrize('line, fields, keep_alive', [
    (GET, [], True), (GET, [b'Connection: close'], False),
    (GET, [b'Connection: foo , CLOSE'], False),
    (GET, [b'Connection: closed'], True),
    (GET, [b'Connection: keep-alive'], True),
    (GET, [b'Connection: keep-alive', b'Connection: close'], False),
    (GET, [b'Upgrade: h2c'], False),
    (b'GET / HTTP/1.0', [], False),
    (b'GET / HTTP/1.0', [b'Connection: Keep-Alive'], True),
    (b'GET / HTTP/1.0', [b'Connection: keep-alive, close'], False)])
def test_the_head_determines_whether_the_connection_is_kept(
        line: bytes, fields: list[bytes], keep_alive: bool) -> None:
    assert parsed(line, *fields).keep_alive is keep_alive


@pytest.mark.parametrize('fields, length', [
    ([], 0), ([b'Content-Length: 0'], 0), ([b'Content-Length:  12 '], 12),
    ([b'Content-Length: 0012'], 12), ([b'Transfer-Encoding: CHUNKED'], None)])
def test_the_head_determines_the_length_of_the_body(
        fields: list[bytes], length: int | None) -> None:
    """H03 H04"""
    assert parsed(b'POST / HTTP/1.1', *fields).length == length


@pytest.mark.parametrize('line, length, expects_continue', [
    (b'POST / HTTP/1.1', b'5', True), (b'POST / HTTP/1.1', b'0', False),
    (b'POST / HTTP/1.0', b'5', False)])
def test_the_head_determines_whether_the_client_expects_100(
        line: bytes, length: bytes, expects_continue: bool) -> None:
    """H19: not with HTTP/1.0 and not without a body (RFC 9110 10.1.1)."""
    head = parsed(line, b'Expect: 100-Continue', b'Content-Length: ' + length)
    assert head.expects_continue is expects_continue


def test_only_outer_whitespace_is_removed_from_values() -> None:
    """llhttp keeps trailing whitespace, so ``chunked `` would be unknown."""
    head = parsed(GET, b'A: \t b  c \t ')
    assert head.fields['HTTP_A'] == 'b  c'


def test_bytes_above_ascii_are_decoded_as_latin_1() -> None:
    """PEP 3333"""
    assert parsed(GET, b'A: \xe9').fields['HTTP_A'] == '\xe9'


def test_a_parser_parses_several_heads() -> None:
    """After a body, a close, an upgrade or a refusal too."""
    parser = HeadParser(LIMITS)
    plain = b'GET /%d HTTP/1.1\r\nHost: h\r\nN: %d\r\n\r\n'
    others = [
        b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n',
        b'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: h\r\nUpgrade: a\r\nConnection: Upgrade'
        b'\r\n\r\n', b'GET / HTTP/1.0\r\n\r\n']
    for number, other in enumerate([*others, *reversed(others)]):
        parser.parse(other)
        for _ in range(2):
            head = parser.parse(plain % (number, number))
            assert head.path == f'/{number}'
            assert head.fields == {'HTTP_HOST': 'h', 'HTTP_N': str(number)}
    with pytest.raises(RequestRefused):
        parser.parse(b'GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n')
    assert parser.parse(plain % (1, 1)).path == '/1'


@pytest.mark.parametrize('data, expected', [
    (b'GET / HTTP/1.1\r\nA: b\r', False), (b'GET / HTTP/1.1\r\n', False),
    (b'a\tb\xff', False), (b'a\nb', True), (b'a\rb', True), (b'\0', True),
    (b'a\r\r\n', True), (b'\x1b', True), (b'\x7f', True)])
def test_an_unfinished_head_with_a_control_character_is_detected(
        data: bytes, expected: bool) -> None:
    """H07: the server does not wait for the deadline."""
    assert has_stray_control(data) is expected
    assert has_stray_control(b'x\r\n' + data, 2) is expected
