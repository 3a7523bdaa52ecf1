# SPDX-License-Identifier: Apache-2.0
"""Run a write, and roll it back if it is a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.domain.records.store import Rows, Store

T = TypeVar('T')


def write(store: Store, work: Callable[[Rows], T], dry_run: bool) -> T:
    """Run ``work`` in a transaction and return its result.

    A dry run rolls the transaction back after ``work`` has returned.
    """
    def run(rows: Rows) -> T:
        result = work(rows)
        if dry_run:
            raise _Rollback(result)
        return result
    try:
        return store.write(run)
    except _Rollback as exc:
        result: T = exc.args[0]
        return result


class _Rollback(Exception):
    """Rolls back a dry run; its argument is the result of the work."""
