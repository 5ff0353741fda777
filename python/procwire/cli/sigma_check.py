"""`procwire sigma check`: which Sigma rules run, and which cannot match anything, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode
from procwire.cli.named_files import named_files
from procwire.cli.progress import query_progress
from procwire.cli.query_options import OPTION_NAMES, QueryOptions
from procwire.cli.reading import report as report_reading
from procwire.plain import plain
from procwire.signals import Signals
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.sigma import RuleSet
    from procwire.sigma.analysis.check import CheckReport, Status, Verdict

__all__ = ["CheckFormat", "check"]

CheckFormat = Literal["text", "ndjson"]
_STATUSES: tuple[Status, ...] = ("matches", "runs", "cannot match", "filtered", "not run", "not ours")
_HIDDEN: tuple[Status, ...] = ("not ours", "no rule")


def check(
    rules: Path,
    config: Path | None = None,
    list_: list[str] | None = None,
    sql: bool = False,
    all_: bool = False,
    to: CheckFormat = "text",
    *,
    options: QueryOptions,
) -> ExitCode:
    """Run `procwire sigma check`, whose options and help are in `verbs`; return its exit code."""
    from procwire.sigma import load

    loaded = load([rules], lists=named_files("--list", list_))
    if sql:
        return _show_sql(loaded, to)
    with Signals() as signals, signals.ended():
        return _check(loaded, options, config, signals, show_all=all_, to=to)
    return ExitCode(128 + (signals.received or 0))


def _check(
    rules: RuleSet, options: QueryOptions, config: Path | None, signals: Signals, *, show_all: bool, to: CheckFormat
) -> ExitCode:
    from procwire.query import open_source
    from procwire.sigma import check
    from procwire.sysmon.parse import load as load_configuration

    configuration = load_configuration(config, lenient=True) if config else None
    damaged = False
    if options.logs or options.lake is not None:
        with open_source(options.source(), progress=query_progress, names=OPTION_NAMES) as source:
            signals.check()
            if source.ledger is not None:
                report_reading(source.ledger)
                damaged = source.ledger.damaged
            if source.nothing_read:
                return ExitCode.NOTHING_READ
            report = source.work(partial(check, rules, connection=source.connection, configuration=configuration))
    else:
        report = check(rules, configuration=configuration)
    _write((verdict for verdict in report.verdicts if show_all or verdict.status not in _HIDDEN), to)
    _summarize(report, rules)
    if not report.is_sound:
        return ExitCode.INVALID
    return ExitCode.DAMAGED if damaged else ExitCode.VALID


def _write(verdicts: Iterable[Verdict], to: CheckFormat) -> None:
    for verdict in verdicts:
        if to == "ndjson":
            sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
        else:
            for text in (_text(verdict), *(f"warning: {one}" for one in verdict.warnings)):
                sys.stdout.write(plain(f"{verdict.path}:{verdict.line or 1}: {text}") + "\n")
    sys.stdout.flush()


def _text(verdict: Verdict) -> str:
    matches = counted(verdict.matches, "match", "matches") if verdict.matches else ""
    return ": ".join(part for part in (verdict.status, verdict.title, matches, verdict.reason) if part)


def _summarize(report: CheckReport, rules: RuleSet) -> None:
    counts = report.counts
    parts = [f"{counts[status]:,} {'run' if status == 'runs' else status}" for status in _STATUSES if counts[status]]
    text = f"{counted(len(report.verdicts) - counts['no rule'], 'rule')}: {', '.join(parts) or 'none'}"
    if doubtful := sum(bool(verdict.warnings) for verdict in report.verdicts):
        text += f"; {doubtful:,} with warnings"
    if others := counts["no rule"]:
        text += f"; {counted(others, 'YAML document')} without a rule (--all)"
    if rules.unused_lists:
        text += f"; no rule asks for the list {', '.join(rules.unused_lists)}"
    sys.stderr.write(plain(text) + "\n")


def _show_sql(rules: RuleSet, to: CheckFormat) -> ExitCode:
    """Print each rule's SQL, as a query over the view that has its columns."""
    for rule in rules.rules:
        query = rule.query
        if to == "ndjson":
            described = {"path": rule.path, "line": rule.line, "id": rule.id, "title": rule.title, "sql": query}
            sys.stdout.write(json.dumps(described) + "\n")
        else:
            head = f"-- {rule.title}\n-- {rule.path}:{rule.line}\n"
            sys.stdout.write(head + (query or "-- A correlation: it has no query of its own.") + "\n\n")
    bad = [problem for problem in rules.problems if problem.is_ours]
    for problem in bad:
        sys.stderr.write(plain(f"{problem.path}:{problem.line or 1}: not run: {problem.reason}") + "\n")
    return ExitCode.INVALID if bad else ExitCode.VALID
