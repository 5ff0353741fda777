"""Correlation rules: what they count, over which time, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from procwire.sigma.rule import Rule

__all__ = ["Bound", "Correlation", "CorrelationType", "Presence"]

CorrelationType = Literal[
    "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median", "temporal",
    "temporal_ordered",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison of the figure with a number."""

    operator: Literal["lt", "lte", "gt", "gte", "eq", "neq"]
    number: float

    def __str__(self) -> str:
        return f"{self.operator} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Presence:
    """Which of the rules must have matched within the time, by `and`, `or` and `not`; a rule by its place."""

    operator: Literal["and", "or", "not", "rule"]
    operands: tuple[Presence, ...] = ()
    place: int = -1


@dataclass(frozen=True, slots=True)
class Correlation:
    """What a correlation rule asks of the events that other rules match.

    rules: those that it puts together. timespan_us: of the window that slides over time. group_by: names, and for each
    the column of each rule. value: the column whose values are counted or summed, likewise. bounds: all of them must
    hold. presence: in their place, for temporal rules with an extended condition.
    """

    type: CorrelationType
    rules: tuple[Rule, ...]
    timespan_us: int
    group_by: Mapping[str, tuple[str, ...]]
    value: tuple[str, ...]
    bounds: tuple[Bound, ...]
    percentile: int = 50
    presence: Presence | None = None
    generate: bool = False
    """Whether the rules' own matches are told of, too."""
