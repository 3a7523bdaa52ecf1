# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from service.process.worker import channel


def test_messages_stay_apart_and_the_launcher_never_waits() -> None:
    launcher_end, worker_end = channel.pair()
    with launcher_end, worker_end:
        for message in (channel.LOADED, channel.SERVING):
            worker_end.send(message)
        assert launcher_end.recv(channel.MAX_MESSAGE_BYTES) == channel.LOADED
        assert launcher_end.recv(channel.MAX_MESSAGE_BYTES) == channel.SERVING
        with pytest.raises(BlockingIOError):
            launcher_end.recv(channel.MAX_MESSAGE_BYTES)


def test_the_line_ends_with_either_side() -> None:
    launcher_end, worker_end = channel.pair()
    launcher_end.close()
    with worker_end:
        assert worker_end.recv(channel.MAX_MESSAGE_BYTES) == b''


def test_a_reason_arrives_as_it_was_said() -> None:
    assert channel.reason(channel.failed('zwölf\nFehler')) == 'zwölf\nFehler'


def test_a_long_reason_is_cut_to_one_message() -> None:
    message = channel.failed('ä' * channel.MAX_MESSAGE_BYTES)
    assert len(message) == channel.MAX_MESSAGE_BYTES
    assert set(channel.reason(message)) == {'ä'}
