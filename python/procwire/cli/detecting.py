"""Sigma rules from the command line: which rules, over which data, and where the matches go."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.asking import asking
from procwire.cli.exits import ExitCode
from procwire.cli.reading import report
from procwire.cli.request import Level
from procwire.cli.signals import Signals
from procwire.cli.sought import Sought, opened
from procwire.cli.ways import RowsWay, rows_way
from procwire.errors import UsageError
from procwire.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.sigma import RuleSet

__all__ = ["Request", "loaded", "run", "told_of"]

_SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `procwire detect`."""

    rules: list[Path]
    sought: Sought
    level: Level | None
    to: RowsWay | None
    output: Path | None
    columns: str | None
    limit: int | None
    force: bool


def run(request: Request) -> ExitCode:
    """Detect, write what matches, and tell of it on stderr."""
    with Signals() as signals, signals.ended():
        return _run(request, signals)
    return ExitCode(128 + (signals.received or 0))


def _run(request: Request, signals: Signals) -> ExitCode:
    from procwire.cli.detect_sinks import columns_of
    from procwire.sigma import detect

    # Before anything is read: what is mistyped must not cost the reading.
    rules, way = loaded(request.rules, request.level), rows_way(request.to, request.output)
    names = columns_of(request.columns, way)
    with opened(request.sought) as (connection, ledger):
        signals.check()
        if ledger is not None:
            report(ledger)
            if ledger.nothing_read:
                return ExitCode.NOTHING_READ
        with asking(connection, request.sought.limits()) as asked:
            matches = asked.run(partial(detect, connection, rules))
            count = _write(asked.each(matches), names, way, request, signals)
    sys.stderr.write(told_of(rules, "ran", request.level) + "\n")
    first = "the first " if way != "table" and request.limit and count == request.limit else ""
    sys.stderr.write(first + (counted(count, "match", "matches") if count else "nothing found") + "\n")
    if count:
        return ExitCode.MATCHED
    return ExitCode.DAMAGED if ledger is not None and ledger.damaged else ExitCode.ALL_READ


def loaded(paths: Iterable[Path], level: Level | None = None) -> RuleSet:
    """The rules of these files and folders, of at least this level. Raises UsageError where none runs."""
    from procwire.sigma import load

    rules = load(list(paths))
    chosen = rules.at_least(level) if level else rules
    if not chosen.rules:
        below = [f"{counted(len(rules.rules), 'rule')} below {level}"] if rules.rules else []
        told = "; ".join([*below, *_problems(rules)]) or "no rule at all"
        raise UsageError(f"found {told}; expected a Sigma rule for network connections")
    return chosen


def told_of(rules: RuleSet, what: str, level: Level | None = None) -> str:
    """How many rules ran (`what`), and which did not, and why, in a line."""
    above = f" of level {level} and above" if level and level != "informational" else ""
    return "; ".join([f"{counted(len(rules.rules), 'Sigma rule')}{above} {what}", *_problems(rules)])


def _problems(rules: RuleSet) -> Iterator[str]:
    from procwire.sinks.plain import plain

    others = [problem for problem in rules.problems if not problem.is_ours]
    ours = [problem for problem in rules.problems if problem.is_ours]
    if others:
        yield f"{len(others):,} not for network connections"
    if ours:
        places = [f"{one.path}:{one.line or 1}: {one.reason}" for one in ours[:_SHOWN_PROBLEMS]]
        more = f" and {len(ours) - _SHOWN_PROBLEMS:,} more" if len(ours) > _SHOWN_PROBLEMS else ""
        yield plain(f"{len(ours):,} not run ({'; '.join(places)}{more}: `procwire rules check` tells all)")


def _write(
    matches: Iterable[pa.RecordBatch], names: list[str], way: RowsWay, request: Request, signals: Signals
) -> int:
    """Write the matches, and count them: all of a table, of which only some are shown."""
    from procwire.cli.detect_sinks import open_matches
    from procwire.cli.output import Output

    with Output(request.output, force=request.force) as output:
        sink = open_matches(way, output.stream, names, output.terminal, request.limit)
        for batch in matches:
            with signals.held():
                sink.write(batch)
            if sink.is_full:
                break
        sink.close()
        output.commit()
    return sink.count
