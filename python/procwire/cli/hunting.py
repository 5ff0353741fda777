"""A hunt from the command line: what was asked for, over which data, and where the rows go."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from procwire.cli.exits import ExitCode
from procwire.cli.reading import account, progress
from procwire.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from procwire.hunts import Hunt
    from procwire.ledger import Ledger

__all__ = ["HuntWay", "Request", "run"]

HuntWay = Literal["table", "ndjson", "csv", "parquet", "arrow"]


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `procwire hunt NAME`."""

    files: list[str]
    lake: str | None
    since: str | None
    parameters: list[str]
    to: HuntWay | None
    output: Path | None
    columns: str | None
    limit: int | None


def run(hunt: Hunt, request: Request) -> ExitCode:
    """Hunt, write what is found, and tell of it on stderr."""
    from procwire.ledger import Ledger

    parameters = _parameters(hunt, request)
    # Before anything is read: what is mistyped must not cost the reading.
    hunt.values(parameters)
    schema = _schema(hunt, request)
    way = _way(request)
    if not request.files:
        with _lake(hunt, request) as connection:
            _tell(hunt, _write(hunt.run(connection, **parameters), schema, way, request))
        return ExitCode.ALL_READ
    ledger = Ledger()
    with _logs(hunt, request, ledger) as connection:
        code = account(ledger)
        if code is not ExitCode.NOTHING_READ:
            _tell(hunt, _write(hunt.run(connection, **parameters), schema, way, request))
    return code


def _parameters(hunt: Hunt, request: Request) -> dict[str, object]:
    given: dict[str, object] = {}
    for text in request.parameters:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"found --param {text!r}, expected NAME=VALUE")
        given[name.strip()] = value
    if request.since is not None and _looks_back(hunt):
        given.setdefault("since", _time(request.since).isoformat())
    return given


def _looks_back(hunt: Hunt) -> bool:
    """Whether the hunt itself asks what is since then, and needs the past to tell what is new."""
    return any(parameter.name == "since" for parameter in hunt.parameters)


def _time(text: str) -> datetime:
    from procwire.cli.quantities import seconds

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - timedelta(seconds=seconds(text))
        except (UsageError, OverflowError) as error:
            raise UsageError(
                f"found --since {text!r}, expected a duration such as 7d or 12h, or a time such as 2024-05-01"
            ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _schema(hunt: Hunt, request: Request) -> pa.Schema:
    import pyarrow as pa

    if request.columns is None:
        return hunt.schema
    names = [name.strip() for name in request.columns.split(",") if name.strip()]
    unknown = [name for name in names if name not in hunt.schema.names]
    if unknown or not names:
        raise UsageError(
            f"found column {', '.join(unknown) or 'none'!r}, expected some of {', '.join(hunt.schema.names)}"
        )
    return pa.schema([hunt.schema.field(name) for name in names])


def _since(hunt: Hunt, request: Request) -> datetime | None:
    """From when on the data are looked at."""
    return None if request.since is None or _looks_back(hunt) else _time(request.since)


def _lake(hunt: Hunt, request: Request) -> duckdb.DuckDBPyConnection:
    import procwire

    return cast("duckdb.DuckDBPyConnection", procwire.connect(request.lake, since=_since(hunt, request)))


def _logs(hunt: Hunt, request: Request, ledger: Ledger) -> duckdb.DuckDBPyConnection:
    import pyarrow as pa

    import procwire
    from procwire.select import STORED_GROUPS, Selection
    from procwire.sources import read_batches

    since = _since(hunt, request)
    where = since and f"event_creation_time >= TIMESTAMPTZ '{since.isoformat()}'"
    selection = Selection(where=where, groups=STORED_GROUPS)
    with progress() as on_progress:
        batches = read_batches(request.files, ledger=ledger, on_progress=on_progress)
        table = pa.Table.from_batches(selection.apply(batches), selection.schema)
    return cast("duckdb.DuckDBPyConnection", procwire.connect(table))


def _way(request: Request) -> HuntWay:
    from procwire.sinks import sink_for_suffix

    if request.to is not None:
        return request.to
    if request.output is None or request.output == Path("-"):
        return "table" if sys.stdout.isatty() else "ndjson"
    way = sink_for_suffix(request.output.suffix) or "ndjson"
    if way == "xml":
        raise UsageError("found .xml in -o, expected another format: xml holds events only")
    return cast(HuntWay, way)


def _write(found: pa.RecordBatchReader, schema: pa.Schema, way: HuntWay, request: Request) -> int:
    """Write the rows, and count them."""
    from procwire.cli.output import Output
    from procwire.sinks import open_sink

    rows = 0
    with Output(None if request.output == Path("-") else request.output) as output:
        sink = open_sink(way, output.stream, schema, output.terminal)
        for batch in found:
            part = batch.select(schema.names)
            part = part if request.limit is None else part.slice(0, request.limit - rows)
            sink.write(part)
            rows += part.num_rows
        sink.close()
        output.commit()
    return rows


def _tell(hunt: Hunt, rows: int) -> None:
    told = "nothing" if rows == 0 else f"{rows:,} row{'' if rows == 1 else 's'}"
    sys.stderr.write(f"{hunt.name}: {told} found\n")
