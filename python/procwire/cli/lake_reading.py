"""`procwire read --to lake`: logs into the lake."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.lake_owner import hand_over
from procwire.cli.progress import shown_progress
from procwire.cli.read_request import Request, loaded_rules, written
from procwire.cli.reading import exit_code, report
from procwire.cli.signals import Signals
from procwire.cli.targets import check_lake
from procwire.words import counted, counted_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.lake.ingest import Ingest, Step
    from procwire.ledger import Ledger

__all__ = ["read_into_lake"]


def read_into_lake(request: Request) -> ExitCode:
    """Read as asked; what a signal interrupts goes on where it ended when it is asked for again."""
    from procwire.lake import Lake
    from procwire.lake.ingest import Ingest
    from procwire.ledger import Ledger

    check_lake(request.lake)
    ledger = Ledger()
    step = _step(request, ledger)
    lake = Lake.open(request.lake, create=True)
    ingest = Ingest(lake, step=step, selection=_selection(request))
    with (
        ExitStack() as stack,
        written(ledger, request.ledger, force=request.force),
        Signals() as signals,
        shown_progress(request.follow) as on_progress,
        signals.ended(),
    ):
        stack.callback(hand_over, lake.location)
        ingest.run(
            request.paths,
            format=request.format,
            recover=request.recover,
            follow=request.follow,
            ledger=ledger,
            on_progress=on_progress,
            unpack=request.unpack,
        )
    if ledger.files:
        report(ledger)
    sys.stderr.write(f"lake {lake.location}: {_told(ingest)}\n")
    if ingest.trouble is not None:
        complain(f"the lake's ledger does not have this: {ingest.trouble}")
        return ExitCode.DAMAGED
    if signals.received is None and ingest.already and not ledger.files:
        return ExitCode.ALL_READ
    return exit_code(ledger, signals.received)


def _told(ingest: Ingest) -> str:
    from procwire.event import DNS_QUERY, PROCESS_CREATION

    logs = ingest.logs
    parts = [f"{counted(sum(log.added for log in logs), 'connection')} added"]
    duplicates, left_out = sum(log.duplicates for log in logs), sum(log.left_out for log in logs)
    parts += [f"{duplicates:,} it had already"] if duplicates else []
    parts += [f"{left_out:,} left out"] if left_out else []
    context = [event for event in (PROCESS_CREATION, DNS_QUERY) if ingest.added[event.table]]
    parts += [counted_rows(ingest.added[event.table], event.rows) for event in context]
    count = len(ingest.already)
    parts += [f"{counted(count, 'log')} that it had already not read again"] if count else []
    return ", ".join(parts)


def _step(request: Request, ledger: Ledger) -> Step | None:
    """None if all is kept: without a step texts stay coded on their way."""
    from procwire.select import STORED_GROUPS, Selection

    rules = loaded_rules(request)
    selection = Selection(where=request.where, groups=STORED_GROUPS) if request.where else None
    if rules is not None:
        ledger.configuration = rules.configuration.path
    elif selection is None:
        return None

    def step(batch: pa.RecordBatch) -> pa.RecordBatch:
        kept = batch if rules is None else rules(batch)
        if rules is not None:
            ledger.unlogged = rules.unlogged
        return kept if selection is None else next(selection.apply([kept]), kept.slice(0, 0))

    return step


def _selection(request: Request) -> str:
    """Say which options decide the rows that a log gives; nothing if it gives all.

    A lake knows logs by it: it must stay the same for the same options.
    """
    from procwire.select import conjunction

    config = "" if request.config is None else request.config.read_text(encoding="utf-8", errors="replace")
    where = request.where[0] if len(request.where) == 1 else conjunction(request.where)
    chosen = [where, config, request.format or "", "recover" if request.recover else ""]
    chosen += ["lenient"] * request.lenient + ["strict"] * request.strict_sysmon
    return "\0".join(chosen) if any(chosen) else ""
