"""`procwire record`: the connections of this machine, live, in any format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.cli.commands import Command
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import EventColumnsOption, NamesOption, WhereOption
from procwire.cli.request import Level, Protocol, Request, Sensor, Target, Way
from procwire.cli.targets import check_targets
from procwire.cli.ways import listed
from procwire.errors import RecordError, UsageError
from procwire.lake.location import check_location, resolve
from procwire.sinks.formats import RECORD_FORMATS, canonical, format_named, format_of_path
from procwire.units import seconds, size_bytes

if TYPE_CHECKING:
    from typer._click import Context

__all__ = ["EXAMPLES", "RecordCommand", "record"]

EXAMPLES = """\b
Examples:
  sudo procwire record --all                       watch, until Ctrl-C
  sudo procwire record --all --for 1h -o connections.parquet --user $USER
  sudo procwire record -n curl,wget --attempts     two programs, and what they failed to reach
  procwire record --all --sensor poll              without root: best effort
  sudo procwire record --config sysmonconfig.xml   what Sysmon's configuration logs
  sudo procwire record --all --to syslog           as Sysmon for Linux does
  sudo procwire record --all --to lake             keep them, to ask of them later
  sudo procwire record --all -o /var/log/procwire/c.ndjson --rotate-size 100MB --keep 10
  sudo procwire record --all --detect rules/       alerts by Sigma rules, among the connections
  sudo procwire record --all --where "dst_port NOT IN (53, 443)" --to ndjson | jq .
  procwire record --status                         what records, and what could

\b
Exit codes:
  0    recorded as long as was asked for (or the pipe that takes the rows was closed)
  1    could not record; with --status: nothing records
  2    the command line cannot be used, or asks for no connection
  3    recorded, but events were lost: the stream and the ledger say how many
  130  ended by Ctrl-C, 143 by SIGTERM: what was recorded is kept
"""

_DISABLED = (
    "network connection logging is disabled by default: enable it with --all, for every process, -n PROCESS,... "
    "for some, or --config FILE, for what a configuration logs"
)


class RecordCommand(Command):
    """Lets -n stand without a value, as Sysmon's own switch may."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Give a bare -n the empty value."""
        given = list(args)
        for index in reversed([place for place, argument in enumerate(given) if argument == "-n"]):
            if index + 1 == len(given) or given[index + 1].startswith("-"):
                given.insert(index + 1, "")
        return super().parse_args(ctx, given)


@ends_well
def record(
    all_: Annotated[bool, typer.Option("--all", help="Record the connections of every process.")] = False,
    images: Annotated[
        str | None,
        typer.Option(
            "-n",
            metavar="[PROCESS,...]",
            help="Sysmon's own switch: record these processes, by name or path; all of them without a list.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Record what this Sysmon configuration logs; reloaded when it changes, and at SIGHUP.",
        ),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Read --config on where Sysmon refuses it, or skips something.")
    ] = False,
    strict_sysmon: Annotated[
        bool, typer.Option("--strict-sysmon", help="With Sysmon's bug that names an event after a rule that failed.")
    ] = False,
    keep_unlogged: Annotated[
        bool,
        typer.Option("--keep-unlogged", help="Keep what --config does not log; the column `logged` tells it apart."),
    ] = False,
    to: Annotated[
        list[Way] | None,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(RECORD_FORMATS[:-1])} or {RECORD_FORMATS[-1]}; once for each output, in their "
            "order. [default: by the suffix of -o; table on a terminal; else ndjson] xml and syslog hold Sysmon's "
            "events: connections, and losses, only. syslog without -o goes to the system's log, lake to --lake.",
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to FILE (again and again, if given so)."),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Keep in the lake in DIR, or at a URI. [default of --to lake: PROCWIRE_LAKE, else the account's own]",
        ),
    ] = None,
    names: NamesOption = "ossem",
    columns: EventColumnsOption = None,
    where: WhereOption = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Record for so long: 10s, 5m, 1h.")
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after N rows.")] = None,
    sensor: Annotated[
        Sensor,
        typer.Option(
            help="ebpf sees everything and needs root; poll looks at intervals: best effort. auto: ebpf "
            "where it can be had, else poll."
        ),
    ] = "auto",
    interval: Annotated[str, typer.Option(metavar="DURATION", help="How often poll looks.")] = "1s",
    protocol: Annotated[
        Protocol,
        typer.Option(help="all: TCP, UDP, and names from DNS. tcp: TCP alone, which costs other programs less."),
    ] = "all",
    udp_idle: Annotated[
        str, typer.Option(metavar="DURATION", help="Record a UDP flow again after so long a silence.")
    ] = "30m",
    attempts: Annotated[
        bool,
        typer.Option("--attempts", help="Also TCP connections that failed, and why, and UDP that was refused. (ebpf)"),
    ] = False,
    closes: Annotated[
        bool, typer.Option("--closes", help="Also the ends of TCP connections: duration, bytes, packets. (ebpf)")
    ] = False,
    existing: Annotated[
        bool, typer.Option("--existing", help="Also connections that are open when the recording begins.")
    ] = False,
    dns_lookup: Annotated[
        bool, typer.Option("--dns-lookup/--no-dns-lookup", help="Name hosts by reverse look-ups, too.")
    ] = True,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Account to become once all is open. [default: procwire, else nobody]"),
    ] = None,
    rotate_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Begin a new file when one has grown so large: 100MB.")
    ] = None,
    rotate_every: Annotated[str | None, typer.Option(metavar="DURATION", help="Begin a new file so often: 1h.")] = None,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Of old files, keep the newest N. [default: all]")
    ] = None,
    buffer_mb: Annotated[
        int, typer.Option(metavar="N", min=1, max=1024, help="Size of the kernel's buffer, in MiB. (ebpf)")
    ] = 16,
    ledger: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to FILE, as JSON, what was captured, filtered, written and lost."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite --ledger if it exists. Files of -o are appended to.")
    ] = False,
    detect: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Raise alerts by the Sigma rules in this file or folder, reloaded at SIGHUP. May be repeated.",
        ),
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Leave out Sigma rules below this level. [default: none]")] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Show what records on this machine, or what could, and exit.")
    ] = False,
) -> ExitCode:
    """Record the network connections of this Linux machine as they are made (Sysmon's event 3), each with its process.

    Rows go to stdout or to files; what is recorded how, and the account at the end, go to stderr.
    """  # fmt: skip
    if status:
        from procwire.cli.record_status import print_status

        return print_status(as_json=[canonical(way) for way in to or ()] == ["ndjson"])
    if not all_ and images is None and config is None:
        raise UsageError(_DISABLED)
    if all_ and config is not None:
        raise UsageError(f"found --all with --config {config}, expected one: a configuration says what is logged")
    check_location(lake)
    targets = _targets(_ways(to or [], lake), output or [])
    request = Request(
        images=None if all_ else listed(images),
        config=config,
        lenient=lenient,
        strict_sysmon=strict_sysmon,
        keep_unlogged=keep_unlogged,
        targets=targets,
        names=names,
        columns=listed(columns),
        where=where or [],
        duration_s=None if duration is None else seconds(duration),
        count=count,
        sensor=sensor,
        interval_s=seconds(interval),
        protocol=protocol,
        udp_idle_s=seconds(udp_idle),
        attempts=attempts,
        closes=closes,
        existing=existing,
        dns_lookup=dns_lookup,
        user=user,
        rotate_bytes=None if rotate_size is None else size_bytes(rotate_size),
        rotate_s=None if rotate_every is None else seconds(rotate_every),
        keep=keep,
        ring_bytes=buffer_mb << 20,
        ledger=ledger,
        detect=tuple(detect or ()),
        level=level,
        force=force,
        # Once, for it depends on account and environment; the recording changes its account.
        lake=resolve(lake) if any(target.way == "lake" for target in targets) else None,
    )
    _check(request)
    _check_files(request)
    if sys.platform != "linux":
        raise RecordError(f"found {sys.platform}, expected Linux: other systems' logs can be read, not recorded")
    if request.lake is not None:
        from procwire.lake.owner import hand_over

        hand_over(request.lake, user)
    from procwire.cli.recording import run

    return run(request)


