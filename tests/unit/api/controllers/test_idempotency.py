# SPDX-License-Identifier: Apache-2.0
"""What a key may be, and which requests are the same one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from api.controllers import idempotency
from api.request import errors
from api.request.call import Call
from api.response import replies
from service.domain.caller import Caller
from service.domain.catalogue.microversion import Version
from service.domain.errors import Invalid

CALLER = Caller('p1', 'u1', frozenset({'member'}), False)
CALL = Call(Version(1, 0), CALLER, [], {'host': {'name': 'a', 'size': 1}},
            'application/json', {'REQUEST_METHOD': 'POST',
                                 'SCRIPT_NAME': '/v1', 'PATH_INFO': '/hosts'})
REPLY = replies.document(201, {'host': {'name': 'ä'}}, [
    ('ETag', '"1-a-b"'), ('Location', 'http://x/v1/hosts/1')])


def once(call: Call = CALL, key: str = 'k1') -> idempotency.Once:
    return idempotency.keyed_request(call, key, lambda made: REPLY)


def other(**changed: Any) -> Call:
    return dataclasses.replace(CALL, **changed)


@pytest.mark.parametrize('key', ['k', '"8e03978e-40d5"', '!~', 'a' * 255])
def test_a_key_is_visible_ascii(key):
    assert idempotency.key({'HTTP_IDEMPOTENCY_KEY': key}) == key


def test_without_the_header_there_is_no_key():
    assert idempotency.key({}) is None


@pytest.mark.parametrize('sent', ['', ' ', 'a b', 'a\t', 'a\n', 'é', '\x7f',
                                  'a' * 256, 'a, b'])
def test_anything_else_is_refused_and_the_header_named(sent):
    with pytest.raises(Invalid) as told:
        idempotency.key({'HTTP_IDEMPOTENCY_KEY': sent})
    [violation] = told.value.violations
    assert violation.parameter == 'Idempotency-Key'
    assert '1 to 255 visible ASCII characters' in violation.detail


def test_a_request_sent_again_is_the_same_request():
    assert once().scope == once(other(body={})).scope


@pytest.mark.parametrize('call', [
    other(version=Version(1, 1)),
    other(caller=Caller('p2', 'u1', CALLER.roles, False)),
    other(caller=Caller('p1', 'u2', CALLER.roles, False)),
    other(caller=Caller('p1', None, CALLER.roles, False)),
    other(environ={**CALL.environ, 'REQUEST_METHOD': 'PUT'}),
    other(environ={**CALL.environ, 'PATH_INFO': '/racks'}),
    other(environ={**CALL.environ, 'SCRIPT_NAME': '/v2'})],
    ids=['version', 'project', 'user', 'nobody', 'method', 'path', 'mount'])
def test_a_key_means_nothing_to_another(call):
    assert once(call).scope != once().scope


def test_nor_does_another_key():
    assert once(key='k2').scope != once().scope


def test_the_kept_reply_is_the_one_that_went_out():
    answer = idempotency.replay(CALL, 'k1', once().render([]))
    assert answer.status_int == 201
    assert answer.headerlist == REPLY.headerlist
    assert answer.body == REPLY.body


def test_a_body_that_says_the_same_gets_it_however_it_is_written():
    again = other(body={'host': {'size': 1, 'name': 'a'}})
    assert idempotency.replay(again, 'k1', once().render([])).status_int == 201


@pytest.mark.parametrize('body', [
    {'host': {'name': 'b', 'size': 1}}, {'host': {'name': 'a', 'size': True}},
    {'host': {'name': 'a'}}, [{'host': {'name': 'a', 'size': 1}}]])
def test_another_body_is_told_to_choose_another_key(body):
    with pytest.raises(errors.UnprocessableKey, match='Idempotency-Key k1'):
        idempotency.replay(other(body=body), 'k1', once().render([]))
