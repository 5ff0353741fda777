"""`procwire sql`: any question to the lake, or to logs, in SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import (
    EngineOption,
    FilesOption,
    ForceOption,
    LakeOption,
    MasterOption,
    MemoryOption,
    OutputOption,
    QueryOptions,
    SinceOption,
    SpillOption,
    TimeoutOption,
    ToOption,
    UnpackOption,
    UntilOption,
    option_names,
)
from procwire.cli.progress import query_progress
from procwire.cli.reading import account
from procwire.cli.signals import Signals
from procwire.cli.targets import check_targets
from procwire.cli.ways import Way, way_of
from procwire.errors import UsageError
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.cli.output import Output
    from procwire.query import OpenSource

__all__ = ["EXAMPLES", "sql"]

EXAMPLES = """\b
Examples:
  procwire sql "SELECT process_name, count(*) FROM connections GROUP BY ALL ORDER BY 2 DESC"
  procwire sql "FROM destinations ORDER BY connections DESC" --limit 20
  procwire sql "FROM connections WHERE ip_in(dst_ip, '10.0.0.0/8')" --files logs/ --to csv
  procwire sql "FROM pairs WHERE NOT is_private(dst_ip)" --since 7d -o pairs.parquet
  procwire sql "FROM connections" --files week.parquet --since 2024-03-01 --until 2024-03-02
  procwire sql --file question.sql
  procwire sql --file question.sql --engine spark --master spark://head:7077
  procwire sql "DESCRIBE connections"              its columns; SHOW TABLES: all there is to ask

\b
Exit codes:
  0    answered (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used, there is no lake, the SQL is not one query, or it exceeds a limit
  3    answered, from logs with damage
  130  ended by Ctrl-C, 143 by SIGTERM
"""
_TERMINAL_ROWS = 100


@ends_well
def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="A query in DuckDB's SQL; - is stdin.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Read the query from FILE; - is stdin.")] = None,
    files: FilesOption = None,
    lake: LakeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    to: ToOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Stop after N rows; 0 is all. [default: 100 on a terminal, else all]"),
    ] = None,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = None,
    spill: SpillOption = None,
    timeout: TimeoutOption = "1h",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Ask the lake, or logs, in SQL: connections, processes, destinations, pairs, process_creations, dns_queries,
    and enriched: connections with command line, parent and the name asked for.

    `connections` has a row for each event, under the names of `procwire dictionary`; ip_in(dst_ip, '10.0.0.0/8'),
    is_private(dst_ip) and other functions test addresses.
    """
    check_targets([("-o", output)], [*(files or ()), *([file] if file else [])], force=force)
    from procwire.query import open_source

    # Before anything is read: what is mistyped must not cost the reading.
    text = _query(query, file)
    options = QueryOptions(files, lake, since, until, engine, master, memory, spill, timeout, unpack)
    source = open_source(options.source(), progress=query_progress, names=option_names("--files"))
    with Signals() as signals, signals.ended(), source as opened:
        if opened.ledger is not None and opened.nothing_read:
            return account(opened.ledger)
        # What reads the logs for DuckDB may have swallowed it.
        signals.check()
        _answer(opened, text, to, output, limit, signals, force=force)
        return ExitCode.ALL_READ if opened.ledger is None else account(opened.ledger)
    return ExitCode(128 + (signals.received or 0))


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
    to: Way | None,
    output: Path | None,
    limit: int | None,
    signals: Signals,
    *,
    force: bool,
) -> None:
    """Run the query and write what it gives."""
    from procwire.cli.output import Output
    from procwire.query import ExportableRows, first_rows
    from procwire.sinks import open_sink

    way = way_of(to, output)
    with Output(output, force=force) as out:
        found = source.sql(query)
        rows = ExportableRows(found, found.schema, way)
        sink = open_sink(way, out.stream, rows.schema, out.terminal)
        most = limit if limit is not None else _TERMINAL_ROWS if out.terminal and way == "table" else None
        count = 0
        # One more than is shown tells whether there are more.
        for batch in first_rows(rows, most + 1 if most else None):
            with signals.held():
                sink.write(batch.slice(0, most - count) if most else batch)
            count += batch.num_rows
        sink.close()
        out.commit()
    _tell(count, most, out, limit)


def _tell(count: int, most: int | None, out: Output, limit: int | None) -> None:
    if most and count > most and limit is None:
        sys.stderr.write(f"the first {most} rows; --limit 0 shows all\n")
    elif out.terminal is not None:
        shown = min(count, most or count)
        sys.stderr.write(f"{counted(shown, 'row')}\n")
