"""`procwire record`: the connections of this machine, live, in any format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.named_files import named_files
from procwire.cli.request import Level, Protocol, Request, Sensor, Target
from procwire.cli.targets import check_targets
from procwire.cli.ways import listed
from procwire.errors import RecordError, UsageError
from procwire.lake.location import check_location, resolve
from procwire.sinks.formats import canonical, format_named, format_of_path
from procwire.units import seconds, size_bytes

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["record"]


_DISABLED = (
    "network connection logging is disabled by default: enable it with --all, for every process, -n PROCESS,... "
    "for some, or --config FILE, for what a configuration logs"
)


def record(
    all_: bool = False,
    images: str | None = None,
    config: Path | None = None,
    lenient: bool = False,
    strict_sysmon: bool = False,
    keep_unlogged: bool = False,
    to: list[str] | None = None,
    output: list[Path] | None = None,
    lake: str | None = None,
    names: Names = "ossem",
    columns: str | None = None,
    where: list[str] | None = None,
    duration: str | None = None,
    count: int | None = None,
    sensor: Sensor = "auto",
    interval: str = "1s",
    protocol: Protocol = "all",
    udp_idle: str = "30m",
    attempts: bool = False,
    closes: bool = False,
    existing: bool = False,
    dns_lookup: bool = True,
    user: str | None = None,
    rotate_size: str | None = None,
    rotate_every: str | None = None,
    keep: int | None = None,
    buffer_mb: int = 16,
    ledger: Path | None = None,
    force: bool = False,
    detect: list[Path] | None = None,
    list_: list[str] | None = None,
    level: Level | None = None,
    status: bool = False,
) -> ExitCode:
    """Run `procwire record`, whose options and help are in `verbs`; return its exit code."""
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
        lists=named_files("--list", list_),
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
    inputs = [*([request.config] if request.config else []), *request.detect, *request.lists.values()]
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
    if request.lists and not request.detect:
        raise UsageError("found --list without --detect PATH, expected both: it is about Sigma rules")
    if request.keep_unlogged and whole:
        raise UsageError(f"found --keep-unlogged with {whole[0]}, which has no place to tell that a row is not logged")
    rotates = request.rotate_bytes or request.rotate_s or request.keep is not None
    if rotates and all(target.path is None for target in request.targets):
        raise UsageError("found --rotate-size, --rotate-every or --keep without -o FILE, expected a file to rotate")
