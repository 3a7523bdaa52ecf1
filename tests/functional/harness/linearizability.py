# SPDX-License-Identifier: Apache-2.0
"""Check that several clients' operations on one object are linearizable.

A history is linearizable if its operations have an order in which each takes
effect between its start and its end and gives the outcome that its client
saw. The search is that of Wing and Gong with the memoization of Lowe.

The object is absent (None) or has a value. Each write has a unique value and
names the value that it expects to replace. The outcome of a write whose reply
was lost is unknown: such a write has no end, and may take effect at any time
after its start, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

#: State of the object: its value, or None while it is absent.
State = str | None

#: State after an operation whose outcome is impossible in the state before.
IMPOSSIBLE = object()


class Operation(NamedTuple):
    """One request: its start, its end and its outcome.

    ``outcome`` is a key of ``OUTCOMES``. ``value`` is the value that was read
    or written, ``expected`` the value that the write expects to replace.
    """

    started: float
    ended: float
    outcome: str
    value: State = None
    expected: State = None


def _read(operation: Operation, state: State) -> object:
    return state if state == operation.value else IMPOSSIBLE


def _written(operation: Operation, state: State) -> object:
    return (operation.value if state == operation.expected
            else IMPOSSIBLE)


def _refused(operation: Operation, state: State) -> object:
    return IMPOSSIBLE if state == operation.expected else state


def _absent(operation: Operation, state: State) -> object:
    return IMPOSSIBLE if state is not None else state


#: Outcome -> the state after the operation, given the state before it.
OUTCOMES: Mapping[str, Callable[[Operation, State], object]] = {
    'read': _read, 'written': _written, 'refused': _refused,
    'absent': _absent, 'lost': _written}


def lost_write(started: float, value: State, expected: State) -> Operation:
    """Return a write whose reply was lost."""
    return Operation(started, math.inf, 'lost', value, expected)


def linearizable(history: Sequence[Operation],
                 initial: State = None) -> bool:
    """Whether the history is linearizable from the state ``initial``."""
    visited: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [((1 << len(history)) - 1, initial)]
    while stack:
        pending, state = stack.pop()
        if (pending, state) in visited:
            continue
        visited.add((pending, state))
        numbers = [number for number in range(len(history))
                   if pending >> number & 1]
        first_end = min((history[number].ended for number in numbers),
                        default=math.inf)
        if first_end == math.inf:
            return True
        for number in numbers:
            operation = history[number]
            if operation.started <= first_end:
                after = OUTCOMES[operation.outcome](operation, state)
                if after is not IMPOSSIBLE:
                    stack.append((pending & ~(1 << number), after))
    return False
