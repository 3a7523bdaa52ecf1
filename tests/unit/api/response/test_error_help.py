# SPDX-License-Identifier: Apache-2.0
"""Every error code has an explanation."""

import pytest

from api.response import error_help
from service.process import refusals


def test_the_api_explains_exactly_its_own_codes():
    codes = error_help.CODES.keys() - error_help.SERVER.keys()
    assert codes == error_help.TEXT.keys()


def test_the_explanations_have_the_statuses_and_titles_of_the_server():
    server = {reason.code: (reason.status, reason.title)
              for reason in refusals.REASONS.values()}
    assert {code: (explanation.status, explanation.title)
            for code, explanation in error_help.SERVER.items()}.items() <= (
                server.items())
    assert server.keys() <= error_help.CODES.keys()
    assert {code: status for code, (status, _) in server.items()} == {
        code: error_help.CODES[code].status for code in server}


@pytest.mark.parametrize('code', error_help.CODES)
def test_an_explanation_has_at_least_two_sentences(code):
    text = error_help.CODES[code].text
    assert text[0].isupper() and text.endswith('.')
    assert text.count('. ') >= 1
    assert not {'{', '}'} & set(text)
