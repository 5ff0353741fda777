"""Logs into the lake: each once, each event once, whatever was interrupted."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from event_rows import BatchOf, Row
from procwire.api import read
from procwire.event import SCHEMA, Event
from procwire.lake import ingest as module
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sources import read_events

EXAMPLE_EVENTS = 153


def into(lake: Lake, *paths: Path | str, recover: bool = False, selection: str = "") -> Ingest:
    done = Ingest(lake, selection=selection)
    done.run(list(paths), recover=recover, ledger=Ledger())
    return done


def counts(done: Ingest) -> tuple[int, int, int]:
    """Added, there already, logs not read again."""
    return sum(log.added for log in done.logs), sum(log.duplicates for log in done.logs), len(done.already)


def log_of(path: Path, batch: pa.RecordBatch) -> Path:
    """A log in XML with these events."""
    with path.open("wb") as file:
        sink = open_sink("xml", file, SCHEMA)
        sink.write(batch)
        sink.close()
    return path


def records(lake: Lake) -> list[int | None]:
    rows = pa.Table.from_batches(lake.batches())
    return sorted(rows["record_id"].to_pylist(), key=lambda record: (record is None, record))


def test_log_is_read_once(lake: Lake, example_log: Path, tmp_path: Path) -> None:
    """Whatever it is called, packed or not, and from standard input."""
    assert counts(into(lake, example_log)) == (EXAMPLE_EVENTS, 0, 0)
    renamed = tmp_path / "other.evtx"
    renamed.write_bytes(example_log.read_bytes())
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(example_log.read_bytes()))
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as members:
        members.write(example_log, "inner.evtx")
    for path in (example_log, renamed, packed, archive):
        assert counts(into(lake, path)) == (0, 0, 1), path
    assert lake.info().events == EXAMPLE_EVENTS


def test_log_twice_among_the_paths_is_read_once(lake: Lake, example_log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.evtx"
    copy.write_bytes(example_log.read_bytes())
    assert counts(into(lake, example_log, copy)) == (EXAMPLE_EVENTS, 0, 1)


def test_standard_input_is_known_by_its_bytes(lake: Lake, example_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = example_log.read_bytes()
    for expected in ((EXAMPLE_EVENTS, 0, 0), (0, 0, 1)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        assert counts(into(lake, "-")) == expected
    assert counts(into(lake, example_log)) == (0, 0, 1)


def test_what_comes_back_is_what_read_gives(lake: Lake, example_log: Path) -> None:
    into(lake, example_log)
    lake.compact()
    order = [("source_offset", "ascending")]
    found = pa.Table.from_batches(lake.batches()).select(SCHEMA.names).sort_by(order)
    assert found.to_pylist() == read(example_log).sort_by(order).to_pylist()


def test_overlapping_exports_give_each_event_once(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    """Also within one append, and after the first was compacted."""
    first, second, third = (
        log_of(tmp_path / f"{name}.xml", batch_of(*({"record_id": record} for record in span)))
        for name, span in (("a", range(10)), ("b", range(5, 15)), ("c", range(12, 20)))
    )
    assert counts(into(lake, first, second)) == (15, 5, 0)
    lake.compact()
    assert counts(into(lake, third)) == (5, 3, 0)
    assert records(lake) == list(range(20))


def test_same_record_id_elsewhere_is_another_event(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    """Of another machine, another channel, another time; and case counts, since nobody says that it does not."""
    changes: list[Row] = [
        {},
        {"computer_name": "OTHER"},
        {"channel": "ForwardedEvents"},
        {"computer_name": None},
        {"event_recorded_time": datetime(2019, 1, 1, tzinfo=UTC)},
    ]
    for number, change in enumerate(changes):
        into(lake, log_of(tmp_path / f"{number}.xml", batch_of({"record_id": 1, **change})))
    assert lake.info().events == len(changes)
    assert counts(into(lake, log_of(tmp_path / "again.xml", batch_of({"record_id": 1, "user_name": "x"})))) == (0, 1, 0)


def test_times_at_the_ends_of_the_calendar_are_kept_and_those_beyond_are_null(
    lake: Lake, batch_of: BatchOf, tmp_path: Path
) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    ends = {"event_creation_time": datetime.min.replace(tzinfo=UTC), "event_recorded_time": last}
    log = log_of(tmp_path / "a.xml", batch_of({"record_id": 1, **ends}, {"record_id": 2, **ends}))
    first, second = log.read_text().split("</Event>\n")[:2]
    second = second.replace("0001-01-01 00", "0000-12-31 23").replace("59.999999000Z", "59.999999000-01:00")
    for events, expected in (((first, second), (2, 0, 0)), ((second, first), (1, 1, 0))):
        log.write_text("</Event>\n".join([*events, ""]))
        assert counts(into(lake, log)) == expected
    rows = pa.Table.from_batches(lake.batches()).sort_by("record_id").select(list(ends)).to_pylist()
    assert rows == [ends, dict.fromkeys(ends), dict.fromkeys(ends)]


def test_events_without_a_record_id_are_known_by_their_log_only(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    rows = batch_of({"record_id": None}, {"record_id": None})
    log = log_of(tmp_path / "a.xml", rows)
    assert counts(into(lake, log)) == (2, 0, 0)
    assert counts(into(lake, log)) == (0, 0, 1)
    log.write_bytes(log.read_bytes() + b"\n")
    assert counts(into(lake, log)) == (2, 0, 0)


def test_another_selection_adds_what_is_not_there(lake: Lake, example_log: Path) -> None:
    """A log read with a predicate is not the whole log; the rest may follow."""

    def https(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pa.compute.equal(batch["dst_port"], 443))

    some = Ingest(lake, step=https, selection="dst_port = 443")
    some.run([example_log], ledger=Ledger())
    assert [(log.added, log.left_out, log.events) for log in some.logs] == [(29, 124, EXAMPLE_EVENTS)]
    assert counts(into(lake, example_log, selection="dst_port = 443")) == (0, 0, 1)
    assert counts(into(lake, example_log)) == (124, 29, 0)
    assert lake.info().events == EXAMPLE_EVENTS


@pytest.fixture
def small_appends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of seven rows, appended one by one."""
    whole = read_events

    def pieces(*args: object, **kwargs: object) -> Iterator[tuple[Event, pa.RecordBatch]]:
        for event, batch in whole(*args, **kwargs):  # type: ignore[arg-type]
            yield from ((event, batch.slice(start, 7)) for start in range(0, batch.num_rows, 7))

    monkeypatch.setattr(module, "read_events", pieces)
    monkeypatch.setattr(module, "_APPEND_ROWS", 7)


