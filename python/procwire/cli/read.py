"""`procwire read`: any log to the table of network connections, in any format."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import (
    EventColumnsOption,
    ForceOption,
    NamesOption,
    OutputOption,
    UnpackOption,
    WhereOption,
)
from procwire.cli.progress import OnProgress, shown_progress
from procwire.cli.read_request import Format, Request, Way, loaded_rules, written
from procwire.cli.reading import exit_code, report
from procwire.cli.signals import Signals
from procwire.cli.targets import check_targets
from procwire.cli.unpacking import unpack_limits
from procwire.cli.ways import listed, way_of
from procwire.errors import UsageError
from procwire.lake.location import is_lake
from procwire.sinks.formats import canonical

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.cli.output import Output
    from procwire.event import Event
    from procwire.ledger import Ledger
    from procwire.select import Selection
    from procwire.sinks import Sink
    from procwire.sysmon import ConfigFilter

__all__ = ["EXAMPLES", "read"]

EXAMPLES = """\b
Examples:
  procwire read Sysmon.evtx                        a table of the connections
  procwire read logs/ -o connections.parquet       every log of a folder, packed ones too
  procwire read '*.evtx.gz' --to csv-safe | head   CSV to look at, the first rows
  zcat big.json.gz | procwire read - --limit 10    from a pipe
  procwire read Sysmon.evtx --follow               go on as the log grows, until Ctrl-C
  procwire read Sysmon.evtx --recover --ledger what-was-read.json
  procwire read logs/ --config sysmonconfig.xml    what this configuration would have logged
  procwire read logs/ --to lake                    keep them, each event once, to ask of them later
  procwire read logs/ --event process-creation     the processes that were created, with their command lines

\b
  procwire read logs/ --columns event_creation_time,process_name,dst_ip,dst_port \\
    --where "network_protocol = 'tcp' AND dst_port NOT IN (80, 443)" --sort=-event_creation_time

