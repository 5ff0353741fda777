"""`procwire lake expire`: drop old days, after confirmation."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from procwire.cli.confirming import check_terminal, confirmed
from procwire.cli.exits import ExitCode, complain
from procwire.lake.owner import hand_over
from procwire.units import age, sized
from procwire.words import counted, counted_rows

if TYPE_CHECKING:
    from procwire.lake import Lake
    from procwire.lake.table import DataFile

__all__ = ["expire"]


def expire(
    older_than: str,
    location: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
) -> ExitCode:
    """Run `procwire lake expire`, whose options and help are in `verbs`; return its exit code."""
    from procwire.lake import Lake

    limit, now = age(older_than), datetime.now(UTC)
    found = Lake.open(location)
    plan = [(part, part.expire(limit, now=now, dry_run=True)) for part in found.tables()]
    if dry_run:
        sys.stdout.write("".join(f"{line}\n" for part, files in plan for line in _listing(part, files)))
    if dry_run or not yes:
        _tell(plan, "would be dropped")
    if dry_run:
        return ExitCode.ALL_READ
    if not yes and not _agreed(plan):
        complain("nothing was dropped")
        return ExitCode.DECLINED
    done = [(part, part.expire(limit, now=now)) for part, _ in plan]
    hand_over(found.location)
    _tell(done, "dropped")
    return ExitCode.ALL_READ


def _agreed(plan: Sequence[tuple[Lake, list[DataFile]]]) -> bool:
    """Ask for confirmation. Raises UsageError if nobody can answer."""
    check_terminal("--yes to drop the days, or --dry-run to see them")
    return not any(files for _, files in plan) or confirmed("Drop them for good?")


def _tell(plan: Sequence[tuple[Lake, list[DataFile]]], what: str) -> None:
    """Write a line on stderr for each table that loses something; for the connections in any case."""
    for number, (part, files) in enumerate(plan):
        if files or number == 0:
            days = sorted({file.day for file in files if file.day is not None})
            span = f" ({days[0]} to {days[-1]})" if len(days) > 1 else f" ({days[0]})" if days else ""
            sys.stderr.write(
                f"lake {part.location}: {counted(len(days), 'day')}{span} {what}, {_amount(part, files)}\n"
            )


def _listing(part: Lake, files: Sequence[DataFile]) -> Iterator[str]:
    """Yield a line for each day."""
    for day, group in groupby(files, key=lambda file: file.day):
        yield f"{part.table.layout.name}/{day}: {_amount(part, list(group))}"


def _amount(part: Lake, files: Sequence[DataFile]) -> str:
    rows, size_bytes = sum(file.rows for file in files), sum(file.size_bytes for file in files)
    return f"{counted_rows(rows, part.table.layout.rows)}, {counted(len(files), 'file')} of {sized(size_bytes)}"
