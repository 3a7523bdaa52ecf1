# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from service.process import line


def test_messages_stay_apart_and_the_launcher_never_waits() -> None:
    ours, theirs = line.pair()
    with ours, theirs:
        for message in (line.LOADED, line.SERVING):
            theirs.send(message)
        assert ours.recv(line.MAX_MESSAGE) == line.LOADED
        assert ours.recv(line.MAX_MESSAGE) == line.SERVING
        with pytest.raises(BlockingIOError):
            ours.recv(line.MAX_MESSAGE)


def test_the_line_ends_with_either_side() -> None:
    ours, theirs = line.pair()
    ours.close()
    with theirs:
        assert theirs.recv(line.MAX_MESSAGE) == b''


def test_a_reason_arrives_as_it_was_said() -> None:
    assert line.reason(line.failed('zwölf\nFehler')) == 'zwölf\nFehler'


def test_a_long_reason_is_cut_to_one_message() -> None:
    message = line.failed('ä' * line.MAX_MESSAGE)
    assert len(message) == line.MAX_MESSAGE
    assert set(line.reason(message)) == {'ä'}
