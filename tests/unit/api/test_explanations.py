# SPDX-License-Identifier: Apache-2.0
"""Every error's help link leads to an explanation of it."""

import pytest

from api import explanations
from service.process import refusals


def test_every_code_is_explained_and_nothing_else():
    codes = explanations.CODES.keys() - explanations.SERVER.keys()
    assert codes == explanations.TEXT.keys()


def test_what_the_server_answers_by_itself_is_explained_as_it_answers():
    found = {one.code: (one.status, one.title)
             for one in refusals.REASONS.values()}
    assert {code: (one.status, one.title)
            for code, one in explanations.SERVER.items()}.items() <= (
                found.items())
    assert found.keys() <= explanations.CODES.keys()
    assert {code: status for code, (status, _) in found.items()} == {
        code: explanations.CODES[code].status for code in found}


@pytest.mark.parametrize('code', explanations.CODES)
def test_an_explanation_is_sentences_of_what_happened_and_what_to_do(code):
    text = explanations.CODES[code].text
    assert text[0].isupper() and text.endswith('.')
    assert text.count('. ') >= 1
    assert not {'{', '}'} & set(text)
