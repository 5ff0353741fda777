"""Keep the ledger of an output: take over its sink's counts, and complain when rows begin to be lost."""

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
        """Return how many rows the format has no form for."""

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
        self._told_lost = 0

    def take(self, *, left_out: int = 0) -> None:
        """Take over the counts; left_out: rows that the sink did not get, because it has no form for them."""
        ledger, sink = self._ledger, self._sink
        ledger.written, ledger.lost = sink.written, sink.lost
        ledger.left_out = sink.skipped + left_out
        if sink.error != self._error:
            self._error = sink.error
            rest = self._error or f"writing again; {ledger.lost - self._told_lost:,} rows were lost"
            self._complain(f"{ledger.name}: {rest}")

    def take_losses(self) -> int:
        """Return how many rows were lost here and not reported yet; 0 while they cannot be reported."""
        if self._error is not None:
            return 0
        untold = self._ledger.lost - self._told_lost
        self._told_lost = self._ledger.lost
        return untold