@pytest.mark.usefixtures("small_appends")
@pytest.mark.parametrize("appends", [0, 1, 9])
def test_interrupted_reading_goes_on_where_it_ended(
    lake: Lake, batch_of: BatchOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appends: int
) -> None:
    """Events without a record id: so it is the position that keeps them from being doubled."""
    ports = [{"record_id": None, "dst_port": port} for port in range(100)]
    log = log_of(tmp_path / "a.xml", batch_of(*ports))
    append, left = lake.append_logs, [appends]

    def fail_then(rows: pa.Table, transactions: dict[str, int]) -> pa.Table | None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return append(rows, transactions)

    monkeypatch.setattr(lake, "append_logs", fail_then)
    with pytest.raises(KeyboardInterrupt):
        into(lake, log)
    again = Lake.open(lake.location)
    assert again.info().events == 7 * appends
    assert counts(into(again, log))[0] == 100 - 7 * appends
    found = pa.Table.from_batches(again.batches())["dst_port"].to_pylist()
    assert sorted(found) == list(range(100))


@pytest.mark.usefixtures("small_appends")
def test_position_of_a_log_never_goes_back(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    """Of a log that is half read another reader may commit less, beside rows of other logs."""
    log = log_of(tmp_path / "a.xml", batch_of(*({"record_id": None, "dst_port": port} for port in range(20))))
    into(lake, log)
    [source] = [reading.source for reading in lake.info().readings]
    again = Ingest(lake)
    again._known.clear()
    other = log_of(tmp_path / "b.xml", batch_of({"record_id": 7}))
    again.run([other, log], ledger=Ledger())
    lake.table.reload()
    assert lake.table.transaction_version(source) == 20
    assert lake.info().events == 21


def test_rows_come_in_the_same_order_each_time(tmp_path: Path, batch_of: BatchOf) -> None:
    """What goes on where it ended depends on it; several blocks and threads."""
    batch = batch_of(*({"record_id": record} for record in range(5_000)))
    log = log_of(tmp_path / "a.xml", batch)
    orders = {tuple(read(log)["record_id"].to_pylist()) for _ in range(3)}
    assert orders == {tuple(range(5_000))}


def test_batch_of_several_logs_is_taken_apart(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    """The reader puts small logs' rows together; the account is by log."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(5):
        log_of(folder / f"{number}.xml", batch_of(*({"record_id": 10 * number + row} for row in range(number))))
    done = into(lake, folder)
    assert [log.added for log in done.logs] == [0, 1, 2, 3, 4]
    assert counts(into(lake, folder)) == (0, 0, 5)


def test_damaged_packing_gives_what_is_before_the_damage(lake: Lake, example_log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "cut.gz"
    packed.write_bytes(gzip.compress(example_log.read_bytes())[:100_000])
    plain = Ledger()
    expected = read(packed, ledger=plain).num_rows
    ledger = Ledger()
    Ingest(lake).run([packed], ledger=ledger)
    assert lake.info().events == expected == 131
    assert ledger.damage == plain.damage
    [reading] = lake.info().readings
    assert (reading.added, reading.lost) == (131, plain.damage.total())


def test_ledger_of_the_lake_tells_what_each_log_gave(
    lake: Lake, example_log: Path, batch_of: BatchOf, tmp_path: Path
) -> None:
    into(lake, example_log)
    into(lake, log_of(tmp_path / "a.xml", batch_of({})), str(tmp_path / "none.evtx"))
    first, second = lake.info().readings
    assert (first.kind, first.name, first.records, first.events, first.added) == (
        "log", str(example_log), 1_730, EXAMPLE_EVENTS, EXAMPLE_EVENTS,
    )  # fmt: skip
    assert (second.name, second.added) == (str(tmp_path / "a.xml"), 1)


_READS = """
import sys
from procwire.lake import ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
ingest._APPEND_ROWS = 1
sys.stdin.readline()
ingest.Ingest(Lake.open(sys.argv[1])).run(sys.argv[2:], ledger=Ledger())
"""


def test_readers_at_once_add_each_event_once(
    lake: Lake, batch_of: BatchOf, tmp_path: Path, rows_of: Callable[[Lake], list[dict[str, object]]]
) -> None:
    """Overlapping exports, by two processes, in opposite orders: what one finds missing the other may be adding."""
    logs = [
        str(log_of(tmp_path / f"{number}.xml", batch_of(*({"record_id": 5 * number + row} for row in range(10)))))
        for number in range(8)
    ]
    readers = [
        subprocess.Popen([sys.executable, "-c", _READS, lake.location, *order], stdin=subprocess.PIPE)
        for order in (logs, logs[::-1])
    ]
    for reader in readers:
        reader.communicate(b"\n")
    assert [reader.returncode for reader in readers] == [0, 0]
    assert [row["record_id"] for row in rows_of(lake)] == list(range(45))
