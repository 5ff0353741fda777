"""A report on Sigma rules: what each can do, and where it is shown."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from procwire.cli.asking import asking
from procwire.cli.exits import ExitCode
from procwire.cli.reading import report
from procwire.cli.signals import Signals
from procwire.cli.sought import Sought, opened
from procwire.sinks.plain import plain
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.cli.rules_check import CheckFormat
    from procwire.query.protocol import Connection
    from procwire.rules.model import Configuration
    from procwire.sigma import Problem, Rule, RuleSet

__all__ = ["Request", "Verdict", "run", "show_sql"]

Status = Literal["matches", "runs", "cannot match", "filtered", "not run", "not ours"]
_BAD = ("cannot match", "filtered", "not run")


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `procwire rules check`."""

    rules: Path
    sought: Sought
    config: Path | None
    all: bool
    to: CheckFormat


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is told of a rule."""

    path: str
    line: int | None
    id: str | None
    title: str | None
    level: str | None
    status: Status
    reason: str = ""
    matches: int | None = None
    """In the logs, or the lake; None without any."""

    @property
    def text(self) -> str:
        """As a line, without its place."""
        found = counted(self.matches, "match", "matches") if self.matches else ""
        return ": ".join(part for part in (self.status, self.title, found, self.reason) if part)


def run(request: Request) -> ExitCode:
    """Check, and write the report."""
    with Signals() as signals, signals.ended():
        return _run(request, signals)
    return ExitCode(128 + (signals.received or 0))


def _run(request: Request, signals: Signals) -> ExitCode:
    from procwire.rules.parse import load as load_configuration
    from procwire.sigma import load

    configuration = load_configuration(request.config, lenient=True) if request.config else None
    rules, damaged = load([request.rules]), False
    verdicts = {id(rule): _verdict(rule) for rule in rules.rules}
    if request.sought.logs or request.sought.lake is not None:
        with opened(request.sought) as (connection, ledger):
            signals.check()
            if ledger is not None:
                report(ledger)
                damaged = ledger.damaged
                if ledger.nothing_read:
                    return ExitCode.NOTHING_READ
            with asking(connection) as asked:
                verdicts = asked.run(partial(_over, connection, rules, verdicts, configuration))
    elif configuration is not None:
        verdicts = {id(rule): _under(rule, verdicts[id(rule)], configuration) for rule in rules.rules}
    told = sorted((*verdicts.values(), *map(_problem, rules.problems)), key=lambda one: (one.path, one.line or 0))
    _write((one for one in told if request.all or one.status != "not ours"), request.to)
    _summarize(told)
    if any(one.status in _BAD for one in told):
        return ExitCode.INVALID
    return ExitCode.DAMAGED if damaged else ExitCode.VALID


def _verdict(rule: Rule) -> Verdict:
    return Verdict(rule.path, rule.line, rule.id, rule.title, rule.level, "runs")


def _problem(problem: Problem) -> Verdict:
    status: Status = "not run" if problem.is_ours else "not ours"
    return Verdict(problem.path, problem.line, None, problem.title, None, status, problem.reason)


def _over(
    connection: Connection, rules: RuleSet, verdicts: Mapping[int, Verdict], configuration: Configuration | None
) -> dict[int, Verdict]:
    """The verdicts over data: what matches, and where nothing does, whether it could."""
    from procwire.sigma.reach import blockers, missing_fields, present_in, why

    matches, logged = _matches(connection, rules, configuration)
    views = present_in(connection, rules.rules)
    told = {}
    for rule in rules.rules:
        verdict, found = replace(verdicts[id(rule)], matches=matches[rule.id]), blockers(rule, views)
        missing = ", ".join(missing_fields(rule, views))
        if matches[rule.id]:
            verdict = replace(verdict, status="matches")
            if configuration is not None and not logged[rule.id]:
                verdict = replace(verdict, status="filtered", reason="the Sysmon configuration logs none of them")
        elif found:
            verdict = replace(verdict, status="cannot match", reason=why(found, rule.logsource.product))
        elif configuration is not None:
            verdict = _under(rule, verdict, configuration)
        if missing and not verdict.reason:
            verdict = replace(verdict, reason=f"without {missing}, which never has a value here")
        told[id(rule)] = verdict
    return told


def _matches(
    connection: Connection, rules: RuleSet, configuration: Configuration | None
) -> tuple[Counter[str], Counter[str]]:
    """How often each rule matches, and how often in events that the configuration logs."""
    from procwire.event import LIVE_SCHEMA
    from procwire.rules.apply import Rules
    from procwire.sigma import detect

    found: Counter[str] = Counter()
    logged: Counter[str] = Counter()
    keep = None if configuration is None else Rules(configuration, keep=True)
    for batch in detect(connection, rules):
        ids = batch.column("rule_id").to_pylist()
        found.update(ids)
        marks = keep(batch.select(LIVE_SCHEMA.names)).column("logged").to_pylist() if keep else ()
        # A correlation is of many events, none of which is here.
        correlated = batch.column("correlated_events").is_valid().to_pylist()
        logged.update(id_ for id_, mark, several in zip(ids, marks, correlated, strict=False) if mark or several)
    return found, logged


def _under(rule: Rule, verdict: Verdict, configuration: Configuration) -> Verdict:
    """The verdict under a configuration, by events that are made up to match."""
    from procwire.rules.apply import Rules
    from procwire.sigma.describe import value_text
    from procwire.sigma.witness import witnesses

    events = witnesses(rule)
    if events.num_rows == 0 or Rules(configuration)(events).num_rows:
        return verdict
    shown = events.slice(0, 1).to_pylist()[0]
    asked = {leaf_field: shown.get(column) for leaf_field, column in _asked(rule)}
    example = ", ".join(f"{name} {value_text(value)}" for name, value in asked.items() if value is not None)
    made_up = f"{counted(events.num_rows, 'event')} made up to match it"
    reason = f"the Sysmon configuration logs none of {made_up}, such as {example}"
    return replace(verdict, status="filtered", reason=reason)


def _asked(rule: Rule) -> Iterator[tuple[str, str]]:
    from procwire.sigma.fields import column_of

    return ((name, column_of(name).name) for name in rule.fields)


def _write(verdicts: Iterable[Verdict], to: str) -> None:
    for one in verdicts:
        if to == "ndjson":
            told: dict[str, Any] = {name: getattr(one, name) for name in Verdict.__slots__}
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            sys.stdout.write(plain(f"{one.path}:{one.line or 1}: {one.text}") + "\n")
    sys.stdout.flush()


def _summarize(verdicts: Sequence[Verdict]) -> None:
    counts: Counter[str] = Counter(one.status for one in verdicts)
    parts = [f"{counts[status]:,} {'run' if status == 'runs' else status}" for status in
             ("matches", "runs", *_BAD, "not ours") if counts[status]]  # fmt: skip
    sys.stderr.write(f"{counted(len(verdicts), 'rule')}: {', '.join(parts) or 'none'}\n")


def show_sql(path: Path, to: str) -> ExitCode:
    """Each rule's SQL, as a query over the view that has its columns."""
    from procwire.sigma import load

    rules = load([path])
    for rule in rules.rules:
        query = f"SELECT * FROM {rule.view}\nWHERE {rule.sql};" if rule.sql else ""
        if to == "ndjson":
            told = {"path": rule.path, "line": rule.line, "id": rule.id, "title": rule.title, "sql": query or None}
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            head = f"-- {rule.title}\n-- {rule.path}:{rule.line}\n"
            sys.stdout.write(head + (query or "-- A correlation: it has no query of its own.") + "\n\n")
    bad = [problem for problem in rules.problems if problem.is_ours]
    for problem in bad:
        sys.stderr.write(plain(f"{problem.path}:{problem.line or 1}: not run: {problem.reason}") + "\n")
    return ExitCode.INVALID if bad else ExitCode.VALID
