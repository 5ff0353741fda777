"""`procwire detect`: Sigma rules over the lake, or over logs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.choices import Level
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import (
    ColumnsOption,
    EngineOption,
    ForceOption,
    LakeOption,
    LogsArgument,
    MasterOption,
    MemoryOption,
    OutputOption,
    QueryOptions,
    RowsToOption,
    SinceOption,
    SpillOption,
    TimeoutOption,
    UnpackOption,
    UntilOption,
    option_names,
)
from procwire.cli.progress import query_progress
from procwire.cli.reading import report
from procwire.cli.signals import Signals
from procwire.cli.targets import check_targets
from procwire.cli.ways import RowsWay, rows_way
from procwire.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.query import OpenSource
    from procwire.sigma import RuleSet

__all__ = ["EXAMPLES", "detect"]

EXAMPLES = """\b
Examples:
  procwire detect --rules rules/ Sysmon.evtx         which rules match, on which host, and why
  procwire detect --rules rules/ --since 7d          over the lake, the last week of it
  procwire detect --rules rules/ --level high logs/ --to ndjson | jq .
  procwire detect --rules base/ --rules ours.yml logs/ -o matches.parquet
  procwire detect --rules rules/ --engine spark --master spark://head:7077
  procwire detect --rules rules/ new.evtx || [ $? -ne 4 ] || page-someone
  procwire rules check rules/ logs/                  what keeps rules from matching

\b
Exit codes:
  0    nothing matched (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used, there is no lake, or no rule that runs
  3    nothing matched, in logs with damage
  4    there are matches
  130  ended by Ctrl-C, 143 by SIGTERM
"""


@ends_well
def detect(
    rules: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="Sigma rules: a file, or a folder with all below it. May be repeated."),
    ],
    logs: LogsArgument = None,
    lake: LakeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    level: Annotated[Level | None, typer.Option(help="Leave out rules below this level. [default: none]")] = None,
    to: RowsToOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    columns: ColumnsOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The first N matches, of a table the latest N; 0 is all. [default: all; table: 20]",
        ),
    ] = None,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = None,
    spill: SpillOption = None,
    timeout: TimeoutOption = "1h",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Detect: run Sigma rules over the lake, or over logs, and tell what matches, and why.

    Each match is a row: the rule, the fields and values that made it match, and the event. A table begins with what
    matched on which host. Exit code 4 says that there are matches.
    """
    check_targets([("-o", output)], [*(logs or ()), *rules], force=force)
    options = QueryOptions(logs, lake, since, until, engine, master, memory, spill, timeout, unpack)
    with Signals() as signals, signals.ended():
        from procwire.cli.detect_sinks import columns_of
        from procwire.query import open_source
        from procwire.sigma import load_usable, summary

        # Before anything is read: what is mistyped must not cost the reading.
        ruleset, way = load_usable(rules, level), rows_way(to, output)
        names = columns_of(columns, way)
        with open_source(options.source(), progress=query_progress, names=option_names()) as source:
            signals.check()
            if source.ledger is not None:
                report(source.ledger)
            if source.nothing_read:
                return ExitCode.NOTHING_READ
            count = _write(_matches(source, ruleset), names, way, limit, output, signals, force=force)
        sys.stderr.write(summary(ruleset, "ran", level) + "\n")
        first = "the first " if way != "table" and limit and count == limit else ""
        sys.stderr.write(first + (counted(count, "match", "matches") if count else "nothing found") + "\n")
        if count:
            return ExitCode.MATCHED
        return ExitCode.DAMAGED if source.ledger is not None and source.ledger.damaged else ExitCode.ALL_READ
    return ExitCode(128 + (signals.received or 0))


def _matches(source: OpenSource, ruleset: RuleSet) -> Iterable[pa.RecordBatch]:
    from procwire.sigma import detect as matches_of

    return source.ask(lambda: matches_of(source.connection, ruleset))


def _write(
    matches: Iterable[pa.RecordBatch],
    names: list[str],
    way: RowsWay,
    limit: int | None,
    path: Path | None,
    signals: Signals,
    *,
    force: bool,
) -> int:
    """Write the matches, and return their number: all of a table, of which only some are shown."""
    from procwire.cli.detect_sinks import open_matches
    from procwire.cli.output import Output

    with Output(path, force=force) as output:
        sink = open_matches(way, output.stream, names, output.terminal, limit)
        for batch in matches:
            with signals.held():
                sink.write(batch)
            if sink.is_full:
                break
        sink.close()
        output.commit()
    return sink.count
