"""A hunt from the command line: what was asked for, over which data, and where the rows go."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.asking import asking
from procwire.cli.exits import ExitCode
from procwire.cli.reading import account
from procwire.cli.signals import Signals
from procwire.cli.sought import Sought, opened
from procwire.cli.ways import RowsWay, columns_among, rows_way
from procwire.errors import UsageError
from procwire.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from procwire.hunts import Hunt
    from procwire.lake.engines import Connection
    from procwire.ledger import Ledger

__all__ = ["Request", "run"]


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `procwire hunt NAME`."""

    sought: Sought
    parameters: list[str]
    to: RowsWay | None
    output: Path | None
    columns: str | None
    limit: int | None
    force: bool


def run(hunt: Hunt, request: Request) -> ExitCode:
    """Hunt, write what is found, and tell of it on stderr."""
    sought = replace(request.sought, since=None) if _looks_back(hunt) else request.sought
    source = opened(sought, called="--files")
    with Signals() as signals, signals.ended():
        return _run(hunt, request, source, signals)
    return ExitCode(128 + (signals.received or 0))


def _run(
    hunt: Hunt,
    request: Request,
    source: AbstractContextManager[tuple[Connection, Ledger | None]],
    signals: Signals,
) -> ExitCode:
    parameters = _parameters(hunt, request)
    # Before anything is read: what is mistyped must not cost the reading.
    hunt.values(parameters)
    schema, way = _schema(hunt, request), rows_way(request.to, request.output)
    with source as (connection, ledger):
        # What reads the logs for DuckDB may have swallowed it.
        signals.check()
        code = ExitCode.ALL_READ if ledger is None else account(ledger)
        if code is not ExitCode.NOTHING_READ:
            with asking(connection, request.sought.limits()) as asked:
                found = asked.run(partial(hunt.run, connection, **parameters))
                rows = _write(asked.each(found), schema, way, request)
            sys.stderr.write(f"{hunt.name}: {counted(rows, 'row') if rows else 'nothing'} found\n")
    return code


def _parameters(hunt: Hunt, request: Request) -> dict[str, object]:
    given: dict[str, object] = {}
    for text in request.parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"found --param {text!r}, expected NAME=VALUE")
        if name.strip() in given:
            raise UsageError(f"found --param {name.strip()} twice, {given[name.strip()]!r} and {value!r}, expected one")
        given[name.strip()] = value
    # Checked in any case, before anything is read.
    since, _ = request.sought.period()
    if since is not None and _looks_back(hunt):
        if "since" in given:
            raise UsageError(f"found --since and --param since={given['since']}, expected one of them")
        given["since"] = since.isoformat()
    return given


def _looks_back(hunt: Hunt) -> bool:
    """Whether the hunt itself asks what is since then, and needs the past to tell what is new."""
    return any(parameter.name == "since" for parameter in hunt.parameters)


def _schema(hunt: Hunt, request: Request) -> pa.Schema:
    import pyarrow as pa

    if request.columns is None:
        return hunt.schema
    return pa.schema([hunt.schema.field(name) for name in columns_among(request.columns, hunt.schema.names)])


def _write(found: Iterable[pa.RecordBatch], schema: pa.Schema, way: RowsWay, request: Request) -> int:
    """Write the rows, and count them."""
    from procwire.cli.output import Output
    from procwire.sinks import open_sink

    rows = 0
    with Output(request.output, force=request.force) as output:
        sink = open_sink(way, output.stream, schema, output.terminal)
        for batch in found:
            part = (_short(batch) if way == "table" else batch).select(schema.names)
            part = part if request.limit is None else part.slice(0, request.limit - rows)
            sink.write(part)
            rows += part.num_rows
        sink.close()
        output.commit()
    return rows


def _short(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Programs by their file's name, as the table of connections has them: a path would not fit."""
    import pyarrow.compute as pc

    index = batch.schema.get_field_index("process_name")
    if index < 0:
        return batch
    return batch.set_column(index, "process_name", pc.replace_substring_regex(batch.column(index), r"^.*[\\/]", ""))
