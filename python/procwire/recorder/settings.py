"""Define the settings of a recording, and check them before anything begins. Does not import Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from procwire.choices import LEVELS, NAMES, PROTOCOLS, SENSORS
from procwire.errors import UsageError
from procwire.lake.location import check_location, resolve
from procwire.sinks.formats import RECORD_FORMATS, canonical, format_named, format_of_path
from procwire.units import seconds, size_bytes

if TYPE_CHECKING:
    from procwire.choices import Level, Names, ProtocolChoice, SensorName
    from procwire.sinks import Terminal

__all__ = ["RecordingSettings", "StandardOutput", "Target", "recording_settings", "targets_of"]

FilePath = str | PathLike[str]


class StandardOutput(Protocol):
    """Define stdout as a recording that writes rows to it needs it."""

    @property
    def stream(self) -> BinaryIO:
        """Return the stream of bytes."""

    @property
    def terminal(self) -> Terminal | None:
        """Return the terminal's properties; None if stdout is not a terminal."""


@dataclass(frozen=True, slots=True)
class Target:
    """Describe where rows go: to a file, or without one to stdout, the system's log (syslog) or a lake (lake)."""

    way: str
    """The format, see `sinks.formats`."""
    path: Path | None
    to_stdout: bool

    @property
    def name(self) -> str:
        """Return its name in the ledger."""
        elsewhere = "the lake" if self.way == "lake" else "the system's log"
        return "stdout" if self.to_stdout else str(self.path or elsewhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """Hold all settings of a recording; `recording_settings` creates and checks them."""

    targets: tuple[Target, ...]
    images: list[str] | None = None
    """Processes to record; empty for all of them; None without `-n`."""
    config: Path | None = None
    lenient: bool = False
    strict_sysmon: bool = False
    keep_unlogged: bool = False
    names: Names = "ossem"
    columns: list[str] | None = None
    where: list[str] = field(default_factory=list)
    """Predicates that must all hold."""
    duration_s: float | None = None
    count: int | None = None
    sensor: SensorName = "auto"
    interval_s: float = 1.0
    protocol: ProtocolChoice = "all"
    udp_idle_s: float = 1_800.0
    attempts: bool = False
    closes: bool = False
    existing: bool = False
    dns_lookup: bool = True
    user: str | None = None
    rotate_bytes: int | None = None
    rotate_s: float | None = None
    keep: int | None = None
    ring_bytes: int = 16 << 20
    ledger: Path | None = None
    force: bool = False
    """Whether `ledger` may be overwritten."""
    detect: tuple[Path, ...] = ()
    """Sigma rules: files, and folders."""
    level: Level | None = None
    """The lowest level of these rules; None for all of them."""
    lists: Mapping[str, Path] = field(default_factory=dict)
    """Files with the values of placeholders in these rules, by the placeholders' names."""
    alert_notices: bool = False
    """Whether alerts are notices, too, if an output has a place for them."""
    lake: str | None = None
    """Absolute path or URI; None without a lake."""

    @property
    def inputs(self) -> list[Path]:
        """Return the files and folders that the recording reads."""
        return [*([self.config] if self.config else []), *self.detect, *self.lists.values()]

    @property
    def writes_to_lake(self) -> bool:
        """Return whether an output is a lake."""
        return any(target.way == "lake" for target in self.targets)

    @property
    def writes_to_stdout(self) -> bool:
        """Return whether an output is stdout."""
        return any(target.to_stdout for target in self.targets)


def recording_settings(
    *,
    processes: Sequence[str] | None = None,
    config: FilePath | None = None,
    lenient: bool = False,
    strict_sysmon: bool = False,
    keep_unlogged: bool = False,
    to: str | Sequence[str] = (),
    output: FilePath | Sequence[FilePath] = (),
    lake: FilePath | None = None,
    names: Names = "ossem",
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] = (),
    duration: str | float | None = None,
    count: int | None = None,
    sensor: SensorName = "auto",
    interval: str | float = "1s",
    protocol: ProtocolChoice = "all",
    udp_idle: str | float = "30m",
    attempts: bool = False,
    closes: bool = False,
    existing: bool = False,
    dns_lookup: bool = True,
    user: str | None = None,
    rotate_size: str | int | None = None,
    rotate_every: str | float | None = None,
    keep: int | None = None,
    buffer_mb: int = 16,
    ledger: FilePath | None = None,
    force: bool = False,
    detect: FilePath | Sequence[FilePath] = (),
    level: Level | None = None,
    lists: Mapping[str, FilePath] | None = None,
    stdout_format: str | None = None,
    alert_notices: bool = False,
) -> RecordingSettings:
    """Return the settings for these options, which are those of `procwire record`; docs/cli.md describes them.

    Durations are texts such as `5m`, or seconds; sizes texts such as `100MB`, or bytes. One value may stand for a
    sequence of one. The lake is resolved here: that depends on account and environment, which a recording changes.

    stdout_format: the format of stdout if `to` names none; None if the recording has no stdout to write to.

    Raises UsageError for what cannot be used.
    """
    check_location(None if lake is None else str(lake))
    ways = [canonical(way) for way in _sequence(to)]
    # A lake alone is enough.
    ways = ways if lake is None or "lake" in ways else [*ways, "lake"]
    targets = targets_of(ways, [Path(path) for path in _sequence(output)], stdout_format)
    settings = RecordingSettings(
        targets=targets,
        images=None if processes is None else [str(name) for name in processes],
        config=None if config is None else Path(config),
        lenient=lenient,
        strict_sysmon=strict_sysmon,
        keep_unlogged=keep_unlogged,
        names=names,
        columns=None if columns is None else [str(name) for name in columns],
        where=_sequence(where),
        duration_s=None if duration is None else _seconds(duration),
        count=count,
        sensor=sensor,
        interval_s=_seconds(interval),
        protocol=protocol,
        udp_idle_s=_seconds(udp_idle),
        attempts=attempts,
        closes=closes,
        existing=existing,
        dns_lookup=dns_lookup,
        user=user,
        rotate_bytes=size_bytes(rotate_size) if isinstance(rotate_size, str) else rotate_size,
        rotate_s=None if rotate_every is None else _seconds(rotate_every),
        keep=keep,
        ring_bytes=buffer_mb << 20,
        ledger=None if ledger is None else Path(ledger),
        force=force,
        detect=tuple(Path(path) for path in _sequence(detect)),
        level=level,
        lists={name: Path(path) for name, path in (lists or {}).items()},
        alert_notices=alert_notices,
        lake=resolve(lake) if any(target.way == "lake" for target in targets) else None,
    )
    _check(settings)
    return settings