def _ways(to: list[str], lake: str | None) -> list[str]:
    """--lake alone says --to lake."""
    named = [canonical(way) for way in to]
    return named if lake is None or "lake" in named else [*named, "lake"]


def _targets(ways: list[str], paths: list[Path]) -> tuple[Target, ...]:
    """The first format is for the first file, and so on; a lake is no file."""
    lakes = ways.count("lake")
    if lakes > 1:
        raise UsageError("found --to lake twice, expected it once: a recording is kept in one lake")
    ways = [way for way in ways if way != "lake"]
    count = max(len(ways), len(paths), 0 if lakes else 1)
    padded_ways: list[str | None] = [*ways, *[None] * (count - len(ways))]
    padded_paths: list[Path | None] = [*paths, *[None] * (count - len(paths))]
    targets = (*map(_target, padded_ways, padded_paths), *[Target("lake", None, False)] * lakes)
    if sum(target.to_stdout for target in targets) > 1:
        raise UsageError("found more than one output to stdout, expected -o FILE for all but one")
    return targets


def _target(way: str | None, path: Path | None) -> Target:
    if path is None or path == Path("-"):
        to_system = way == "syslog" and path is None
        return Target(way or ("table" if sys.stdout.isatty() else "ndjson"), None, not to_system)
    if way is None:
        way = format_of_path(path)
    return Target(way, path, False)


def _check_files(request: Request) -> None:
    inputs = [*([request.config] if request.config else []), *request.detect]
    # A folder that is not there is made, or refused, later.
    files = [("-o", target.path) for target in request.targets if target.path is None or target.path.parent.exists()]
    # What is there is gone on with, or set aside; but for the ledger.
    check_targets([*files, ("--ledger", request.ledger)], inputs, force=True)
    check_targets([("--ledger", request.ledger)], force=request.force)


def _check(request: Request) -> None:
    if request.columns == []:
        raise UsageError("found no column in --columns, expected names with commas between them")
    whole = [target.way for target in request.targets if format_named(target.way).whole_events]
    if len(whole) == len(request.targets) and (request.columns or request.names != "ossem"):
        raise UsageError(f"found --names or --columns, expected neither with {whole[0]}, which holds whole events")
    if request.config is None and (request.lenient or request.strict_sysmon or request.keep_unlogged):
        raise UsageError("found --lenient, --strict-sysmon or --keep-unlogged without --config FILE")
    if request.level is not None and not request.detect:
        raise UsageError("found --level without --detect PATH, expected both: it is about Sigma rules")
    if request.keep_unlogged and whole:
        raise UsageError(f"found --keep-unlogged with {whole[0]}, which has no place to tell that a row is not logged")
    rotates = request.rotate_bytes or request.rotate_s or request.keep is not None
    if rotates and all(target.path is None for target in request.targets):
        raise UsageError("found --rotate-size, --rotate-every or --keep without -o FILE, expected a file to rotate")
