"""The account of an output: taken over from what writes it, with a word where rows begin to be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from procwire.recorder.ledger import OutputLedger

__all__ = ["Account", "Counted"]


class Counted(Protocol):
    """What writes rows, and counts them."""

    @property
    def written(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def trouble(self) -> str | None: ...


class Account:
    """Keeps `ledger` as `sink` counts. complain: told when rows begin to be lost, and when that is over."""

    def __init__(self, sink: Counted, ledger: OutputLedger, complain: Callable[[str], None]) -> None:
        self._sink = sink
        self._ledger = ledger
        self._complain = complain
        self._trouble: str | None = None
        self._told_lost = 0

    def take(self, *, left_out: int = 0) -> None:
        """Take over the counts; left_out: rows that the sink was not given, for it has no form for them."""
        ledger, sink = self._ledger, self._sink
        ledger.written, ledger.lost = sink.written, sink.lost
        ledger.left_out = sink.skipped + left_out
        if sink.trouble != self._trouble:
            self._trouble = sink.trouble
            rest = self._trouble or f"writing again; {ledger.lost - self._told_lost:,} rows were lost"
            self._complain(f"{ledger.name}: {rest}")

    def take_losses(self) -> int:
        """How many rows were lost here and not told yet; none while there is nowhere to tell it."""
        if self._trouble is not None:
            return 0
        untold = self._ledger.lost - self._told_lost
        self._told_lost = self._ledger.lost
        return untold
