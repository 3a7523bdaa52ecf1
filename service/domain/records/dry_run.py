# SPDX-License-Identifier: Apache-2.0
"""A write that is kept, or carried out to see how it would end and undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.domain.records.store import Rows, Store

T = TypeVar('T')


def write(store: Store, work: Callable[[Rows], T], dry_run: bool) -> T:
    """Run ``work`` and keep it, or only see how it would end."""
    def once(rows: Rows) -> T:
        answer = work(rows)
        if dry_run:
            raise _Undone(answer)
        return answer
    try:
        return store.write(once)
    except _Undone as exc:
        answer: T = exc.args[0]
        return answer


class _Undone(Exception):
    """Rolls a dry run back, and carries its answer out."""
