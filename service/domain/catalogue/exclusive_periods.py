# SPDX-License-Identifier: Apache-2.0
"""Periods of which no two may overlap, as a type declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExclusivePeriod:
    """No two records that agree on ``over`` may overlap in time.

    ``period`` names the two date-time properties [start, end): half-open, a
    null start or end is open. A record takes part while each property of
    ``when`` has one of its values, and none of ``over`` is null.
    """

    period: tuple[str, str]
    over: tuple[str, ...] = ()
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every property it looks at."""
        return (*self.period, *self.over, *(name for name, _ in self.when))

    def applies_to(self, record: Mapping[str, Any]) -> bool:
        """Whether a record takes part as it stands."""
        return (all(record[name] is not None for name in self.over)
                and all(record[name] in values for name, values in self.when))

    def overlap(self, one: Mapping[str, Any], other: Mapping[str, Any]
                ) -> bool:
        """Whether the periods of two records have a moment in common."""
        start, end = self.period
        return all(
            before[start] is None or after[end] is None
            or before[start] < after[end]
            for before, after in ((one, other), (other, one)))
