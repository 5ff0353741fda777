"""The loop: what comes in goes out, is filtered, or is reported as lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from fakes import FakeOutput, FakeSource, live

from procwire.recorder import Recorder, RecordingLedger
from procwire.recorder.loop import Step


def odd_ports(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(pc.equal(pc.bit_wise_and(batch.column("dst_port"), 1), 1))


class Numbering:
    """An envelope that only counts."""

    def __init__(self) -> None:
        self.next = 1

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        ids = pa.array(range(self.next, self.next + batch.num_rows), pa.int64())
        self.next += batch.num_rows
        return batch.set_column(batch.schema.get_field_index("record_id"), batch.schema.field("record_id"), ids)


def record(
    source: FakeSource,
    *outputs: FakeOutput,
    enrich: Sequence[Step] = (),
    rules: Step | None = None,
    predicate: Step | None = None,
    stop: Callable[[], bool] | None = None,
    **limits: Any,
) -> RecordingLedger:
    """Record until the source has no more."""
    ledger = RecordingLedger("fake")
    recorder = Recorder(
        source,
        outputs,
        enrich=enrich,
        rules=rules,
        predicate=predicate,
        envelope=Numbering(),
        ledger=ledger,
        on_status=lambda _: None,
    )
    recorder.run(stop or (lambda: not source.batches), **limits)
    return ledger


def test_every_output_gets_every_row_in_order() -> None:
    outputs = FakeOutput(), FakeOutput()
    ledger = record(FakeSource(live({"dst_port": 1}, {"dst_port": 2}), None, live({"dst_port": 3})), *outputs)
    for output in outputs:
        assert [row["dst_port"] for row in output.rows] == [1, 2, 3]
        assert [row["record_id"] for row in output.rows] == [1, 2, 3]
        assert output.ticks >= 2
    assert ledger.captured == {"connection": 3}
    assert ledger.filtered == 0


def test_what_is_filtered_is_counted_and_takes_no_number() -> None:
    output = FakeOutput()
    ledger = record(FakeSource(live(*({"dst_port": port} for port in range(10)))), output, predicate=odd_ports)
    assert [(row["record_id"], row["dst_port"]) for row in output.rows] == [(1, 1), (2, 3), (3, 5), (4, 7), (5, 9)]
    assert (ledger.captured.total(), ledger.filtered) == (10, 5)


def test_rules_come_before_the_predicate_and_are_counted_apart() -> None:
    def above_four(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pc.greater(batch.column("dst_port"), 4))

    asked: list[int] = []

    def asks(batch: pa.RecordBatch) -> pa.RecordBatch:
        asked.extend(batch.column("dst_port").to_pylist())
        return odd_ports(batch)

    output = FakeOutput()
    source = FakeSource(live(*({"dst_port": port} for port in range(10))), live({"dst_port": 1}))
    ledger = record(source, output, rules=above_four, predicate=asks)
    assert asked == [5, 6, 7, 8, 9]
    assert [row["dst_port"] for row in output.rows] == [5, 7, 9]
    assert (ledger.captured.total(), ledger.filtered, ledger.filtered_by_rules) == (11, 8, 6)


def test_enrichment_comes_before_the_predicate() -> None:
    def port_nine(batch: pa.RecordBatch) -> pa.RecordBatch:
        index = batch.schema.get_field_index("dst_port")
        return batch.set_column(index, batch.schema.field(index), pa.array([9] * batch.num_rows, pa.int32()))

    output = FakeOutput()
    record(FakeSource(live({"dst_port": 2})), output, enrich=[port_nine], predicate=odd_ports)
    assert [row["dst_port"] for row in output.rows] == [9]


def test_count_ends_it_within_a_batch() -> None:
    output = FakeOutput()
    source = FakeSource(live({}, {}), live({}, {}), live({}))
    ledger = record(source, output, stop=lambda: False, count=3)
    assert len(output.rows) == 3
    assert (ledger.captured.total(), ledger.filtered) == (4, 1)
    assert len(source.batches) == 1


def test_duration_ends_it_and_what_is_waiting_is_taken() -> None:
    output = FakeOutput()
    source = FakeSource(live({}), live({}), live({}))
    record(source, output, stop=lambda: False, duration_s=0.0)
    assert len(output.rows) == 3
    assert source.batches == []


def test_losses_stand_in_the_stream_once() -> None:
    """Summed up since the last row that reported some; also those that come to light at the very end."""
    output = FakeOutput()
    ledger = record(FakeSource(live({}), live({}), live({}), losses=[5, 0, 7]), output)
    losses = [row for row in output.rows if row["record_kind"] == "loss"]
    assert sum(row["events_lost"] for row in losses) == 12 == ledger.events_lost
    assert {row["event_id"] for row in losses} == {255}
    assert all(row["event_creation_time"] is not None for row in losses)
    assert [row["record_id"] for row in output.rows] == list(range(1, len(output.rows) + 1))
    assert ledger.lost == {"buffer full": 12}
    assert list(ledger.warnings) == ["odd"]


def test_events_without_their_process_stand_in_the_stream_once() -> None:
    output = FakeOutput()
    ledger = record(FakeSource(live({}), live({}), unattributed=3), output)
    losses = [row for row in output.rows if row["record_kind"] == "loss"]
    assert [(row["events_lost"], row["attribution"]) for row in losses] == [(3, "undescribed")]
    assert ledger.unattributed == {"undescribed": 3}
    assert ledger.events_lost == 0
    assert not ledger.is_whole


def test_losses_pass_the_predicate_and_the_count() -> None:
    output = FakeOutput()
    record(FakeSource(live({"dst_port": 2}), losses=[1]), output, predicate=odd_ports, count=1)
    assert [row["record_kind"] for row in output.rows] == ["loss"]


def test_losses_of_an_output_are_reported_in_that_output_only() -> None:
    failing, well = FakeOutput(failing=1), FakeOutput()
    record(FakeSource(live({}, {}), live({})), failing, well)
    assert [(row["record_kind"], row["events_lost"]) for row in failing.rows] == [("loss", 2), ("connection", None)]
    assert [row["record_kind"] for row in well.rows] == ["connection"] * 3


def test_no_step_is_made_while_an_output_does_not_take() -> None:
    """What is not asked for stays in the kernel, and memory does not grow."""

    class Stuck(FakeOutput):
        def write(self, batch: pa.RecordBatch) -> None:
            del batch
            raise BrokenPipeError

    source = FakeSource(live({}), live({}))
    with pytest.raises(BrokenPipeError):
        record(source, Stuck())
    assert source.steps == 1


def test_status_is_reported_at_the_beginning_and_at_the_end() -> None:
    shown_text: list[int] = []
    ledger = RecordingLedger("fake")
    source = FakeSource(live({}), live({}))
    Recorder(
        source, [FakeOutput()], enrich=(), envelope=Numbering(), ledger=ledger,
        on_status=lambda ledger: shown_text.append(ledger.captured.total()),
    ).run(lambda: not source.batches)  # fmt: skip
    assert shown_text[0] == 1
    assert shown_text[-1] == 2
