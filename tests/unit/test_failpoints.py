# SPDX-License-Identifier: Apache-2.0
"""Failpoints fail where and how they are told, and only then."""

import pytest

from service import failpoints
from service.errors import StartError


def test_without_the_variable_there_is_none():
    assert failpoints.parse('') is failpoints.disabled


def test_one_that_is_set_fails_at_its_place_alone():
    reach = failpoints.parse('before_commit=raise it broke')
    reach('after_commit_before_reply')
    with pytest.raises(RuntimeError, match='it broke'):
        reach('before_commit')


def test_several_are_parted_by_commas(caplog):
    reach = failpoints.parse(
        'before_commit=sleep 0-0.001, after_commit_before_reply=raise')
    reach('before_commit')
    assert 'failpoint before_commit: sleep 0-0.001' in caplog.text
    with pytest.raises(RuntimeError):
        reach('after_commit_before_reply')


@pytest.mark.parametrize('text', ['nowhere=raise', 'before_commit=explode'])
def test_a_misspelt_one_is_told_with_what_there_is(text):
    with pytest.raises(StartError, match='before_commit.*raise, sleep, kill'):
        failpoints.parse(text)


def test_a_file_is_read_each_time(tmp_path):
    file = tmp_path / 'words'
    reach = failpoints.parse(f'@{file}')
    reach('before_commit')
    file.write_text('before_commit=raise')
    with pytest.raises(RuntimeError):
        reach('before_commit')
