"""`procwire detect`: Sigma rules over the lake, or over logs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.named_files import named_files
from procwire.cli.progress import query_progress
from procwire.cli.query_options import OPTION_NAMES, QueryOptions
from procwire.cli.reading import report
from procwire.cli.ways import rows_way
from procwire.signals import Signals
from procwire.targets import check_targets
from procwire.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import Level
    from procwire.query import OpenSource
    from procwire.sigma import RuleSet

__all__ = ["detect"]


def detect(
    rules: list[Path],
    list_: list[str] | None = None,
    level: Level | None = None,
    to: str | None = None,
    output: Path | None = None,
    force: bool = False,
    columns: str | None = None,
    limit: int | None = None,
    *,
    options: QueryOptions,
) -> ExitCode:
    """Run `procwire detect`, whose options and help are in `verbs`; return its exit code."""
    check_targets([("-o", output)], [*(options.logs or ()), *rules], force=force)
    with Signals() as signals, signals.ended():
        from procwire.cli.detect_sinks import columns_of
        from procwire.query import open_source
        from procwire.sigma import load_usable, summary

        # Before anything is read: what is mistyped must not cost the reading.
        ruleset, way = load_usable(rules, level, named_files("--list", list_)), rows_way(to, output)
        names = columns_of(columns, way)
        with open_source(options.source(), progress=query_progress, names=OPTION_NAMES) as source:
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
    way: str,
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
