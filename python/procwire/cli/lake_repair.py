"""`procwire lake repair`: set damaged parts aside, after confirmation."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from procwire.cli.confirming import check_terminal, confirmed
from procwire.cli.exits import ExitCode, complain
from procwire.lake.owner import hand_over
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.lake.repair import Repair

__all__ = ["repair"]


def repair(
    location: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
) -> ExitCode:
    """Run `procwire lake repair`, whose options and help are in `verbs`; return its exit code."""
    from procwire.lake.location import resolve
    from procwire.lake.repair import repair as mend
    from procwire.plain import plain

    found = resolve(location)
    if dry_run or not yes:
        plan = mend(found, dry_run=True)
        sys.stdout.write("".join(f"{plain(line)}\n" for line in _listing(plan)))
        if not any(table.is_needed for table in plan):
            sys.stderr.write(f"lake {found}: nothing to repair\n")
            return ExitCode.ALL_READ
        if dry_run:
            return ExitCode.DAMAGED
        if not _agreed():
            complain("nothing was done")
            return ExitCode.DECLINED
    done = [table for table in mend(found) if table.is_needed]
    hand_over(found)
    if yes:
        sys.stdout.write("".join(f"{plain(line)}\n" for line in _listing(done)))
    for table in done:
        where = "" if table.aside is None else f"; see {table.aside}"
        sys.stderr.write(f"lake {found}: {table.table} repaired, {_amount(table)}{where}\n")
    if not done:
        sys.stderr.write(f"lake {found}: nothing to repair\n")
    if any(table.files or table.unnamed for table in done):
        # A log still counts as read after its rows are lost, but not as read with a selection.
        sys.stderr.write("to add lost rows again from a log: procwire read LOG --where true --to lake\n")
    return ExitCode.ALL_READ


def _agreed() -> bool:
    """Ask for confirmation. Raises UsageError if nobody can answer."""
    check_terminal("--yes to repair the lake, or --dry-run to see how")
    return confirmed("Repair it so?")


def _amount(table: Repair) -> str:
    lost = f"{counted(len(table.files), 'file')} of {table.rows:,} rows lost"
    return f"{lost}, {counted(len(table.commits), 'commit')} repaired"


def _listing(tables: Sequence[Repair]) -> Iterator[str]:
    """Yield a line for each commit, and each file."""
    for table in tables:
        yield from (f"{table.table}/{line}" for line in (*table.commits, *table.files, *table.unnamed))
