"""`procwire read --to lake`: logs into the lake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procwire.cli.exits import ExitCode, complain
from procwire.cli.progress import shown_progress
from procwire.cli.reading import exit_code, report, written
from procwire.signals import Signals
from procwire.words import counted, counted_rows

if TYPE_CHECKING:
    from procwire.api import LakeReading

__all__ = ["read_into_lake"]


def read_into_lake(
    paths: list[str], lake: str | None, *, ledger: Path | None, force: bool, follow: bool, **options: Any
) -> ExitCode:
    """Read logs into a lake, and report what was added. An interrupted reading continues when it is repeated.

    ledger, force: the file for the ledger, and whether it may be overwritten. follow: wait for more as the logs grow.
    options: those of `api.LakeReading`.
    """
    from procwire.api import LakeReading

    reading = LakeReading(paths, lake, **options)
    with (
        written(reading.ledger, ledger, force=force),
        Signals() as signals,
        shown_progress(follow) as on_progress,
        signals.ended(),
    ):
        reading.run(follow=follow, on_progress=on_progress)
    if reading.ledger.files:
        report(reading.ledger)
    sys.stderr.write(f"lake {reading.location}: {_summary(reading)}\n")
    if reading.error is not None:
        complain(f"the lake's ledger does not record this: {reading.error}")
        return ExitCode.DAMAGED
    if signals.received is None and reading.already and not reading.ledger.files:
        return ExitCode.ALL_READ
    return exit_code(reading.ledger, signals.received)


def _summary(reading: LakeReading) -> str:
    from procwire.event import DNS_QUERY, PROCESS_CREATION

    logs = reading.logs
    parts = [f"{counted(sum(log.added for log in logs), 'connection')} added"]
    duplicates, left_out = sum(log.duplicates for log in logs), sum(log.left_out for log in logs)
    parts += [f"{duplicates:,} already stored"] if duplicates else []
    parts += [f"{left_out:,} left out"] if left_out else []
    context = [event for event in (PROCESS_CREATION, DNS_QUERY) if reading.added[event.table]]
    parts += [counted_rows(reading.added[event.table], event.rows) for event in context]
    count = len(reading.already)
    parts += [f"{counted(count, 'log')} already stored and not read again"] if count else []
    return ", ".join(parts)
