"""`procwire sql`: query the lake, or logs, in SQL."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.progress import query_progress
from procwire.cli.query_options import OPTION_NAMES, QueryOptions
from procwire.cli.reading import account
from procwire.cli.ways import way_of
from procwire.errors import UsageError
from procwire.signals import Signals
from procwire.targets import check_targets
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.query import OpenSource

__all__ = ["sql"]

_TERMINAL_ROWS = 100


def sql(
    query: str | None = None,
    file: Path | None = None,
    to: str | None = None,
    output: Path | None = None,
    force: bool = False,
    limit: int | None = None,
    *,
    options: QueryOptions,
) -> ExitCode:
    """Run `procwire sql`, whose options and help are in `verbs`; return its exit code."""
    if file is not None and query is not None and not _is_query(query):
        # The query is in a file: the first argument is a log, too.
        options = replace(options, logs=[query, *(options.logs or ())])
        query = None
    check_targets([("-o", output)], [*(options.logs or ()), *([file] if file else [])], force=force)
    from procwire.query import open_source

    # Before anything is read: a typing error must not cost the reading.
    text = _query(query, file)
    source = open_source(options.source(), progress=query_progress, names=OPTION_NAMES)
    with Signals() as signals, signals.ended(), source as opened:
        if opened.ledger is not None and opened.nothing_read:
            return account(opened.ledger)
        # What reads the logs for DuckDB may have swallowed it.
        signals.check()
        _answer(opened, text, to, output, limit, signals, force=force)
        return ExitCode.ALL_READ if opened.ledger is None else account(opened.ledger)
    return ExitCode(128 + (signals.received or 0))


def _is_query(text: str) -> bool:
    """Return whether an argument reads like SQL, and not like the name of a log."""
    return " " in text.strip() and not os.path.lexists(text)


def _query(query: str | None, file: Path | None) -> str:
    from procwire.query.statement import checked_query, read_query

    if (query is None) == (file is None):
        raise UsageError("expected a query, or --file FILE with one; found " + ("neither" if query is None else "both"))
    if query == "-" or file == Path("-"):
        return read_query(sys.stdin)
    return checked_query(query or "") if file is None else read_query(file)


def _answer(
    source: OpenSource,
    query: str,
    to: str | None,
    output: Path | None,
    limit: int | None,
    signals: Signals,
    *,
    force: bool,
) -> None:
    """Run the query, write its rows, and print their number on stderr."""
    from procwire.cli.output import Output
    from procwire.query import ExportableRows, FirstRows
    from procwire.sinks import open_sink, write_all

    way = way_of(to, output)
    with Output(output, force=force) as out:
        found = source.sql(query)
        rows = ExportableRows(found, found.schema, way)
        sink = open_sink(way, out.stream, rows.schema, out.terminal)
        most = limit if limit is not None else _TERMINAL_ROWS if out.terminal and way == "table" else None
        shown = FirstRows(rows, most or None)
        count = write_all(shown, sink, signals.held)
        sink.close()
        out.commit()
    if shown.has_more and limit is None:
        sys.stderr.write(f"the first {most} rows; --limit 0 shows all\n")
    elif out.terminal is not None:
        sys.stderr.write(f"{counted(count, 'row')}\n")
