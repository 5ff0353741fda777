"""`procwire sql`: any question to the lake, or to logs, in SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.cli.asking import asking
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.reading import account
from procwire.cli.signals import Signals
from procwire.cli.sought import (
    EngineOption,
    LakeOption,
    MasterOption,
    MemoryOption,
    SinceOption,
    Sought,
    SpillOption,
    TimeoutOption,
    UntilOption,
    opened,
)
from procwire.cli.targets import check_targets
from procwire.cli.unpacking import UnpackOption
from procwire.cli.ways import ForceOption, OutputOption, ToOption, Way, way_of
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.cli.output import Output
    from procwire.engine import Limits
    from procwire.lake.engines import Connection

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
    files: Annotated[
        list[str] | None,
        typer.Option("--files", metavar="PATH", help="Ask logs instead of the lake, or Parquet files; repeatable."),
    ] = None,
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
    from procwire.engine import one_query

    # Before anything is read: what is mistyped must not cost the reading.
    text = one_query(_query_text(query, file))
    sought = Sought(files, lake, since, until, engine, master, memory, spill, timeout, unpack)
    source = opened(sought, called="--files")
    with Signals() as signals, signals.ended(), source as (connection, ledger):
        if ledger is not None and ledger.nothing_read:
            return account(ledger)
        # What reads the logs for DuckDB may have swallowed it.
        signals.check()
        _answer(connection, text, to, output, limit, sought.limits(), signals, force=force)
        return ExitCode.ALL_READ if ledger is None else account(ledger)
    return ExitCode(128 + (signals.received or 0))


def _query_text(query: str | None, file: Path | None) -> str:
    from procwire.engine.check import MOST_BYTES

    if (query is None) == (file is None):
        raise UsageError("expected a query, or --file FILE with one; found " + ("neither" if query is None else "both"))
    if query == "-" or file == Path("-"):
        text = sys.stdin.read(MOST_BYTES + 1)
    elif file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                # It may be endless; one more than is allowed is refused.
                text = lines.read(MOST_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read {file}: {error}") from error
    else:
        text = query or ""
    if not text.strip():
        raise UsageError("found an empty query, expected SQL such as SELECT * FROM connections")
    return text


def _answer(
    connection: Connection,
    query: str,
    to: Way | None,
    output: Path | None,
    limit: int | None,
    limits: Limits,
    signals: Signals,
    *,
    force: bool,
) -> None:
    """Run the query and write what it gives."""
    from procwire.cli.output import Output
    from procwire.cli.results import Shaped, first_rows
    from procwire.sinks import open_sink

    way = way_of(to, output)
    with asking(connection, limits) as asked, Output(output, force=force) as out:
        reader = asked.run(lambda: connection.sql(query).to_arrow_reader())
        rows = Shaped(asked.each(reader), reader.schema, way)
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
        sys.stderr.write(f"{shown:,} row{'' if shown == 1 else 's'}\n")
