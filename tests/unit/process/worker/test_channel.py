# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from service.process.worker import channel


def test_messages_stay_apart_and_the_launcher_never_waits() -> None:
    ours, theirs = channel.pair()
    with ours, theirs:
        for message in (channel.LOADED, channel.SERVING):
            theirs.send(message)
        assert ours.recv(channel.MAX_MESSAGE) == channel.LOADED
        assert ours.recv(channel.MAX_MESSAGE) == channel.SERVING
        with pytest.raises(BlockingIOError):
            ours.recv(channel.MAX_MESSAGE)


def test_the_line_ends_with_either_side() -> None:
    ours, theirs = channel.pair()
    ours.close()
    with theirs:
        assert theirs.recv(channel.MAX_MESSAGE) == b''


def test_a_reason_arrives_as_it_was_said() -> None:
    assert channel.reason(channel.failed('zwölf\nFehler')) == 'zwölf\nFehler'


def test_a_long_reason_is_cut_to_one_message() -> None:
    message = channel.failed('ä' * channel.MAX_MESSAGE)
    assert len(message) == channel.MAX_MESSAGE
    assert set(channel.reason(message)) == {'ä'}
