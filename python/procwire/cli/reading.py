"""The report of a reading, for every verb that reads logs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain

if TYPE_CHECKING:
    from procwire.ledger import Ledger

__all__ = ["account", "exit_code", "report", "written"]


def account(ledger: Ledger) -> ExitCode:
    """Report on stderr what was read, and what was not; return the exit code."""
    report(ledger)
    return exit_code(ledger, None)


def report(ledger: Ledger) -> None:
    """Print the ledger's summary on stderr."""
    from procwire.plain import plain

    sys.stderr.write(plain(ledger.summary()) + "\n")


def exit_code(ledger: Ledger, signal_number: int | None) -> ExitCode:
    """Return the exit code of a reading."""
    if signal_number is not None:
        return ExitCode(128 + signal_number)
    if ledger.nothing_read:
        complain("nothing could be read")
        return ExitCode.NOTHING_READ
    return ExitCode.DAMAGED if ledger.damaged else ExitCode.ALL_READ


@contextmanager
def written(ledger: Ledger, path: Path | None, *, force: bool) -> Iterator[None]:
    """Write the ledger to a file, if any, however the block ends. Raises UsageError at once if it cannot be written."""
    if path is None:
        yield
        return
    from procwire.cli.output import Output

    with Output(path, force=force) as output:
        try:
            yield
        finally:
            output.stream.write(f"{ledger.to_json()}\n".encode())
            output.commit()
