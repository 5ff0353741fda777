"""Check which Sigma rules run, which match in the data at hand, and what keeps the others from matching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.sigma.analysis.reach import blockers, missing_fields, present_in, why
from procwire.sigma.analysis.witness import witnesses
from procwire.sigma.describe import value_text
from procwire.sigma.detect import detect
from procwire.sigma.loading.parse import load
from procwire.sigma.model.fields import column_of
from procwire.sigma.model.rule import RuleSet
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.query.protocol import Connection
    from procwire.sigma.model.rule import Rule
    from procwire.sigma.problems import Kind, Problem
    from procwire.sysmon.model import Configuration

__all__ = ["FAULTS", "CheckReport", "Status", "Verdict", "check"]

Status = Literal["matches", "runs", "cannot match", "filtered", "not run", "not ours", "no rule"]
FAULTS: tuple[Status, ...] = ("cannot match", "filtered", "not run")
"""The statuses of rules that can do nothing where they were checked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold whether a rule runs, and whether it can match."""

    path: str
    line: int | None
    id: str | None
    title: str | None
    level: str | None
    status: Status
    reason: str = ""
    """Why the rule cannot match, or which of its fields never has a value; empty if there is nothing to say."""
    matches: int | None = None
    """How often it matches in the data; None without any."""
    warnings: tuple[str, ...] = ()
    """What is likely a mistake in the rule, though it runs."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Hold a verdict for each rule, by path and line, and one for each document that is not run."""

    verdicts: tuple[Verdict, ...]

    @property
    def counts(self) -> Mapping[Status, int]:
        """Return how many verdicts have each status."""
        return Counter(verdict.status for verdict in self.verdicts)

    @property
    def is_sound(self) -> bool:
        """Return whether every rule about network connections runs, and can match."""
        return not any(verdict.status in FAULTS for verdict in self.verdicts)


def check(
    rules: RuleSet | str | Path | Iterable[str | Path],
    *,
    connection: Connection | None = None,
    configuration: Configuration | None = None,
    lists: Mapping[str, str | Path] | None = None,
) -> CheckReport:
    """Check Sigma rules: which run, and which cannot match in data or under a configuration.

    rules: as `load` returned them, or the paths to load. connection: to the data that the rules are to match in, such
    as `procwire.connect` opens; without one it is checked only whether they run. configuration: Sysmon's, which
    decides what is logged. lists: for names of placeholders the files with their values, as for `load`.

    Raises UsageError for a path that is not there, or a list that cannot be used.

    >>> from procwire import sigma
    >>> report = sigma.check("examples/rules")
    >>> report.is_sound, [verdict.status for verdict in report.verdicts]
    (True, ['runs', 'runs', 'runs'])
    """
    if not isinstance(rules, RuleSet):
        rules = load([rules] if isinstance(rules, str | Path) else list(rules), lists=lists)
    if connection is not None:
        verdicts = _in_data(connection, rules, configuration)
    elif configuration is not None:
        verdicts = [_runs(rule) if rule.void else _under(rule, _runs(rule), configuration) for rule in rules.rules]
    else:
        verdicts = [_runs(rule) for rule in rules.rules]
    found = (*verdicts, *map(_problem, rules.problems))
    return CheckReport(tuple(sorted(found, key=lambda verdict: (verdict.path, verdict.line or 0))))


def _runs(rule: Rule) -> Verdict:
    status: Status = "cannot match" if rule.void else "runs"
    return Verdict(
        rule.path,
        rule.line,
        rule.id,
        rule.title,
        rule.level,
        status,
        rule.void,
        warnings=() if rule.void else rule.warnings,
    )


def _problem(problem: Problem) -> Verdict:
    statuses: Mapping[Kind, Status] = {"other events": "not ours", "no rule": "no rule"}
    status = statuses.get(problem.kind, "not run")
    return Verdict(problem.path, problem.line, None, problem.title, None, status, problem.reason)


def _in_data(connection: Connection, rules: RuleSet, configuration: Configuration | None) -> list[Verdict]:
    """Return the verdicts over data: how often each rule matches, and if it does not, whether it could."""
    matches, logged = _matches(connection, rules, configuration)
    views = present_in(connection, rules.rules)
    verdicts = []
    for rule in rules.rules:
        verdict, blocking = replace(_runs(rule), matches=matches[rule.id]), blockers(rule, views)
        missing = ", ".join(missing_fields(rule, views))
        if rule.void:
            verdicts.append(verdict)
            continue
        if matches[rule.id]:
            verdict = replace(verdict, status="matches")
            if configuration is not None and not logged[rule.id]:
                verdict = replace(verdict, status="filtered", reason="the Sysmon configuration logs none of them")
        elif blocking:
            verdict = replace(verdict, status="cannot match", reason=why(blocking, rule.logsource.product))
        elif configuration is not None:
            verdict = _under(rule, verdict, configuration)
        if missing and not verdict.reason:
            verdict = replace(verdict, reason=f"without {missing}, which never has a value here")
        verdicts.append(verdict)
    return verdicts


def _matches(
    connection: Connection, rules: RuleSet, configuration: Configuration | None
) -> tuple[Counter[str], Counter[str]]:
    """Count how often each rule matches, and how often in events that the configuration logs."""
    from procwire.event import LIVE_SCHEMA
    from procwire.sysmon.config_filter import ConfigFilter

    found: Counter[str] = Counter()
    logged: Counter[str] = Counter()
    keep = None if configuration is None else ConfigFilter(configuration, keep=True)
    for batch in detect(connection, rules):
        ids = batch.column("rule_id").to_pylist()
        found.update(ids)
        marks = keep(batch.select(LIVE_SCHEMA.names)).column("logged").to_pylist() if keep else ()
        # A correlation covers many events, which are not in its row.
        correlated = batch.column("correlated_events").is_valid().to_pylist()
        logged.update(id_ for id_, mark, several in zip(ids, marks, correlated, strict=False) if mark or several)
    return found, logged


def _under(rule: Rule, verdict: Verdict, configuration: Configuration) -> Verdict:
    """Return the verdict under a configuration, by constructed events that match the rule."""
    from procwire.sysmon.config_filter import ConfigFilter

    events = witnesses(rule)
    if events.num_rows == 0 or ConfigFilter(configuration)(events).num_rows:
        return verdict
    first = events.slice(0, 1).to_pylist()[0]
    values = {name: first.get(column_of(name).name) for name in rule.fields}
    example = ", ".join(f"{name} {value_text(value)}" for name, value in values.items() if value is not None)
    made_up = f"{counted(events.num_rows, 'event')} made up to match it"
    reason = f"the Sysmon configuration logs none of {made_up}, such as {example}"
    return replace(verdict, status="filtered", reason=reason)
