"""A rule that runs, and sets of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from procwire.choices import LEVELS, Level
from procwire.sigma.correlation import Correlation
from procwire.sigma.fields import DNS_CATEGORIES, DNS_COLUMNS, PROCESS_COLUMNS
from procwire.sigma.problems import Problem
from procwire.sigma.sql import to_sql
from procwire.sigma.tree import Node, leaves

if TYPE_CHECKING:
    from procwire.sigma.stream import Stream

__all__ = ["LEVELS", "Level", "LogSource", "Rule", "RuleSet", "View"]

View = Literal["connections", "enriched", "dns_queries"]


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which events a rule is about."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        return " ".join(part for part in (self.product, self.service, self.category) if part)


@dataclass(frozen=True)
class Rule:
    """A rule, ready to run. level: informational where the rule has none. tree: what it asks of one event; without
    one it is a correlation, which asks for many."""

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

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of Sigma's fields that it asks for, in their order."""
        found = leaves(self.tree) if self.tree is not None else ()
        return tuple(dict.fromkeys(leaf.field for leaf in found if leaf.field))

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that it asks for."""
        found = leaves(self.tree) if self.tree is not None else ()
        return tuple(dict.fromkeys(column for leaf in found for column in leaf.columns))

    @property
    def view(self) -> View:
        """The view that has its columns; `connections` has those of a recording, too."""
        if self.logsource.category in DNS_CATEGORIES:
            return "dns_queries"
        return "connections" if (PROCESS_COLUMNS | DNS_COLUMNS).isdisjoint(self.columns) else "enriched"

    @property
    def needs_processes(self) -> bool:
        """Whether it asks for what event 3 lacks, and the process's creation, or a recording, tells."""
        return not PROCESS_COLUMNS.isdisjoint(self.columns)

    @property
    def sql(self) -> str:
        """What it asks of one event, as a predicate in DuckDB's SQL over `view`; of a correlation nothing."""
        return to_sql(self.tree) if self.tree is not None else ""


@dataclass(frozen=True)
class RuleSet:
    """The rules that run, and why others do not."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...] = ()

    def at_least(self, level: Level) -> RuleSet:
        """The set without rules below a level."""
        lowest = LEVELS.index(level)
        return RuleSet(tuple(rule for rule in self.rules if LEVELS.index(rule.level) >= lowest), self.problems)

    def matches(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The matches in a batch of events, of `hits.SCHEMA`: a row for each event and rule. Correlations remember what
        they have seen, so that a stream is given batch by batch."""
        return self._stream.matches(batch)

    @cached_property
    def _stream(self) -> Stream:
        from procwire.sigma.stream import Stream

        return Stream(self.rules)
