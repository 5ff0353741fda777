"""The loop over lines: what comes in goes out as it is, and is counted as with batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from procwire.recorder.ledger import OutputLedger, RecordingLedger
from procwire.recorder.lines import CountedLines, LineRecorder
from procwire.recorder.record_ids import FreshIds


class Piece(NamedTuple):
    data: bytes
    written: int
    skipped: int
    ruled_out: int
    captured: Mapping[str, int]
    has_rest: bool = False


class FakeSource:
    """Gives so many rows in each step, as the core does: numbered, and those beyond the limit counted. rest: so many
    more of the first step come by themselves."""

    def __init__(
        self, *rows: int | None, losses: Sequence[int] = (), unattributed: int = 0, skipped: int = 0, rest: int = 0
    ) -> None:
        self.steps = list(rows)
        self._rest = rest
        self._is_rest = False
        self._losses = list(losses)
        self._lost = 0
        self._unattributed = unattributed
        self._skipped = skipped

    def lines(self, timeout_s: float, first_record_id: int, most: int) -> Piece | None:
        del timeout_s
        if self._losses:
            self._lost += self._losses.pop(0)
        rows = self.steps.pop(0) if self.steps else None
        if rows is None:
            return None
        kept = min(rows, most)
        written = max(0, kept - self._skipped)
        data = b"".join(b"%d\n" % (first_record_id + row) for row in range(written))
        counted = {} if self._is_rest else {"connection": rows + (self._rest or 0)}
        self._is_rest, rest = self._rest > 0, self._rest
        if rest:
            self.steps.insert(0, rest)
            self._rest = 0
        return Piece(data, written, kept - written, 0, counted, rest > 0)

    def losses(self) -> Mapping[str, int]:
        return {"buffer full": self._lost, "never": 0}

    def unattributed(self) -> Mapping[str, int]:
        return {"undescribed": self._unattributed}

    def warnings(self) -> Mapping[str, int]:
        return {"odd": 1}


class FakeSink:
    """Keeps lines; loses the first `failing` writes."""

    def __init__(self, failing: int = 0) -> None:
        self.lines: list[bytes] = []
        self.written = self.skipped = self.lost = 0
        self.error: str | None = None
        self._failing = failing

    def write(self, lines: bytes | memoryview, written: int, skipped: int = 0) -> None:
        self.skipped += skipped
        self.error = "no place" if self._failing else None
        if self._failing:
            self._failing -= 1
            self.lost += written
        else:
            self.written += written
            self.lines += bytes(lines).split(b"\n")[:-1]

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


def record(
    source: FakeSource, sink: FakeSink, *, stop: Callable[[], bool] | None = None, **limits: Any
) -> tuple[RecordingLedger, list[str]]:
    """Record until the source has no more; what was complained of, too."""
    ledger = RecordingLedger("fake")
    ledger.outputs.append(OutputLedger("a.ndjson", "ndjson"))
    complaints: list[str] = []
    recorder = LineRecorder(
        source,
        CountedLines(sink, ledger.outputs[0], complaints.append),
        record_ids=FreshIds(),
        losses=lambda values: f"{values['record_id']} loss {values['events_lost']} {values['attribution']}\n".encode(),
        ledger=ledger,
        on_status=lambda _: None,
    )
    recorder.run(stop or (lambda: not source.steps), **limits)
    return ledger, complaints


def test_lines_are_written_in_order_and_numbered() -> None:
    sink = FakeSink()
    ledger, _ = record(FakeSource(2, None, 1), sink)
    assert sink.lines == [b"1", b"2", b"3"]
    assert (ledger.captured, ledger.filtered, ledger.outputs[0].written) == ({"connection": 3}, 0, 3)
    assert list(ledger.warnings) == ["odd"]
    assert ledger.is_whole


def test_count_ends_it_within_a_piece() -> None:
    sink = FakeSink()
    source = FakeSource(2, 2, 1)
    ledger, _ = record(source, sink, stop=lambda: False, count=3)
    assert sink.lines == [b"1", b"2", b"3"]
    assert (ledger.captured.total(), ledger.filtered) == (4, 1)
    assert len(source.steps) == 1


def test_duration_ends_it_and_what_is_waiting_is_taken() -> None:
    sink = FakeSink()
    record(FakeSource(1, 1, 1), sink, stop=lambda: False, duration_s=0.0)
    assert len(sink.lines) == 3


def test_rows_without_a_form_are_left_out_and_take_a_number() -> None:
    sink = FakeSink()
    ledger, _ = record(FakeSource(3, 2, skipped=1), sink)
    assert sink.lines == [b"1", b"2", b"4"]
    assert (ledger.outputs[0].written, ledger.outputs[0].left_out, ledger.filtered) == (3, 2, 0)


def test_what_is_left_of_a_step_is_written_and_counted_before_all_else() -> None:
    sink = FakeSink()
    ledger, _ = record(FakeSource(2, 1, rest=3), sink)
    assert sink.lines == [b"%d" % number for number in range(1, 7)]
    assert (ledger.captured.total(), ledger.filtered) == (6, 0)
    sink = FakeSink()
    ledger, _ = record(FakeSource(2, rest=3), sink, count=3)
    assert sink.lines == [b"1", b"2", b"3"]
    assert (ledger.captured.total(), ledger.filtered) == (5, 2)


def test_losses_stand_in_the_stream_once() -> None:
    sink = FakeSink()
    ledger, _ = record(FakeSource(1, 1, losses=[5, 0], unattributed=3), sink)
    assert [line for line in sink.lines if b"loss" in line] == [b"2 loss 5 None", b"3 loss 3 undescribed"]
    assert sink.lines[-1] == b"4"
    assert (ledger.lost, ledger.unattributed) == ({"buffer full": 5}, {"undescribed": 3})
    assert not ledger.is_whole


def test_losses_of_the_output_are_reported_when_it_can_be_written_again() -> None:
    sink = FakeSink(failing=1)
    ledger, complaints = record(FakeSource(2, 1), sink)
    assert sink.lines == [b"3", b"4 loss 2 None"]
    assert (ledger.outputs[0].written, ledger.outputs[0].lost) == (2, 2)
    assert complaints == ["a.ndjson: no place", "a.ndjson: writing again; 2 rows were lost"]
