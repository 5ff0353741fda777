"""`procwire read`: any log to the table of network connections, in any format."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.progress import OnProgress, shown_progress
from procwire.cli.read_request import Format, Request, loaded_rules, written
from procwire.cli.reading import exit_code, report
from procwire.cli.unpacking import unpack_limits
from procwire.cli.ways import listed, way_of
from procwire.errors import UsageError
from procwire.lake.location import is_lake
from procwire.signals import Signals
from procwire.sinks.formats import canonical
from procwire.targets import check_targets

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import Names
    from procwire.cli.output import Output
    from procwire.event import Event
    from procwire.ledger import Ledger
    from procwire.select import Selection
    from procwire.sinks import Sink
    from procwire.sysmon import ConfigFilter

__all__ = ["read"]

_PACKED = (".gz", ".zst", ".zip", ".bz2", ".xz", ".tgz")


def read(
    paths: list[str],
    to: str | None = None,
    output: Path | None = None,
    force: bool = False,
    names: Names = "ossem",
    columns: str | None = None,
    where: list[str] | None = None,
    limit: int | None = None,
    sort: str | None = None,
    follow: bool = False,
    recover: bool = False,
    source_format: Format | None = None,
    ledger: Path | None = None,
    config: Path | None = None,
    keep: bool = False,
    lenient: bool = False,
    strict_sysmon: bool = False,
    lake: str | None = None,
    event: str | None = None,
    unpack: str | None = None,
) -> ExitCode:
    """Run `procwire read`, whose options and help are in `verbs`; return its exit code."""
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
