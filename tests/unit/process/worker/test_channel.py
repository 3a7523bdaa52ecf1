# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from service.process.worker import channel


def test_messages_keep_their_boundaries_and_the_launcher_never_blocks(
        ) -> None:
    launcher_end, worker_end = channel.pair()
    with launcher_end, worker_end:
        for message in (channel.LOADED, channel.SERVING):
            worker_end.send(message)
        assert launcher_end.recv(channel.MAX_MESSAGE_BYTES) == channel.LOADED
        assert launcher_end.recv(channel.MAX_MESSAGE_BYTES) == channel.SERVING
        with pytest.raises(BlockingIOError):
            launcher_end.recv(channel.MAX_MESSAGE_BYTES)


def test_the_channel_ends_when_one_side_closes() -> None:
    launcher_end, worker_end = channel.pair()
    launcher_end.close()
    with worker_end:
        assert worker_end.recv(channel.MAX_MESSAGE_BYTES) == b''


def test_a_reason_arrives_unchanged() -> None:
    assert channel.reason(channel.failed('zwölf\nFehler')) == 'zwölf\nFehler'


def test_a_long_reason_is_cut_to_one_message() -> None:
    message = channel.failed('ä' * channel.MAX_MESSAGE_BYTES)
    assert len(message) == channel.MAX_MESSAGE_BYTES
    assert set(channel.reason(message)) == {'ä'}
