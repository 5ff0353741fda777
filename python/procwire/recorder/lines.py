"""Record by lines: the core writes rows as text in one pass, and calls Python where it must decide on rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from procwire.recorder.accounts import Account, Counted
from procwire.recorder.ledger import OutputLedger, RecordingLedger
from procwire.recorder.turns import ERROR_EVENT_ID, Counting, Turns

__all__ = ["CountedLines", "LineLosses", "LineRecorder"]

# More rows than a step of the core returns; their ids must be known before it.
_MOST_ROWS = 8_192
_NO_LIMIT = 2**63 - 1

Values = dict[str, str | int | None]


class _Lines(Protocol):
    @property
    def data(self) -> bytes | memoryview: ...
    @property
    def written(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def ruled_out(self) -> int: ...
    @property
    def captured(self) -> Mapping[str, int]: ...
    @property
    def has_rest(self) -> bool: ...


class LineSource(Counting, Protocol):
    """Return rows as lines."""

    def lines(self, timeout_s: float, first_record_id: int, most: int) -> _Lines | None:
        """Return lines after waiting at most `timeout_s`, see `EbpfSource.lines`; None if there are none."""


class RecordIds(Protocol):
    """Issue record ids, see `record_ids.RecordIds`."""

    def ahead(self, count: int) -> int:
        """Return the first of `count` consecutive ids, which the next `take` of that many or fewer issues."""

    def take(self, count: int) -> int:
        """Return the first of `count` consecutive ids, and use them up."""


class LineSink(Counted, Protocol):
    """Take complete lines."""

    def write(self, lines: bytes | memoryview, written: int, skipped: int = 0) -> None:
        """Write complete lines; written, skipped: how many rows they are, and how many have no form."""

    def tick(self) -> None:
        """Do what is due after a time."""

    def close(self) -> None:
        """Write what must be at the end."""


class CountedLines:
    """Write lines to `sink`, and keep its ledger."""

    def __init__(self, sink: LineSink, ledger: OutputLedger, complain: Callable[[str], None]) -> None:
        self._sink = sink
        self._account = Account(sink, ledger, complain)

    def write(self, lines: bytes | memoryview, written: int, skipped: int = 0) -> None:
        """Write complete lines; written, skipped: how many rows they are, and how many have no form."""
        self._sink.write(lines, written, skipped)
        self._account.take()

    def tick(self) -> None:
        """Do what is due after a time."""
        self._sink.tick()
        self._account.take()

    def close(self) -> None:
        """Write what must be at the end."""
        self._sink.close()
        self._account.take()

    def take_losses(self) -> int:
        """Return how many rows were lost here and not reported yet; 0 while they cannot be reported."""
        return self._account.take_losses()


LineLosses = Callable[[Values], bytes]
"""Makes a line from the values of a row of kind `loss`, which lack the envelope except for id and time."""


class LineRecorder(Turns[CountedLines]):
    """Record from `source`, whose form of lines is set, to one output; otherwise like `loop.Recorder`.

    record_ids: issues the ids. losses: makes lines that report losses. undecided: returns how many rows were kept so
    far because a predicate could not be evaluated on them; its errors end the recording.
    """

    def __init__(
        self,
        source: LineSource,
        output: CountedLines,
        *,
        record_ids: RecordIds,
        losses: LineLosses,
        ledger: RecordingLedger,
        on_status: Callable[[RecordingLedger], None],
        between_batches: Callable[[], None] = lambda: None,
        undecided: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(source, [output], ledger=ledger, on_status=on_status, between_batches=between_batches)
        self._source = source
        self._output = output
        self._record_ids = record_ids
        self._losses = losses
        self._undecided = undecided

    def _step(self, timeout_s: float, left: int | None) -> int | None:
        most = _NO_LIMIT if left is None else left
        lines = self._source.lines(timeout_s, self._record_ids.ahead(_MOST_ROWS), most)
        if lines is None:
            return None
        captured, kept = sum(lines.captured.values()), self._take(lines)
        # Finish the pending rows before the rules may change.
        while lines.has_rest and (lines := self._source.lines(0.0, self._record_ids.ahead(_MOST_ROWS), most - kept)):
            kept += self._take(lines)
        self._ledger.filtered += captured - kept
        self._ledger.undecided = self._undecided()
        return kept

    def _take(self, lines: _Lines) -> int:
        """Count lines and write them; return how many rows were kept."""
        kept = lines.written + lines.skipped
        self._record_ids.take(kept)
        self._ledger.captured.update(lines.captured)
        self._ledger.filtered_by_rules += lines.ruled_out
        self._output.write(lines.data, lines.written, lines.skipped)
        return kept

    def _tell(self, events_lost: int, attribution: str | None = None) -> None:
        now_us = time.time_ns() // 1_000
        values: Values = {
            "event_creation_time": now_us,
            "event_recorded_time": now_us,
            "event_id": ERROR_EVENT_ID,
            "record_id": self._record_ids.take(1),
            "record_kind": "loss",
            "events_lost": events_lost,
            "attribution": attribution,
        }
        self._output.write(self._losses(values), 1)

    def _tell_in(self, output: CountedLines, events_lost: int) -> None:
        assert output is self._output
        self._tell(events_lost)
