# SPDX-License-Identifier: Apache-2.0
"""Whether what several clients saw of one object has an order.

The search of Wing and Gong with the memory of Lowe: a history is right if its
operations can be put in a row, each between its beginning and its end, so
that one after the other gives every answer that was given.

The object is absent (None) or has a value; each write brings a value of its
own and says which it means to replace. What a lost reply would have said
nobody knows: such a write has no end, and may have happened at any time since
it began, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

#: The object: its value, or that it is not there.
State = str | None

#: An operation cannot have come here.
NEVER = object()


class Operation(NamedTuple):
    """One request: when it was sent and answered, and what was told.

    ``told`` is one of ``ANSWERS``; ``value`` what was read, or written in the
    place of ``wanted``.
    """

    begun: float
    ended: float
    told: str
    value: State = None
    wanted: State = None


def _read(one: Operation, state: State) -> object:
    return state if state == one.value else NEVER


def _written(one: Operation, state: State) -> object:
    return one.value if state == one.wanted else NEVER


def _refused(one: Operation, state: State) -> object:
    return NEVER if state == one.wanted else state


def _absent(one: Operation, state: State) -> object:
    return NEVER if state is not None else state


#: What an answer says of the object before, and what is there after it.
ANSWERS: Mapping[str, Callable[[Operation, State], object]] = {
    'read': _read, 'written': _written, 'refused': _refused,
    'absent': _absent, 'lost': _written}


def lost(begun: float, value: State, wanted: State) -> Operation:
    """A write of which nobody knows what became."""
    return Operation(begun, math.inf, 'lost', value, wanted)


def linearizable(history: Sequence[Operation],
                 first: State = None) -> bool:
    """Whether the history has an order, from ``first`` on."""
    met: set[tuple[int, State]] = set()
    waiting: list[tuple[int, State]] = [((1 << len(history)) - 1, first)]
    while waiting:
        left, state = waiting.pop()
        if (left, state) in met:
            continue
        met.add((left, state))
        rest = [number for number in range(len(history))
                if left >> number & 1]
        due = min((history[number].ended for number in rest),
                  default=math.inf)
        if due == math.inf:
            return True
        for number in rest:
            one = history[number]
            if one.begun <= due:
                after = ANSWERS[one.told](one, state)
                if after is not NEVER:
                    waiting.append((left & ~(1 << number), after))
    return False
