# SPDX-License-Identifier: Apache-2.0
"""Which idempotency keys are valid, and which requests count as repetitions.
"""

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


def request(call: Call = CALL, key: str = 'k1'
            ) -> idempotency.IdempotentRequest:
    return idempotency.keyed_request(call, key, lambda records: REPLY)


def other(**changed: Any) -> Call:
    return dataclasses.replace(CALL, **changed)


@pytest.mark.parametrize('key', ['k', '"8e03978e-40d5"', '!~', 'a' * 255])
def test_a_key_of_visible_ascii_is_valid(key):
    assert idempotency.key({'HTTP_IDEMPOTENCY_KEY': key}) == key


def test_without_the_header_there_is_no_key():
    assert idempotency.key({}) is None


@pytest.mark.parametrize('text', ['', ' ', 'a b', 'a\t', 'a\n', 'é', '\x7f',
                                  'a' * 256, 'a, b'])
def test_any_other_key_is_rejected_with_the_name_of_the_header(text):
    with pytest.raises(Invalid) as caught:
        idempotency.key({'HTTP_IDEMPOTENCY_KEY': text})
    [violation] = caught.value.violations
    assert violation.parameter == 'Idempotency-Key'
    assert '1 to 255 visible ASCII characters' in violation.detail


def test_a_repeated_request_has_the_same_scope_even_with_another_body():
    assert request().scope == request(other(body={})).scope


@pytest.mark.parametrize('call', [
    other(version=Version(1, 1)),
    other(caller=Caller('p2', 'u1', CALLER.roles, False)),
    other(caller=Caller('p1', 'u2', CALLER.roles, False)),
    other(caller=Caller('p1', None, CALLER.roles, False)),
    other(environ={**CALL.environ, 'REQUEST_METHOD': 'PUT'}),
    other(environ={**CALL.environ, 'PATH_INFO': '/racks'}),
    other(environ={**CALL.environ, 'SCRIPT_NAME': '/v2'})],
    ids=['version', 'project', 'user', 'nobody', 'method', 'path', 'mount'])
def test_the_scope_of_a_key_differs_between_callers_paths_and_versions(call):
    assert request(call).scope != request().scope


def test_the_scope_differs_between_keys():
    assert request(key='k2').scope != request().scope


def test_a_replayed_reply_equals_the_first_reply():
    replayed = idempotency.replay(CALL, 'k1', request().render([]))
    assert replayed.status_int == 201
    assert replayed.headerlist == REPLY.headerlist
    assert replayed.body == REPLY.body


def test_the_order_of_the_members_of_a_body_does_not_matter():
    reordered = other(body={'host': {'size': 1, 'name': 'a'}})
    replayed = idempotency.replay(reordered, 'k1', request().render([]))
    assert replayed.status_int == 201


@pytest.mark.parametrize('body', [
    {'host': {'name': 'b', 'size': 1}}, {'host': {'name': 'a', 'size': True}},
    {'host': {'name': 'a'}}, [{'host': {'name': 'a', 'size': 1}}]])
def test_the_same_key_with_another_body_is_rejected(body):
    with pytest.raises(errors.UnprocessableKey, match='Idempotency-Key k1'):
        idempotency.replay(other(body=body), 'k1', request().render([]))
