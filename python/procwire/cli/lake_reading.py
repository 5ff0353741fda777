"""`procwire read --to lake`: logs into the lake."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.progress import shown_progress
from procwire.cli.read_request import Request, written
from procwire.cli.reading import exit_code, report
from procwire.cli.signals import Signals
from procwire.words import counted, counted_rows

if TYPE_CHECKING:
    from procwire.api import LakeReading

__all__ = ["read_into_lake"]


def read_into_lake(request: Request) -> ExitCode:
    """Read as asked; what a signal interrupts goes on where it ended when it is asked for again."""
    from procwire.api import LakeReading

    reading = LakeReading(
        request.paths,
        request.lake,
        where=request.where,
        format=request.format,
        recover=request.recover,
        config=request.config,
        lenient=request.lenient,
        strict=request.strict_sysmon,
        unpack=request.unpack,
    )
    with (
        written(reading.ledger, request.ledger, force=request.force),
        Signals() as signals,
        shown_progress(request.follow) as on_progress,
        signals.ended(),
    ):
        reading.run(follow=request.follow, on_progress=on_progress)
    if reading.ledger.files:
        report(reading.ledger)
    sys.stderr.write(f"lake {reading.location}: {_summary(reading)}\n")
    if reading.error is not None:
        complain(f"the lake's ledger does not have this: {reading.error}")
        return ExitCode.DAMAGED
    if signals.received is None and reading.already and not reading.ledger.files:
        return ExitCode.ALL_READ
    return exit_code(reading.ledger, signals.received)


def _summary(reading: LakeReading) -> str:
    from procwire.event import DNS_QUERY, PROCESS_CREATION

    logs = reading.logs
    parts = [f"{counted(sum(log.added for log in logs), 'connection')} added"]
    duplicates, left_out = sum(log.duplicates for log in logs), sum(log.left_out for log in logs)
    parts += [f"{duplicates:,} it had already"] if duplicates else []
    parts += [f"{left_out:,} left out"] if left_out else []
    context = [event for event in (PROCESS_CREATION, DNS_QUERY) if reading.added[event.table]]
    parts += [counted_rows(reading.added[event.table], event.rows) for event in context]
    count = len(reading.already)
    parts += [f"{counted(count, 'log')} that it had already not read again"] if count else []
    return ", ".join(parts)
