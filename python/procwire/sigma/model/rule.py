"""Hold rules that are ready to run, correlations, and sets of rules: data only. `matching.stream` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from procwire.choices import LEVELS
from procwire.sigma.model.fields import DNS_CATEGORIES, DNS_COLUMNS, PROCESS_COLUMNS
from procwire.sigma.model.tree import Node, leaves
from procwire.sigma.problems import Problem
from procwire.sigma.sql import to_sql

if TYPE_CHECKING:
    from procwire.choices import Level

__all__ = [
    "LEVELS",
    "Bound",
    "Correlation",
    "CorrelationType",
    "LogSource",
    "Presence",
    "Rule",
    "RuleSet",
    "View",
]

View = Literal["connections", "enriched", "dns_queries"]
CorrelationType = Literal[
    "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median", "temporal",
    "temporal_ordered",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogSource:
    """Hold which events a rule is about."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        return " ".join(part for part in (self.product, self.service, self.category) if part)

    @property
    def is_dns(self) -> bool:
        """Return whether it is about names that are looked up, and not about connections."""
        return self.category in DNS_CATEGORIES or (self.category == "network" and self.service == "dns")


@dataclass(frozen=True)
class Rule:
    """Hold a rule that is ready to run.

    level: informational if the rule has none. tree: its tests of one event; None for a correlation, which needs many
    events.
    """

    id: str
    title: str
    level: Level
    status: str | None
    tags: tuple[str, ...]
    author: str | None
    description: str | None
    path: str
    line: int
    logsource: LogSource
    tree: Node | None
    correlation: Correlation | None = None
    name: str | None = None
    references: tuple[str, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = field(default=(), repr=False)
    """What is likely a mistake in it and does not keep it from running."""
    void: str = field(default="", repr=False)
    """Why no event at all can match it; empty if one can."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the Sigma fields that it tests, in their order."""
        found = leaves(self.tree) if self.tree is not None else ()
        return tuple(dict.fromkeys(leaf.field for leaf in found if leaf.field))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the table's columns that it needs."""
        found = leaves(self.tree) if self.tree is not None else ()
        return tuple(dict.fromkeys(column for leaf in found for column in leaf.columns))

    @property
    def view(self) -> View:
        """Return the view that has its columns; `connections` has those of a recording, too."""
        if self.logsource.is_dns:
            return "dns_queries"
        return "connections" if (PROCESS_COLUMNS | DNS_COLUMNS).isdisjoint(self.columns) else "enriched"

    @property
    def needs_processes(self) -> bool:
        """Return whether it needs columns that event 3 lacks, but process creations or recordings have."""
        return not PROCESS_COLUMNS.isdisjoint(self.columns)

    @property
    def sql(self) -> str:
        """Return its tests of one event as a predicate in DuckDB's SQL over `view`; empty for a correlation."""
        return to_sql(self.tree) if self.tree is not None else ""

    @property
    def query(self) -> str | None:
        """Return the query for its matches in DuckDB's SQL, over `view`; None for a correlation."""
        return f"SELECT * FROM {self.view}\nWHERE {self.sql};" if self.tree is not None else None


@dataclass(frozen=True, slots=True)
class Bound:
    """Compare a correlation's figure with a number."""

    operator: Literal["lt", "lte", "gt", "gte", "eq", "neq"]
    number: float

    def __str__(self) -> str:
        return f"{self.operator} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Presence:
    """Hold a condition of `and`, `or` and `not` over which rules matched within the time; rules are given by index."""

    operator: Literal["and", "or", "not", "rule"]
    operands: tuple[Presence, ...] = ()
    place: int = -1


@dataclass(frozen=True, slots=True)
class Correlation:
    """Hold what a correlation rule requires of the events that other rules match.

    rules: the rules that it combines. timespan_us: length of the sliding window. group_by: names, each with the column
    of each rule. value: the column of each rule whose values are counted or summed. bounds: comparisons that must all
    hold. presence: the extended condition of a temporal rule, which replaces bounds.
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
    """Whether the rules' own matches are reported, too."""


@dataclass(frozen=True)
class RuleSet:
    """Hold the rules that run, and why others do not."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...] = ()
    unused_lists: tuple[str, ...] = ()
    """Lists of values that no placeholder of a rule asks for."""

    def at_least(self, level: Level) -> RuleSet:
        """Return the set without rules below a level."""
        lowest = LEVELS.index(level)
        return RuleSet(
            tuple(rule for rule in self.rules if LEVELS.index(rule.level) >= lowest), self.problems, self.unused_lists
        )
