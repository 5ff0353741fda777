"""What a live source owes: batches of LIVE_SCHEMA; and the eBPF source over a core that is played."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from procwire import _core
from procwire.errors import RecordError
from procwire.event import LIVE_SCHEMA
from procwire.sources.live import Hook, LiveSource, completed
from procwire.sources.sensor import EbpfSource

OPTIONS: dict[str, Any] = {
    "ring_bytes": 1 << 20, "udp": True, "udp_idle_s": 60.0, "attempts": True, "closes": False, "existing": False,
    "boot_time_ns": 17, "machine_id": 4,
}  # fmt: skip


class PlayedSensor:
    """What `_core.Sensor` is to be."""

    given: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        type(self).given = options
        self.closed = False

    def hooks(self) -> list[tuple[str, bool, str | None]]:
        return [("tp_btf/inet_sock_set_state", True, None), ("fexit", False, "Operation not permitted")]

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        if timeout_s == 0:
            return None
        return pa.record_batch({"dst_port": pa.array([443], pa.int32()), "record_kind": ["connection"]})

    def losses(self) -> dict[str, int]:
        return {"buffer full": 3}

    def unattributed(self) -> dict[str, int]:
        return {"undescribed": 2}

    def warnings(self) -> dict[str, int]:
        return {"flows evicted": 2}

    def close(self) -> None:
        self.closed = True


def test_completed_has_every_column_under_its_type() -> None:
    batch = completed(pa.record_batch({"dst_port": pa.array([1, None], pa.int16()), "src_ip": ["::1", "::2"]}))
    assert batch.schema.equals(LIVE_SCHEMA)
    assert batch.column("dst_port").to_pylist() == [1, None]
    assert batch.column("src_ip").to_pylist() == ["::1", "::2"]
    assert batch.column("process_id").null_count == 2


def test_completed_hands_on_what_is_complete() -> None:
    batch = pa.RecordBatch.from_pylist([{}], schema=LIVE_SCHEMA)
    assert completed(batch) is batch


def test_completed_refuses_unknown_columns() -> None:
    with pytest.raises(ValueError, match="found columns \\['dst_prt'\\]"):
        completed(pa.record_batch({"dst_prt": [1]}))


def test_sensor_is_a_live_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "Sensor", PlayedSensor, raising=False)
    source: LiveSource = EbpfSource(**OPTIONS)
    assert PlayedSensor.given == {**OPTIONS, "cgroup": None}
    assert source.hooks[1] == Hook("fexit", False, "Operation not permitted")
    assert source.step(0.0) is None
    batch = source.step(0.1)
    assert batch is not None
    assert batch.schema.equals(LIVE_SCHEMA)
    assert batch.column("dst_port").to_pylist() == [443]
    assert source.losses() == {"buffer full": 3}
    assert source.unattributed() == {"undescribed": 2}
    assert source.warnings() == {"flows evicted": 2}
    source.close()


@pytest.mark.parametrize("error", [PermissionError(1, "Operation not permitted"), RuntimeError("no BTF")])
def test_sensor_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(_core, "Sensor", refuse, raising=False)
    with pytest.raises(RecordError, match=r"Operation not permitted|no BTF"):
        EbpfSource(**OPTIONS)


def test_build_without_a_sensor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_core, "Sensor", raising=False)
    with pytest.raises(RecordError, match="this build of procwire has no eBPF sensor"):
        EbpfSource(**OPTIONS)
