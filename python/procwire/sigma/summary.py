"""Load the rules to run, and summarise those that run and those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.errors import UsageError
from procwire.plain import plain
from procwire.sigma.loading.parse import load
from procwire.sigma.model.rule import RuleSet
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.choices import Level

__all__ = ["load_usable", "summary"]

_SHOWN_PROBLEMS = 3


def load_usable(rules: Iterable[str | Path] | RuleSet, level: Level | None = None) -> RuleSet:
    """Return the rules of at least a level: load them from files and folders, or use a loaded set.

    Raises UsageError if none runs.
    """
    rules = rules if isinstance(rules, RuleSet) else load(list(rules))
    chosen = rules.at_least(level) if level else rules
    if not chosen.rules:
        below = [f"{counted(len(rules.rules), 'rule')} below {level}"] if rules.rules else []
        found = "; ".join([*below, *_problems(rules)]) or "no rule at all"
        raise UsageError(f"found {found}; expected a Sigma rule for network connections")
    return chosen


def summary(rules: RuleSet, what: str, level: Level | None = None) -> str:
    """Return a line with how many rules ran, which did not, and why.

    what: the verb for those that did, such as `ran`. level: the lowest level of the chosen rules.
    """
    above = f" of level {level} and above" if level and level != "informational" else ""
    return "; ".join([f"{counted(len(rules.rules), 'Sigma rule')}{above} {what}", *_problems(rules)])


def _problems(rules: RuleSet) -> Iterator[str]:
    others = [problem for problem in rules.problems if not problem.is_ours]
    ours = [problem for problem in rules.problems if problem.is_ours]
    if others:
        yield f"{len(others):,} not for network connections"
    if ours:
        places = [f"{one.path}:{one.line or 1}: {one.reason}" for one in ours[:_SHOWN_PROBLEMS]]
        more = f" and {len(ours) - _SHOWN_PROBLEMS:,} more" if len(ours) > _SHOWN_PROBLEMS else ""
        yield plain(f"{len(ours):,} not run ({'; '.join(places)}{more}: `procwire sigma check` lists all)")
