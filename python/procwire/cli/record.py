"""`procwire record`: the connections of this machine, live, in any format."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.named_files import named_files
from procwire.cli.ways import listed
from procwire.errors import UsageError
from procwire.plain import plain
from procwire.recorder.settings import recording_settings
from procwire.sinks.formats import canonical

if TYPE_CHECKING:
    from procwire.choices import Level, Names, ProtocolChoice, SensorName
    from procwire.recorder.notices import Notice

__all__ = ["print_notice", "record"]


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
    sensor: SensorName = "auto",
    interval: str = "1s",
    protocol: ProtocolChoice = "all",
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
    settings = recording_settings(
        processes=None if all_ else listed(images),
        config=config,
        lenient=lenient,
        strict_sysmon=strict_sysmon,
        keep_unlogged=keep_unlogged,
        to=to or (),
        output=output or (),
        lake=lake,
        names=names,
        columns=listed(columns),
        where=where or (),
        duration=duration,
        count=count,
        sensor=sensor,
        interval=interval,
        protocol=protocol,
        udp_idle=udp_idle,
        attempts=attempts,
        closes=closes,
        existing=existing,
        dns_lookup=dns_lookup,
        user=user,
        rotate_size=rotate_size,
        rotate_every=rotate_every,
        keep=keep,
        buffer_mb=buffer_mb,
        ledger=ledger,
        lists=named_files("--list", list_),
        force=force,
        detect=detect or (),
        level=level,
        stdout_format="table" if sys.stdout.isatty() else "ndjson",
    )
    from procwire.cli.output import Output
    from procwire.recorder import session

    # A terminal's alerts have a place on it, unless a table there shows them.
    shows_alerts = sys.stdout.isatty() and any(each.to_stdout and each.way == "table" for each in settings.targets)
    settings = replace(settings, alert_notices=sys.stderr.isatty() and not shows_alerts)
    result = session.record(settings, print_notice, stdout=lambda: Output(None))
    if result.signal is not None:
        return ExitCode(128 + result.signal)
    return ExitCode.RECORDED if result.ledger.is_whole else ExitCode.LOSSY


def print_notice(notice: Notice) -> None:
    """Print a notice on stderr, as long as there is one: a terminal that hangs up is gone."""
    with suppress(OSError):
        if notice.kind == "summary":
            sys.stderr.write(plain(notice.text) + "\n")
        else:
            complain(notice.text)
