# SPDX-License-Identifier: Apache-2.0
"""The server's error documents have the shape of those of the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.request import errors as api_errors
from api.response import error_help, faults, replies
from service.domain import errors as domain
from service.process import refusals
from service.process.refusals import REASONS, RequestRefused
from tests.functional.http.wire import Answer, one_answer

DATE = b'Date: Sun, 22 Nov 2026 08:00:00 GMT\r\n'


def rendered(
        reason: str, version_headers: bool = False,
        bodiless: bool = False) -> Answer:
    refused = RequestRefused(reason, 'It is "so".', version_headers)
    data = refusals.render(refused, 'infra', 'req-1', DATE, bodiless)
    answer, rest = one_answer(data, 'HEAD' if bodiless else 'GET')
    assert rest == b''
    return answer


@pytest.mark.parametrize('reason', REASONS)
def test_each_refusal_has_the_members_of_an_api_error(reason: str) -> None:
    """D4: compared with an error document of the API."""
    environ = {'openstack.request_id': 'req-1', 'wsgi.url_scheme': 'http',
               'HTTP_HOST': 'h', 'SCRIPT_NAME': ''}
    theirs = json.loads(faults.response(
        environ, 'infra', domain.Unavailable()).body)
    ours = rendered(reason).document
    assert ours.keys() == theirs.keys()
    assert ours['errors'][0].keys() == theirs['errors'][0].keys()
    assert ours['error'].keys() == theirs['error'].keys()
    link, their_link = (document['errors'][0]['links'][0]
                        for document in (ours, theirs))
    assert link['rel'] == their_link['rel']
    assert their_link['href'].endswith('/v1/errors/unavailable')
    assert link['href'] == f'/v1/errors/{REASONS[reason].code}'


@pytest.mark.parametrize('reason', REASONS)
def test_each_refusal_has_a_complete_document_and_head(reason: str) -> None:
    """ERR-1 to ERR-6, CACHE-2."""
    answer = rendered(reason)
    item = answer.document['errors'][0]
    assert item['status'] == answer.status == REASONS[reason].status
    assert item['code'] == f'infra.{REASONS[reason].code}'
    assert item['detail'] == 'It is "so".'
    assert item['request_id'] == answer.headers[
        'x-openstack-request-id'] == 'req-1'
    assert answer.headers['connection'] == 'close'
    assert answer.headers['cache-control'] == replies.CACHE[1]
    assert answer.headers['content-type'] == replies.JSON[1]
    assert answer.headers['date']


@pytest.mark.parametrize('reason', REASONS)
def test_the_help_link_of_each_refusal_explains_it(reason: str) -> None:
    """ERR-5: with the same status and title."""
    entry: Any = error_help.CODES[REASONS[reason].code]
    assert (entry.status, entry.title) == (
        REASONS[reason].status, REASONS[reason].title)


@pytest.mark.parametrize('reason, error', [
    ('method', api_errors.MethodNotAllowed), ('body', api_errors.BodyTooLarge),
    ('broken', faults.Internal), ('overload', domain.Unavailable)])
def test_a_refusal_has_the_code_of_the_same_error_of_the_api(
        reason: str, error: Any) -> None:
    """ERR-8"""
    ours = REASONS[reason]
    assert (ours.code, ours.title) == (error.code, error.title)
    assert ours.status == faults.status(error)


def test_version_headers_are_sent_once_the_head_is_known() -> None:
    """D4, MV-8, MV-9"""
    known = rendered('body', version_headers=True).headers
    assert known['openstack-api-version'] == 'infra 1.0'
    assert known['vary'] == 'OpenStack-API-Version'
    unknown = rendered('malformed').headers
    assert 'openstack-api-version' not in unknown and 'vary' not in unknown


def test_overload_has_a_retry_after() -> None:
    """R11"""
    assert rendered('overload').headers['retry-after'] == '1'


def test_405_allows_no_method() -> None:
    """H14: RFC 9110 10.2.1 requires Allow; the server refuses CONNECT only."""
    assert rendered('method').headers['allow'] == ''


def test_a_head_request_is_answered_without_a_body() -> None:
    answer = rendered('malformed', bodiless=True)
    assert int(answer.headers['content-length']) > 100


def test_request_ids_have_our_format_and_are_unique() -> None:
    ids = {refusals.request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(id.startswith('req-') and len(id) == 40 for id in ids)