\b
Exit codes:
  0    all was read (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used
  3    read with damage: what was readable is written, the ledger says what was not
  130  ended by Ctrl-C, 143 by SIGTERM: what was done is kept
"""
_PACKED = (".gz", ".zst", ".zip", ".bz2", ".xz", ".tgz")


@ends_well
def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Logs: files, folders (with all below), patterns; gzip, zstd, zip and tar are unpacked; - is stdin. "
            "The format is recognised by content.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Way | None,
        typer.Option(help="Format of the result. [default: by the suffix of -o; table on a terminal; else ndjson]"),
    ] = None,
    output: OutputOption = None,
    force: ForceOption = False,
    names: NamesOption = "ossem",
    columns: EventColumnsOption = None,
    where: WhereOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after N rows.")] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="Sort by these columns; -COLUMN is descending. Reads all first."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more as the log grows, until Ctrl-C.")] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Also carve records from slack space and broken chunks of EVTX files.")
    ] = False,
    source_format: Annotated[
        Format | None, typer.Option("--from", help="Format of the logs, where it is not to be recognised.")
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to FILE, as JSON, what was read, passed over and damaged, and where."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Sysmon's configuration: keep what it would have logged, under its rules' names."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", "--keep-unlogged", help="With --config: keep all, marked in the column logged.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="With --config: read on where Sysmon would refuse or skip something.")
    ] = False,
    strict_sysmon: Annotated[
        bool, typer.Option("--strict-sysmon", help="With --config: Sysmon's bug of stale rule names, too.")
    ] = False,
    lake: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Add to the lake in DIR, or at a URI; each log once. [default of --to lake: PROCWIRE_LAKE, else the "
            "user's own]",
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT",
            help="Read this event instead of connections: process-creation (or 1), dns-query (or 22). "
            "[default: connection (or 3)]",
        ),
    ] = None,
    unpack: UnpackOption = None,
) -> ExitCode:
    """Read network connections (Sysmon's event 3) from logs of any kind, as one typed table.

    Rows go to stdout or to a file; progress and the account of the reading go to stderr.
    """
    request = Request(
        paths=paths,
        to=None if to is None else canonical(to),
        output=output,
        names=names,
        columns=listed(columns),
        where=where or [],
        limit=limit,
        sort=listed(sort),
        follow=follow,
        recover=recover,
        format=source_format,
        ledger=ledger,
        config=config,
        keep=keep,
        lenient=lenient,
        strict_sysmon=strict_sysmon,
        lake=lake,
        event=event,
        force=force,
        unpack=unpack_limits(unpack),
    )
    _check(request)
    check_targets([("-o", output), ("--ledger", ledger)], [*paths, *([config] if config else [])], force=force)
    if request.into_lake:
        from procwire.cli.lake_reading import read_into_lake

        return read_into_lake(request)
    return _read(request)


def _check(request: Request) -> None:
    if request.lake is not None and request.to not in (None, "lake"):
        raise UsageError(f"found --lake with --to {request.to}, expected one of them")
    if request.into_lake:
        _check_for_lake(request)
    if request.columns == []:
        raise UsageError("found no column in --columns, expected names with commas between them")
    if request.follow and request.sort:
        raise UsageError("found --sort with --follow, expected one of them: a log that grows has no last row")
    if request.to is None and request.output and request.output.suffix.lower() in _PACKED:
        raise UsageError(f"found {request.output.suffix} in -o, expected a suffix such as .parquet, or --to: "
                         "results are not packed")  # fmt: skip
    if request.config is None and (request.keep or request.lenient or request.strict_sysmon):
        raise UsageError("found --keep, --lenient or --strict-sysmon without --config FILE, expected both")


def _check_for_lake(request: Request) -> None:
    """The lake has whole events, and each log from its beginning to its end."""
    for option, found in {
        "-o": request.output, "--columns": request.columns, "--sort": request.sort, "--limit": request.limit,
        "--keep": request.keep or None, "--names": None if request.names == "ossem" else request.names,
        "--event": request.event,
    }.items():  # fmt: skip
        if found is not None:
            raise UsageError(f"found {option} with the lake, expected none: it keeps whole events, of whole logs")


def _read(request: Request) -> ExitCode:
    from procwire.cli.output import Output
    from procwire.ledger import Ledger
    from procwire.select import selection_for
    from procwire.sinks import open_sink

    _check_no_lake(request.paths)
    way = way_of(request.to, request.output)
    event = _event(request)
    selection = selection_for(
        way,
        names=request.names,
        columns=request.columns,
        where=request.where,
        sort=request.sort,
        limit=request.limit,
        event=event,
        configured=request.config is not None,
        marked=request.keep,
    )
    rules = loaded_rules(request)
    ledger = Ledger()
    with (
        written(ledger, request.ledger, force=request.force),
        Output(request.output, force=request.force, in_place=request.follow, inputs=request.paths) as output,
    ):
        sink = open_sink(way, output.stream, selection.schema, output.terminal)
        signal_number = _pump(request, event, selection, rules, ledger, output, sink)
        sink.close()
        if signal_number is not None:
            output.keep_partial()
        elif not ledger.nothing_read:
            output.commit()
    report(ledger)
    return exit_code(ledger, signal_number)


def _check_no_lake(paths: Sequence[str]) -> None:
    """A lake's commits look like logs without events: to whoever names one, nothing would seem to be there."""
    for path in paths:
        if is_lake(path):
            raise UsageError(
                f"found the lake {path}, expected logs: `procwire lake export --lake {path}` writes its rows"
            )


def _event(request: Request) -> Event:
    from procwire.event import CONNECTION, event_named

    event = CONNECTION if request.event is None else event_named(request.event)
    if event != CONNECTION and request.config is not None:
        raise UsageError(f"found --config with --event {event.name}, expected connection: rules are for these")
    return event


def _pump(
    request: Request,
    event: Event,
    selection: Selection,
    rules: ConfigFilter | None,
    ledger: Ledger,
    output: Output,
    sink: Sink,
) -> int | None:
    """Write every batch; the signal that ended it, if one did."""
    with Signals() as signals, shown_progress(request.follow or output.terminal is not None) as on_progress:
        batches = _batches(request, event, rules, ledger, on_progress)
        rows = selection.apply(batches)
        try:
            with signals.ended():
                for batch in rows:
                    with signals.held():
                        sink.write(batch)
                        if request.follow:
                            output.stream.flush()
        finally:
            _close(rows)
            _close(batches)
    return signals.received


def _batches(
    request: Request, event: Event, rules: ConfigFilter | None, ledger: Ledger, on_progress: OnProgress | None
) -> Iterator[pa.RecordBatch]:
    from procwire.sources import read_batches

    batches = read_batches(
        request.paths,
        format=request.format,
        recover=request.recover,
        follow=request.follow,
        event=event,
        ledger=ledger,
        on_progress=on_progress,
        unpack=request.unpack,
    )
    if rules is None:
        return batches
    from procwire.api import logged_batches

    return logged_batches(batches, rules, ledger)


def _close(iterator: Iterator[pa.RecordBatch]) -> None:
    if isinstance(iterator, Generator):
        iterator.close()
