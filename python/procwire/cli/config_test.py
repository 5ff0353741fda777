"""`procwire config test`: what each rule of a Sysmon configuration does over logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode
from procwire.cli.unpacking import unpack_limits

if TYPE_CHECKING:
    from procwire.choices import FigureOrder
    from procwire.sysmon.measuring.trial import Report

__all__ = ["FiguresFormat", "measure"]

FiguresFormat = Literal["text", "json", "csv"]


def measure(
    file: Path,
    logs: list[str],
    sort: FigureOrder = "file",
    never: bool = False,
    lenient: bool = False,
    since: str | None = None,
    until: str | None = None,
    to: FiguresFormat = "text",
    unpack: str | None = None,
) -> ExitCode:
    """Run `procwire config test`, whose options and help are in `verbs`; return its exit code."""
    from procwire.cli.progress import shown_progress
    from procwire.cli.query_options import period
    from procwire.cli.reading import account
    from procwire.configurations import measure_logs
    from procwire.ledger import Ledger
    from procwire.sysmon.parse import load

    limits, (start, end) = unpack_limits(unpack), period(since, until)
    configuration = load(file, lenient=lenient)
    ledger = Ledger()
    with shown_progress(hidden=False) as on_progress:
        report = measure_logs(
            configuration, logs, ledger=ledger, since=start, until=end, on_progress=on_progress, unpack=limits
        )
    if not ledger.nothing_read:
        _write(report, sort, never, to)
    return account(ledger)


def _write(report: Report, order: FigureOrder, never: bool, to: FiguresFormat) -> None:
    from procwire.cli.figures import write_csv, write_json, write_text
    from procwire.sysmon.measuring.figures import rows

    shown = rows(report, order, never_matched=never)
    if to == "json":
        write_json(report, shown)
    elif to == "csv":
        write_csv(shown)
    else:
        write_text(report, shown, indented=order == "file" and not never)
