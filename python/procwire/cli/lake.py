"""`procwire lake`: maintain the lake."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode, complain
from procwire.lake.owner import hand_over
from procwire.units import sized
from procwire.words import counted, counted_rows

if TYPE_CHECKING:
    from procwire.lake.lake import Info
    from procwire.lake.maintenance import Compaction, Verification
    from procwire.lake.readings import Reading

__all__ = ["compact", "info", "verify"]

InfoFormat = Literal["text", "json"]


_SHOWN = 10


def info(
    location: str | None = None,
    readings: bool = False,
    to: InfoFormat = "text",
) -> ExitCode:
    """Run `procwire lake info`, whose options and help are in `verbs`; return its exit code."""
    from procwire.lake import Lake
    from procwire.plain import plain

    found, *context = [part.info() for part in Lake.open(location).tables()]
    code = ExitCode.ALL_READ
    if found.error is not None:
        complain(f"the ledger cannot be read: {found.error}")
        code = ExitCode.DAMAGED
    if to == "json":
        sys.stdout.write(json.dumps(found.to_dict(context), indent=2) + "\n")
        return code
    shown = found.readings if readings else found.readings[-_SHOWN:]
    hidden = len(found.readings) - len(shown)
    lines = [*_described(found, context), *([f"  ({hidden:,} earlier ones: --readings)"] if hidden else [])]
    lines += [f"  {_line(reading)}" for reading in shown]
    sys.stdout.write(plain("\n".join(lines)) + "\n")
    return code


def compact(location: str | None = None) -> ExitCode:
    """Run `procwire lake compact`, whose options and help are in `verbs`; return its exit code."""
    from procwire.lake import Lake

    found = Lake.open(location)
    lines = [line for part in found.all_tables() if (line := _compacted(part.compact(), part.table.layout.rows))]
    hand_over(found.location)
    sys.stderr.write("".join(f"lake {found.location}: {line}\n" for line in lines or ["all days are compact"]))
    return ExitCode.ALL_READ


def _compacted(done: Compaction, rows: str) -> str:
    if not done.days:
        return ""
    each = done.bytes_after / done.rows
    return (
        f"{counted(done.days, 'day')}, {counted_rows(done.rows, rows)}: "
        f"{counted(done.files_before, 'file')} of {sized(done.bytes_before)} made "
        f"{counted(done.files_after, 'file')} of {sized(done.bytes_after)}, {each:.1f} bytes each"
    )


def verify(
    location: str | None = None,
    expect: str | None = None,
) -> ExitCode:
    """Run `procwire lake verify`, whose options and help are in `verbs`; return its exit code."""
    from procwire.lake import Lake
    from procwire.lake.heads import head_of, hold_to
    from procwire.lake.lake import verify_tables
    from procwire.lake.location import resolve
    from procwire.plain import plain

    found = resolve(location)
    tables = verify_tables(found)
    if not tables:
        # Its error says how to create one.
        Lake.open(location)
    if expect is not None:
        hold_to(expect, tables)
    faults = 0
    for layout, state in tables:
        faults += len(state.faults)
        sys.stdout.write("".join(plain(f"{layout.name}/{fault}") + "\n" for fault in state.faults))
        sys.stderr.write(f"lake {found}: {_verified(state, layout.rows)}\n")
    sys.stderr.write(f"head {head_of(tables)}\n")
    if faults:
        complain("the lake is damaged: the lines on stdout say where; `procwire lake repair` sets it aside")
    return ExitCode.DAMAGED if faults else ExitCode.ALL_READ


def _verified(state: Verification, rows: str) -> str:
    text = (f"{counted(state.files, 'file')}, {counted_rows(state.rows, rows)}, {counted(state.commits, 'commit')}, "
            f"{counted(len(state.faults), 'fault')}")  # fmt: skip
    if state.undigested:
        text += (f"\n{counted(state.undigested, 'file')} of an older procwire without digests, so damage may go "
                 "undetected: compact adds digests")  # fmt: skip
    if state.unchained:
        text += f"\n{counted(state.unchained, 'commit')} of an older procwire, which no other commit confirms"
    if state.others:
        rest = sum(size for _, size in state.others)
        text += (f"\n{counted(len(state.others), 'file')} of {sized(rest)} beside them, replaced or left by a "
                 "writer that was killed: compact deletes those older than a day")  # fmt: skip
    if state.torn:
        text += f"\n{counted(len(state.torn), 'commit')} torn by a power cut, set aside: they were never acknowledged"
    return text


def _described(found: Info, context: Sequence[Info]) -> list[str]:
    span = f", {found.first_day} to {found.last_day}" if found.first_day else ""
    each = f", {found.bytes / found.events:.1f} bytes each" if found.events else ""
    return [
        f"lake {found.location}, version {found.version}",
        f"  {found.events:,} connections of {counted(found.days, 'day')}{span}",
        f"  {counted(found.files, 'file')} of {sized(found.bytes)}{each}",
        *(f"  {part.events:,} {part.rows}, {counted(part.files, 'file')} of {sized(part.bytes)}" for part in context),
        f"{counted(len(found.readings), 'log or recording', 'logs and recordings')}:",
    ]


def _line(reading: Reading) -> str:
    when = "" if reading.end_time is None else f"{reading.end_time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ} "
    parts = [f"{reading.added:,} of {reading.events:,} added"]
    parts += [f"{reading.duplicates:,} already stored"] if reading.duplicates else []
    parts += [f"{reading.left_out:,} left out"] if reading.left_out else []
    parts += [f"{reading.lost:,} damaged or lost"] if reading.lost else []
    return f"{when}{reading.kind} {reading.name}: {', '.join(parts)}"
