# SPDX-License-Identifier: Apache-2.0
"""The rules of a type under which periods of records may not overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ExclusivePeriod:
    """A rule: records with equal ``over`` values may not overlap in time.

    ``period`` names two date-time properties. The start belongs to the
    period, the end does not; a null start or end leaves that side unbounded.
    The rule applies to a record while each property of ``when`` has a listed
    value and no property of ``over`` is null.
    """

    period: tuple[str, str]
    over: tuple[str, ...] = ()
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All properties that the rule reads."""
        return (*self.period, *self.over, *(name for name, _ in self.when))

    def applies_to(self, record: Mapping[str, Any]) -> bool:
        """Whether the rule applies to a record with its current values."""
        return (all(record[name] is not None for name in self.over)
                and all(record[name] in values for name, values in self.when))

    def overlap(self, first: Mapping[str, Any], second: Mapping[str, Any]
                ) -> bool:
        """Whether the periods of two records share an instant."""
        start, end = self.period
        return all(
            left[start] is None or right[end] is None
            or left[start] < right[end]
            for left, right in ((first, second), (second, first)))
