# SPDX-License-Identifier: Apache-2.0
"""Failpoints act at the configured places, as configured."""

import pytest

from service import failpoints
from service.errors import StartError


def test_an_empty_text_disables_failpoints():
    assert failpoints.parse('') is failpoints.disabled


def test_a_failpoint_acts_only_at_its_name():
    reach = failpoints.parse('before_commit=raise it broke')
    reach('after_commit_before_reply')
    with pytest.raises(RuntimeError, match='it broke'):
        reach('before_commit')


def test_commas_separate_failpoints(caplog):
    reach = failpoints.parse(
        'before_commit=sleep 0-0.001, after_commit_before_reply=raise')
    reach('before_commit')
    assert 'failpoint before_commit: sleep 0-0.001' in caplog.text
    with pytest.raises(RuntimeError):
        reach('after_commit_before_reply')


@pytest.mark.parametrize('text', ['nowhere=raise', 'before_commit=explode'])
def test_an_unknown_failpoint_or_action_is_refused_with_the_valid_ones(text):
    with pytest.raises(StartError, match='before_commit.*raise, sleep, kill'):
        failpoints.parse(text)


def test_a_file_is_read_each_time(tmp_path):
    file = tmp_path / 'words'
    reach = failpoints.parse(f'@{file}')
    reach('before_commit')
    file.write_text('before_commit=raise')
    with pytest.raises(RuntimeError):
        reach('before_commit')
