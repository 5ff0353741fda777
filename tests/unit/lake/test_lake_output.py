"""A recording into the lake: what is written is committed, and a lake that fails is tried again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from procwire.errors import LakeError
from procwire.event import LIVE_SCHEMA
from procwire.lake import recording
from procwire.lake.lake import Lake
from procwire.lake.recording import LakeOutput


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def batch(*records: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"record_id": record} for record in records], schema=LIVE_SCHEMA)


def output_of(lake: Lake, clock: Clock) -> LakeOutput:
    return LakeOutput(lake, "recording:1", "host", now=clock)


def test_rows_are_committed_after_ten_seconds(lake: Lake) -> None:
    clock = Clock()
    output = output_of(lake, clock)
    output.write(batch(1))
    clock.now_s = 9.9
    output.write(batch(2))
    assert (output.written, lake.info().events) == (0, 0)
    clock.now_s = 10.0
    output.tick()
    assert (output.written, lake.info().events) == (2, 2)


def test_many_rows_are_committed_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_COMMIT_ROWS", 3)
    output = output_of(lake, Clock())
    output.write(batch(1, 2, 3))
    assert lake.info().events == 3


def test_close_commits_and_tells_the_ledger(lake: Lake) -> None:
    output = output_of(lake, Clock())
    output.write(batch(1, 2))
    output.close()
    [reading] = lake.info().readings
    assert (reading.kind, reading.name, reading.added, reading.lost) == ("recording", "host", 2, 0)
    assert lake.info().events == 2


def test_lake_that_fails_is_tried_again_and_what_finds_no_place_is_lost(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_HELD_ROWS", 3)
    clock = Clock()
    output = output_of(lake, clock)

    def full(*_: object, **__: object) -> bool:
        raise LakeError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(lake, "append", full)
        output.write(batch(1, 2))
        clock.now_s = 10.0
        output.tick()
        assert str(output.error) == "cannot write: no space left on device"
        output.write(batch(3, 4))
        assert (output.written, output.lost) == (0, 2)
    clock.now_s = 20.0
    output.tick()
    assert (output.error, output.written, output.lost, lake.info().events) == (None, 2, 2, 2)
    output.write(batch(5))
    output.close()
    assert (output.written, lake.info().events) == (3, 3)


def test_commit_whose_answer_was_lost_is_not_repeated(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are in, the error came after: the same number keeps them from being added again."""
    clock = Clock()
    output = output_of(lake, clock)
    append = lake.append

    def committed_then_failed(*args: object, **kwargs: object) -> bool:
        append(*args, **kwargs)  # type: ignore[arg-type]
        raise OSError("timed out")

    output.write(batch(1))
    with monkeypatch.context() as patched:
        patched.setattr(lake, "append", committed_then_failed)
        clock.now_s = 10.0
        output.tick()
    output.close()
    assert (output.written, output.lost, lake.info().events) == (1, 0, 1)
