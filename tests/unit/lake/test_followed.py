"""Logs that grow into a lake: each event once, over rotation and restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.event import CONNECTION, SCHEMA
from procwire.event import Event as LoggedEvent
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sinks import open_sink

Rows = Callable[[Lake], list[dict[str, object]]]


@pytest.fixture
def add(batch_of: BatchOf) -> Callable[[Path, range], None]:
    """Adds events with these record ids to a log in XML."""

    def events(log: Path, records: range) -> None:
        with log.open("ab") as file:
            sink = open_sink("xml", file, SCHEMA)
            sink.write(batch_of(*({"record_id": record} for record in records)))
            sink.close()

    return events


@pytest.fixture
def follow(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ingest]:
    """Follows logs; between two looks at them one thing after the other happens, then Ctrl-C."""

    def until_done(*paths: Path, happening: tuple[Callable[[], object], ...] = ()) -> Ingest:
        events = iter(happening)

        def next_event(_: float) -> None:
            event = next(events, None)
            if event is None:
                raise KeyboardInterrupt
            event()

        # The module's own clock only: other threads of the process, such as py4j's, sleep through the shared one.
        monkeypatch.setattr("procwire.sources.follow.time", SimpleNamespace(sleep=next_event))
        ingest = Ingest(lake)
        with pytest.raises(KeyboardInterrupt):
            ingest.run(list(paths), follow=True, ledger=Ledger())
        return ingest

    return until_done


def test_followed_log_is_added_over_rotation(
    lake: Lake, tmp_path: Path, add: Callable[[Path, range], None], follow: Callable[..., Ingest], rows_of: Rows
) -> None:
    """It grows, is renamed and begun again; what was handed over is in the lake when Ctrl-C ends it."""
    log = tmp_path / "a.xml"
    add(log, range(5))
    follow(
        log,
        happening=(
            lambda: add(log, range(5, 8)),
            lambda: log.rename(tmp_path / "a.1"),
            lambda: add(log, range(8, 10)),
        ),
    )
    assert [row["record_id"] for row in rows_of(lake)] == list(range(10))


def test_followed_again_adds_what_is_new(
    lake: Lake, tmp_path: Path, add: Callable[[Path, range], None], follow: Callable[..., Ingest], rows_of: Rows
) -> None:
    """And each following has its row in the lake's ledger."""
    log = tmp_path / "a.xml"
    add(log, range(5))
    follow(log)
    add(log, range(5, 7))
    follow(log)
    assert [row["record_id"] for row in rows_of(lake)] == list(range(7))
    reported = [(reading.name, reading.events, reading.added, reading.duplicates) for reading in lake.info().readings]
    assert reported == [(str(log), 5, 5, 0), (str(log), 7, 2, 5)]


def test_what_comes_at_once_is_one_commit(
    lake: Lake, tmp_path: Path, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches that come while the next commit is not due yet are put together."""
    appended: list[int] = []
    given = threading.Event()
    ingest = Ingest(lake)
    monkeypatch.setattr(ingest._stopped, "wait", lambda _: given.wait())
    monkeypatch.setattr(ingest, "_append", lambda parts: appended.append(len(parts)))

    def batches(*_: object, **__: object) -> Iterator[tuple[LoggedEvent, pa.RecordBatch]]:
        for record in range(3):
            yield CONNECTION, batch_of({"record_id": record, "source_file": str(tmp_path)})
        given.set()

    monkeypatch.setattr("procwire.lake.ingest.read_events", batches)
    ingest.run([tmp_path], follow=True, ledger=Ledger())
    assert appended == [3]
