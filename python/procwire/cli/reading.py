"""Reading logs for a verb that answers a question about them: progress while it lasts, the account at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.progress import ProgressLine

if TYPE_CHECKING:
    from procwire.ledger import Ledger

__all__ = ["account", "progress"]


@contextmanager
def progress() -> Iterator[Callable[[int, int | None], None] | None]:
    """What to call with the bytes read, and those there are; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    with ProgressLine() as line:
        yield line.update


def account(ledger: Ledger) -> ExitCode:
    """Tell on stderr what was read, and what was not."""
    from procwire.sinks.plain import plain

    sys.stderr.write(plain(ledger.summary()) + "\n")
    if ledger.nothing_read:
        complain("nothing could be read")
        return ExitCode.NOTHING_READ
    return ExitCode.DAMAGED if ledger.damaged else ExitCode.ALL_READ