def targets_of(ways: Sequence[str], paths: Sequence[Path], stdout_format: str | None) -> tuple[Target, ...]:
    """Return the outputs: the first format is for the first file, and so on; a lake is no file.

    stdout_format: as for `recording_settings`. Raises UsageError for outputs that cannot be.
    """
    lakes = ways.count("lake")
    if lakes > 1:
        raise UsageError("found --to lake twice, expected it once: a recording is kept in one lake")
    ways = [way for way in ways if way != "lake"]
    count = max(len(ways), len(paths), 0 if lakes else 1)
    padded_ways: list[str | None] = [*ways, *[None] * (count - len(ways))]
    padded_paths: list[Path | None] = [*paths, *[None] * (count - len(paths))]
    files = [_target(*each, stdout_format) for each in zip(padded_ways, padded_paths, strict=True)]
    targets = (*files, *[Target("lake", None, False)] * lakes)
    if sum(target.to_stdout for target in targets) > 1:
        raise UsageError("found more than one output to stdout, expected -o FILE for all but one")
    return targets


def _target(way: str | None, path: Path | None, stdout_format: str | None) -> Target:
    if path is not None and path != Path("-"):
        return Target(way or format_of_path(path), path, False)
    if way == "syslog" and path is None:
        return Target(way, None, False)
    if stdout_format is None:
        raise UsageError("found no output, expected a file in output, a lake, or syslog in to")
    return Target(way or stdout_format, None, True)


def _check(settings: RecordingSettings) -> None:
    _check_values(settings)
    if settings.columns == []:
        raise UsageError("found no column in --columns, expected names with commas between them")
    whole = [target.way for target in settings.targets if format_named(target.way).whole_events]
    if len(whole) == len(settings.targets) and (settings.columns or settings.names != "ossem"):
        raise UsageError(f"found --names or --columns, expected neither with {whole[0]}, which holds whole events")
    if settings.config is None and (settings.lenient or settings.strict_sysmon or settings.keep_unlogged):
        raise UsageError("found --lenient, --strict-sysmon or --keep-unlogged without --config FILE")
    if settings.level is not None and not settings.detect:
        raise UsageError("found --level without --detect PATH, expected both: it is about Sigma rules")
    if settings.lists and not settings.detect:
        raise UsageError("found --list without --detect PATH, expected both: it is about Sigma rules")
    if settings.keep_unlogged and whole:
        raise UsageError(f"found --keep-unlogged with {whole[0]}, which has no place to tell that a row is not logged")
    rotates = settings.rotate_bytes or settings.rotate_s or settings.keep is not None
    if rotates and all(target.path is None for target in settings.targets):
        raise UsageError("found --rotate-size, --rotate-every or --keep without -o FILE, expected a file to rotate")


def _check_values(settings: RecordingSettings) -> None:
    """Check what the options of the command line cannot get wrong, but a caller in Python can."""
    for name, value, choices in (
        ("names", settings.names, NAMES),
        ("sensor", settings.sensor, SENSORS),
        ("protocol", settings.protocol, PROTOCOLS),
        ("level", settings.level, (None, *LEVELS)),
    ):
        if value not in choices:
            raise UsageError(f"found {name} {value!r}, expected one of {', '.join(filter(None, choices))}")
    for name, number, least in (
        ("count", settings.count, 1),
        ("keep", settings.keep, 0),
        ("rotate_size", settings.rotate_bytes, 1),
        ("buffer_mb", settings.ring_bytes >> 20, 1),
    ):
        if number is not None and number < least:
            raise UsageError(f"found {name} {number}, expected a number from {least} on")
    for target in settings.targets:
        if target.way not in RECORD_FORMATS:
            raise UsageError(f"found the format {target.way!r}, expected one of {', '.join(RECORD_FORMATS)}")


def _sequence(values: FilePath | Sequence[FilePath]) -> list[str]:
    found = [values] if isinstance(values, str | PathLike) else values
    return [str(value) for value in found]


def _seconds(duration: str | float) -> float:
    return seconds(duration if isinstance(duration, str) else f"{duration:f}s")
