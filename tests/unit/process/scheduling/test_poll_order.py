# SPDX-License-Identifier: Apache-2.0
"""In what order those go on that could, with real green threads (R12)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import eventlet
import pytest
from eventlet import hubs
from eventlet.hubs import epolls
from greenlet import getcurrent

from service.process.scheduling import hub
from service.process.scheduling.poll_order import MAX_FLOWS, Precedence


class Waiting:
    """Green threads that each wait for a byte, and how they went on."""

    def __init__(self) -> None:
        self.precedence = hub.precedence(hubs.get_hub())
        self.precedence.alone = lambda: False
        self.went: list[str | None] = []
        self._pairs: list[tuple[socket.socket, socket.socket]] = []

    def wait(self, *flows: str | None) -> None:
        """A thread of each flow comes to the point at which it waits."""
        for flow in flows:
            pair = socket.socketpair()
            self._pairs.append(pair)
            eventlet.spawn(self._step, flow, pair[0])
        eventlet.sleep(0)

    def _step(self, flow: str | None, sock: socket.socket) -> None:
        if flow is not None:
            getcurrent().flow = flow
        hubs.trampoline(sock.fileno(), read=True)
        self.went.append(flow)

    def forever(self, flow: str) -> None:
        """One for which there is always something new."""
        ours, theirs = socket.socketpair()
        getcurrent().flow = flow
        with ours, theirs:
            theirs.send(b'x')
            while True:
                hubs.trampoline(ours.fileno(), read=True)

    def go(self) -> None:
        """All of them could go on now."""
        for _, far in self._pairs:
            far.send(b'x')

    def close(self) -> None:
        """Nobody is left waiting for what is closed."""
        self.precedence.alone = lambda: True
        self.go()
        while len(self.went) < len(self._pairs):
            eventlet.sleep(0)
        for pair in self._pairs:
            for one in pair:
                one.close()


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.close()


def rounds(waiting: Waiting, number: int) -> list[str | None]:
    """How they went on while the network was looked at so often."""
    for _ in range(number):
        eventlet.sleep(0)
    return waiting.went


def test_the_flow_goes_on_whose_last_step_is_the_longest_ago(waiting):
    waiting.wait('a', 'a', 'a', 'b', 'b')
    waiting.precedence.took('a')
    waiting.go()
    assert rounds(waiting, 10) == ['b', 'a', 'b', 'a', 'a']


def test_before_each_step_the_network_is_looked_at_again(waiting):
    """Who comes meanwhile waits for the one step that is under way."""
    waiting.wait('a', 'a', 'a')
    waiting.go()
    while not waiting.went:
        eventlet.sleep(0)
    waiting.wait('b')
    before = len(waiting.went)
    waiting.go()
    assert rounds(waiting, 10)[before] == 'b'
    assert sorted(waiting.went) == ['a', 'a', 'a', 'b']


def test_one_that_could_always_go_on_does_not_hold_up_its_own(waiting):
    """SECURITY: a client that streams a body, or anybody without a name."""
    waiting.wait('a', 'a', 'a')
    waiting.go()
    again = eventlet.spawn(waiting.forever, 'a')
    eventlet.sleep(0)
    assert rounds(waiting, 40).count('a') == 3
    again.kill()


def test_a_flow_alone_is_not_looked_at(waiting):
    waiting.precedence.alone = lambda: True
    waiting.wait('a', 'a', 'a')
    waiting.go()
    assert rounds(waiting, 2) == ['a', 'a', 'a']


def test_what_is_of_no_flow_waits_for_nobody(waiting):
    waiting.wait('a', None, 'b', None)
    waiting.go()
    while not waiting.went:
        eventlet.sleep(0)
    assert (len(waiting.went), waiting.went.count(None)) == (3, 2)


def test_another_presses_if_its_last_step_is_longer_ago(waiting):
    waiting.precedence.took('b')
    waiting.precedence.took('a')
    assert not waiting.precedence.presses('a')
    waiting.wait('b')
    waiting.go()
    assert waiting.precedence.presses('a')
    waiting.precedence.took('b')
    assert not waiting.precedence.presses('a')


def test_no_client_can_fill_the_memory_with_flows() -> None:
    made = Precedence(None, lambda seconds: [])
    for number in range(MAX_FLOWS + 10):
        made.took(f'{number}')
    assert len(made._last) == MAX_FLOWS
    assert '9' not in made._last and '10' in made._last


def test_a_hub_of_another_kind_is_let_be() -> None:
    """As where a program of its own has our server on eventlet's hub."""
    for other in (epolls.Hub(), object()):
        made = hub.precedence(other)
        made.took('a')
        assert made.quiet() and not made.presses('a')
