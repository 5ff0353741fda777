"""`procwire rules check`: which Sigma rules run, and which cannot match anything, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import QueryOptions, SinceOption, UnpackOption, UntilOption, option_names
from procwire.cli.progress import query_progress
from procwire.cli.reading import report as report_reading
from procwire.cli.signals import Signals
from procwire.plain import plain
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.sigma.analysis.check import CheckReport, Status, Verdict

__all__ = ["EXAMPLES", "CheckFormat", "check"]

CheckFormat = Literal["text", "ndjson"]
_STATUSES: tuple[Status, ...] = ("matches", "runs", "cannot match", "filtered", "not run", "not ours")

EXAMPLES = """\b
Examples:
  procwire rules check rules/                        which rules run, and why others do not
  procwire rules check rules/ logs/                  which can match in these logs, and which do
  procwire rules check rules/ --lake /srv/lake       the same of a lake
  procwire rules check rules/ --config sysmon.xml    which of them the Sysmon configuration leaves blind
  procwire rules check rule.yml --sql                the rule in SQL
  procwire rules check rules/ logs/ --to ndjson | jq -r 'select(.status == "cannot match").title'

\b
Each rule is a line PATH:LINE: STATUS: TITLE, as editors and CI know them:
  matches       it does, in these logs
  runs          it could, and does not, or there are no logs to tell
  cannot match  not in these logs, whatever happens: what it asks for is never there
  filtered      the Sysmon configuration does not log what it looks for
  not run       it has a mistake, or asks for what connections do not have
  not ours      it is about other events than network connections (shown with --all)

\b
Exit codes:
  0    every rule about network connections runs, and can match
  1    some do not, or cannot; or nothing could be read
  2    the command line cannot be used, or there is no lake
  3    as 0, of logs with damage
  130  ended by Ctrl-C, 143 by SIGTERM
"""


@ends_well
def check(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="Sigma rules: a file, or a folder.", show_default=False)
    ],
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LOG]...", help="Logs that they are to match in, or Parquet files.", show_default=False
        ),
    ] = None,
    lake: Annotated[
        str | None, typer.Option(metavar="DIR", help="The lake that they are to match in: a folder or URI.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The Sysmon configuration that decides what is logged.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Show each rule's SQL, and nothing else.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also rules about other events.")] = False,
    to: Annotated[CheckFormat, typer.Option(help="Format of the report; ndjson is one object a line.")] = "text",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Check Sigma rules: which run, and which can match nothing in logs, or under a Sysmon configuration, and why.

    The report goes to stdout, a summary to stderr.
    """
    if sql:
        return _show_sql(rules, to)
    options = QueryOptions(logs, lake, since, until, unpack=unpack)
    with Signals() as signals, signals.ended():
        return _check(rules, options, config, signals, show_all=all_, to=to)
    return ExitCode(128 + (signals.received or 0))


def _check(
    path: Path, options: QueryOptions, config: Path | None, signals: Signals, *, show_all: bool, to: CheckFormat
) -> ExitCode:
    from procwire.query import QueryRunner, open_source
    from procwire.sigma import check, load
    from procwire.sysmon.parse import load as load_configuration

    configuration = load_configuration(config, lenient=True) if config else None
    rules, damaged = load([path]), False
    if options.logs or options.lake is not None:
        with open_source(options.source(), progress=query_progress, names=option_names()) as source:
            signals.check()
            if source.ledger is not None:
                report_reading(source.ledger)
                damaged = source.ledger.damaged
            if source.nothing_read:
                return ExitCode.NOTHING_READ
            # Without a limit of its own: it asks as many questions as there are rules.
            runner = QueryRunner(source.connection, progress=query_progress)
            report = runner.run(partial(check, rules, connection=source.connection, configuration=configuration))
    else:
        report = check(rules, configuration=configuration)
    _write((verdict for verdict in report.verdicts if show_all or verdict.status != "not ours"), to)
    _summarize(report)
    if not report.is_sound:
        return ExitCode.INVALID
    return ExitCode.DAMAGED if damaged else ExitCode.VALID


def _write(verdicts: Iterable[Verdict], to: CheckFormat) -> None:
    for verdict in verdicts:
        if to == "ndjson":
            sys.stdout.write(json.dumps(asdict(verdict)) + "\n")
        else:
            sys.stdout.write(plain(f"{verdict.path}:{verdict.line or 1}: {_text(verdict)}") + "\n")
    sys.stdout.flush()


def _text(verdict: Verdict) -> str:
    matches = counted(verdict.matches, "match", "matches") if verdict.matches else ""
    return ": ".join(part for part in (verdict.status, verdict.title, matches, verdict.reason) if part)


def _summarize(report: CheckReport) -> None:
    counts = report.counts
    parts = [f"{counts[status]:,} {'run' if status == 'runs' else status}" for status in _STATUSES if counts[status]]
    sys.stderr.write(f"{counted(len(report.verdicts), 'rule')}: {', '.join(parts) or 'none'}\n")


def _show_sql(path: Path, to: CheckFormat) -> ExitCode:
    """Write each rule's SQL, as a query over the view that has its columns."""
    from procwire.sigma import load

    rules = load([path])
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
