"""`procwire read`: read logs of any kind as a table of network connections, and write it in any format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli import collecting
from procwire.cli.exits import ExitCode, complain
from procwire.cli.progress import shown_progress
from procwire.cli.reading import exit_code, report, written
from procwire.cli.unpacking import unpack_limits
from procwire.cli.ways import listed, way_of
from procwire.errors import UsageError
from procwire.signals import Signals
from procwire.sinks.formats import canonical
from procwire.targets import check_targets

if TYPE_CHECKING:
    from procwire.choices import InputFormat, Names

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
    since: str | None = None,
    until: str | None = None,
    follow: bool = False,
    recover: bool = False,
    source_format: InputFormat | None = None,
    ledger: Path | None = None,
    config: Path | None = None,
    keep: bool = False,
    lenient: bool = False,
    strict_sysmon: bool = False,
    lake: str | None = None,
    event: str | None = None,
    map_: Path | None = None,
    unpack: str | None = None,
) -> ExitCode:
    """Run `procwire read`, whose options and help are in `verbs`; return its exit code."""
    to = None if to is None else canonical(to)
    if lake is not None and to not in (None, "lake"):
        raise UsageError(f"found --lake with --to {to}, expected one of them")
    into_lake = to == "lake" or lake is not None
    if into_lake:
        # The lake stores complete events, of complete logs.
        changed = None if names == "ossem" else names
        unfit = {"-o": output, "--columns": columns, "--sort": sort, "--limit": limit, "--since": since,
                 "--until": until, "--keep": keep or None, "--names": changed, "--event": event,
                 "--map": map_}  # fmt: skip
        for option in (option for option, value in unfit.items() if value is not None):
            raise UsageError(f"found {option} with the lake, expected none: it keeps whole events, of whole logs")
    _check(columns, sort, to, output, config, follow=follow, rules=keep or lenient or strict_sysmon)
    check_targets(
        [("-o", output), ("--ledger", ledger)], [*paths, *(file for file in (config, map_) if file)], force=force
    )
    limits = unpack_limits(unpack)
    if follow:
        _tell_awaited(paths)
    if into_lake:
        from procwire.cli.lake_reading import read_into_lake

        return read_into_lake(
            paths, lake, ledger=ledger, force=force, follow=follow, where=where, format=source_format, recover=recover,
            config=config, lenient=lenient, strict=strict_sysmon, unpack=limits,
        )  # fmt: skip
    from procwire.cli.output import Output
    from procwire.cli.query_options import period
    from procwire.event import CONNECTION
    from procwire.pipeline import Export, LogRows

    way = way_of(to, output)
    start, end = period(since, until)
    rows = LogRows(
        paths, way=way, names=names, columns=listed(columns), where=where, sort=listed(sort), limit=limit, since=start,
        until=end, format=source_format, recover=recover, follow=follow, config=config, lenient=lenient,
        strict=strict_sysmon, keep=keep, event=event or CONNECTION, unpack=limits, mapping=map_,
    )  # fmt: skip
    with (
        written(rows.ledger, ledger, force=force),
        Output(output, force=force, in_place=follow, inputs=paths) as out,
    ):
        export = Export(rows, way, out.stream, out.terminal)
        collecting.imported()
        hidden = follow or out.terminal is not None
        with Signals() as signals, shown_progress(hidden) as on_progress, signals.ended():
            export.write(on_progress=on_progress, held=signals.held, flush=follow)
        export.close()
        if signals.received is not None:
            out.keep_partial()
        elif not rows.ledger.nothing_read:
            out.commit()
    report(rows.ledger)
    return exit_code(rows.ledger, signals.received)


def _tell_awaited(paths: list[str]) -> None:
    """Say on stderr which logs do not exist, and are waited for: their names may be mistyped."""
    from procwire.sources.inputs import missing_paths, name_of

    for path in missing_paths(paths):
        complain(f"{name_of(path)} does not exist: waiting for it to appear, until Ctrl-C")


def _check(
    columns: str | None,
    sort: str | None,
    to: str | None,
    output: Path | None,
    config: Path | None,
    *,
    follow: bool,
    rules: bool,
) -> None:
    """Raise UsageError for options that do not belong together. rules: whether an option that needs --config is set."""
    if columns is not None and not listed(columns):
        raise UsageError("found no column in --columns, expected names with commas between them")
    if follow and sort:
        raise UsageError("found --sort with --follow, expected one of them: a log that grows has no last row")
    if to is None and output and output.suffix.lower() in _PACKED:
        raise UsageError(f"found {output.suffix} in -o, expected a suffix such as .parquet, or --to: "
                         "results are not packed")  # fmt: skip
    if config is None and rules:
        raise UsageError("found --keep, --lenient or --strict-sysmon without --config FILE, expected both")
