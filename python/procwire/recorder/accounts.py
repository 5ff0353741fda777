"""Update the ledger of an output from its sink's counts, and warn when rows begin to be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from procwire.recorder.ledger import OutputLedger

__all__ = ["Account", "Counted"]


class Counted(Protocol):
    """Write rows, and count them."""

    @property
    def written(self) -> int:
        """Return how many rows were written."""

    @property
    def skipped(self) -> int:
        """Return the number of rows that the format cannot represent."""

    @property
    def lost(self) -> int:
        """Return how many rows were lost."""

    @property
    def error(self) -> str | None:
        """Return why rows are lost; None if all is well."""


class Account:
    """Update `ledger` from the counts of `sink`.

    complain: called when rows begin to be lost, and when that is over.
    """

    def __init__(self, sink: Counted, ledger: OutputLedger, complain: Callable[[str], None]) -> None:
        self._sink = sink
        self._ledger = ledger
        self._complain = complain
        self._error: str | None = None
        self._reported_lost = 0

    def take(self, *, left_out: int = 0) -> None:
        """Copy the counts. left_out: number of rows that were not passed to the sink, which cannot represent them."""
        ledger, sink = self._ledger, self._sink
        ledger.written, ledger.lost = sink.written, sink.lost
        ledger.left_out = sink.skipped + left_out
        if sink.error != self._error:
            self._error = sink.error
            rest = self._error or f"writing again; {ledger.lost - self._reported_lost:,} rows were lost"
            self._complain(f"{ledger.name}: {rest}")

    def take_losses(self) -> int:
        """Return how many rows were lost here and not reported yet; 0 while they cannot be reported."""
        if self._error is not None:
            return 0
        unreported = self._ledger.lost - self._reported_lost
        self._reported_lost = self._ledger.lost
        return unreported
