# SPDX-License-Identifier: Apache-2.0
"""The codes and texts of errors that are raised before a record is read."""

import re

import pytest

from api.request import errors
from service.domain.errors import PileusError, Violation

TEXTS = [
    (errors.MalformedBody([Violation('The body is empty.', '')]),
     'malformed-body', 'The body is empty.'),
    (errors.MalformedVersion(wanted='01.1'), 'malformed-version',
     '01.1 is not a microversion; write two numbers with a dot, such as 1.0, '
     'or latest.'),
    (errors.VersionUnsupported(wanted='9.3', minimum='1.0', maximum='1.7'),
     'microversion-unsupported',
     'Version 9.3 is not supported. The range is 1.0 to 1.7.'),
    (errors.Unauthenticated(), 'unauthenticated',
     'The request needs valid credentials.'),
    (errors.NoSuchPath(path='/v1/hostz'), 'no-such-path',
     'The path /v1/hostz does not exist.'),
    (errors.MethodNotAllowed('PUT', ['GET', 'HEAD']), 'method-not-allowed',
     'This path does not take PUT; it takes GET, HEAD.'),
    (errors.NotAcceptable(accept='text/html'), 'not-acceptable',
     'Replies are application/json, which Accept: text/html excludes.'),
    (errors.BodyUnread(), 'body-unread',
     'The request body ended early, came too slowly or was malformed.'),
    (errors.BodyTooLarge(limit=1024), 'body-too-large',
     'The request body is larger than 1024 bytes.'),
    (errors.UnsupportedMediaType(reason='Send JSON.'),
     'unsupported-media-type', 'Send JSON.'),
    (errors.UnprocessableKey(key='k1'), 'idempotency-key-reused',
     'The Idempotency-Key k1 was sent before with another body; choose a new '
     'key for a new request.'),
    (errors.PreconditionRequired(method='PUT'), 'precondition-required',
     'PUT needs If-Match with the ETag of what it changes, or If-Match: *.'),
]


@pytest.mark.parametrize(('error', 'code', 'text'), TEXTS,
                         ids=[code for _, code, _ in TEXTS])
def test_each_error_keeps_its_code_and_its_text(error, code, text):
    assert (error.code, str(error)) == (code, text)
    assert error.title != PileusError.title


def test_no_two_errors_of_the_module_share_a_code_or_a_title():
    classes = [member for member in vars(errors).values()
               if isinstance(member, type)
               and member.__module__ == 'api.request.errors']
    assert len(classes) >= len(TEXTS)
    assert len({error.code for error in classes}) == len(classes)
    assert len({error.title for error in classes}) == len(classes)
    assert all(re.fullmatch('[a-z]+(-[a-z]+)*', error.code)
               for error in classes)


def test_method_not_allowed_has_the_value_of_the_allow_header():
    error = errors.MethodNotAllowed('PUT', ('GET', 'HEAD'))
    assert error.facts['allow'] == 'GET, HEAD'


def test_an_error_with_a_missing_fact_cannot_be_created():
    with pytest.raises(KeyError, match='maximum'):
        errors.VersionUnsupported(wanted='9.9', minimum='1.0')
