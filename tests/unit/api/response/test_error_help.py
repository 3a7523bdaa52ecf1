# SPDX-License-Identifier: Apache-2.0
"""Every error's help link leads to an explanation of it."""

import pytest

from api.response import error_help
from service.process import refusals


def test_every_code_is_explained_and_nothing_else():
    codes = error_help.CODES.keys() - error_help.SERVER.keys()
    assert codes == error_help.TEXT.keys()


def test_what_the_server_answers_by_itself_is_explained_as_it_answers():
    found = {one.code: (one.status, one.title)
             for one in refusals.REASONS.values()}
    assert {code: (one.status, one.title)
            for code, one in error_help.SERVER.items()}.items() <= (
                found.items())
    assert found.keys() <= error_help.CODES.keys()
    assert {code: status for code, (status, _) in found.items()} == {
        code: error_help.CODES[code].status for code in found}


@pytest.mark.parametrize('code', error_help.CODES)
def test_an_explanation_is_sentences_of_what_happened_and_what_to_do(code):
    text = error_help.CODES[code].text
    assert text[0].isupper() and text.endswith('.')
    assert text.count('. ') >= 1
    assert not {'{', '}'} & set(text)
