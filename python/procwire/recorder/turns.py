"""Run what every recording does in turn: take what happened, tend the outputs, report losses, show the ledger.

It asks the source for more only when the outputs have taken the last rows. An output that blocks (a stopped pipe) so
blocks the loop, not the machine: the kernel's buffer fills, and what does not fit is counted as lost.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from procwire.recorder.ledger import RecordingLedger

__all__ = ["ERROR_EVENT_ID", "Counting", "Tended", "Turns"]

ERROR_EVENT_ID = 255
"""Sysmon's Error, which reports losses."""
# Signals, and tasks that are due, wait for the end of a step.
_STEP_S, _QUIET_STEP_S = 0.1, 0.2
_QUIET_S = 1.0
_TEND_S = 0.1
_LOSSES_S = 0.5
_STATUS_S = 2.0
# At the end drain the kernel's buffer, for at most _DRAIN_S.
_DRAIN_S = 1.0


class Counting(Protocol):
    """Count what a source lacks, see `sources.live.LiveSource`."""

    def losses(self) -> Mapping[str, int]:
        """Return the events lost since the start, by cause."""

    def unattributed(self) -> Mapping[str, int]:
        """Return the rows since the start that lack their process, by attribution."""

    def warnings(self) -> Mapping[str, int]:
        """Return how often each other condition occurred; nothing is lost by them."""


class Tended(Protocol):
    """Define an output as far as every recording knows it."""

    def tick(self) -> None:
        """Do what is due after a time, rather than after a batch."""
        ...

    def take_losses(self) -> int:
        """Return how many rows were lost here since the last call; 0 while none could be reported."""
        ...


OutputT = TypeVar("OutputT", bound=Tended)


class Turns(ABC, Generic[OutputT]):
    """Run a recording, except for what happens to its rows.

    ledger: counts it; passed to `on_status` at intervals. between_batches: called between batches, to change how rows
    are handled.
    """

    def __init__(
        self,
        source: Counting,
        outputs: Sequence[OutputT],
        *,
        ledger: RecordingLedger,
        on_status: Callable[[RecordingLedger], None],
        between_batches: Callable[[], None] = lambda: None,
    ) -> None:
        self._counting = source
        self._outputs = outputs
        self._ledger = ledger
        self._on_status = on_status
        self._between_batches = between_batches
        self._quiet_s = 0.0
        """When it has been quiet for long enough to poll less often."""
        self._tend_due_s = self._losses_due_s = self._status_due_s = 0.0

    @abstractmethod
    def _step(self, timeout_s: float, left: int | None) -> int | None:
        """Take what happened, waiting for it at most `timeout_s`, count it, and write it, `left` rows at most.

        Return how many rows were kept, None where nothing happened.
        """

    @abstractmethod
    def _tell(self, events_lost: int, attribution: str | None = None) -> None:
        """Write a row of kind `loss` to every output."""

    @abstractmethod
    def _tell_in(self, output: OutputT, events_lost: int) -> None:
        """Write a row of kind `loss` to one output."""

    def run(self, stop: Callable[[], bool], *, duration_s: float | None = None, count: int | None = None) -> None:
        """Record until `stop` says so, `duration_s` is over or `count` rows are written.

        Raises OSError where an output cannot be written.
        """
        end_s = float("inf") if duration_s is None else time.monotonic() + duration_s
        left = self._turn(0.0, count)
        while left != 0 and not stop() and (wait_s := end_s - time.monotonic()) > 0:
            left = self._turn(min(wait_s, _STEP_S if time.monotonic() < self._quiet_s else _QUIET_STEP_S), left)
        self._drain(left)
        self._tell_losses()
        self._report()

    def _turn(self, timeout_s: float, left: int | None) -> int | None:
        """Do one step; return how many rows are still wanted, None for no limit."""
        self._between_batches()
        kept = self._step(timeout_s, left)
        now_s = time.monotonic()
        if kept is not None:
            self._quiet_s = now_s + _QUIET_S
        # At intervals while pieces arrive quickly.
        if kept is None or now_s >= self._tend_due_s:
            self._tend_due_s = now_s + _TEND_S
            for output in self._outputs:
                output.tick()
        if now_s >= self._losses_due_s:
            self._losses_due_s = now_s + _LOSSES_S
            self._tell_losses()
        if now_s >= self._status_due_s:
            self._status_due_s = now_s + _STATUS_S
            self._report()
        return _rest(left, kept)

    def _drain(self, left: int | None) -> None:
        end_s = time.monotonic() + _DRAIN_S
        while left != 0 and time.monotonic() < end_s and (kept := self._step(0.0, left)) is not None:
            left = _rest(left, kept)

    def _report(self) -> None:
        """Bring the ledger up to date, and show it. Warnings cost a system call a program; no row depends on them."""
        self._ledger.warnings = dict(self._counting.warnings())
        self._on_status(self._ledger)

    def _tell_losses(self) -> None:
        lost = self._ledger.add_losses(self._counting.losses())
        if lost:
            self._tell(lost)
        for attribution, count in self._ledger.add_unattributed(self._counting.unattributed()).items():
            self._tell(count, attribution)
        for output in self._outputs:
            lost = output.take_losses()
            if lost:
                self._tell_in(output, lost)


def _rest(left: int | None, kept: int | None) -> int | None:
    return left if left is None or kept is None else left - kept
