"""Outputs of a recording: whole at every moment, appended to, rotated without a row lost or doubled."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from live_rows import ATTEMPT, CLOSE, EXISTING, KEPT, LOSS, MIDWAY, ORIGIN, SSHD, START, numbered, recorded

import procwire
from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA, NAMES, field
from procwire.sinks import RECORDING_COLUMNS, Terminal
from procwire.sinks.recording import RecordingOutput

if TYPE_CHECKING:
    from procwire.choices import Names

LOGS = {"ndjson": "ndjson", "csv": "csv", "xml": "xml", "syslog": "log"}
"""Ways whose files procwire reads, and their suffixes."""
EVENTS = ("xml", "syslog")
FILES = {**LOGS, "arrow": "arrow", "parquet": "parquet"}
NOON_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def output(
    way: str,
    path: Path | None,
    *,
    schema: pa.Schema = LIVE_SCHEMA,
    rotate_bytes: int | None = None,
    rotate_s: float | None = None,
    keep: int | None = None,
    stream: io.BytesIO | None = None,
    terminal: Terminal | None = None,
    now: Callable[[], float] = lambda: NOON_S,
) -> RecordingOutput:
    return RecordingOutput(
        way,
        path,
        schema,
        rotate_bytes=rotate_bytes,
        rotate_s=rotate_s,
        keep=keep,
        terminal=terminal,
        stream=stream,
        now=now,
    )


def record_ids(way: str, path: Path) -> list[int | None]:
    """The record ids in a file, which must be undamaged."""
    if way == "parquet":
        return list(pq.read_table(path)["record_id"].to_pylist())
    if way == "arrow":
        with path.open("rb") as file:
            return list(pa.ipc.open_stream(file).read_all()["record_id"].to_pylist())
    ledger = procwire.Ledger()
    ids = procwire.read(path, columns=["record_id"], ledger=ledger)["record_id"].to_pylist()
    assert not ledger.damaged
    return list(ids)


def old_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.stem}.2*{path.suffix}"))


@pytest.fixture(params=FILES)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(way: str, tmp_path: Path) -> Path:
    return tmp_path / f"connections.{FILES[way]}"


@pytest.mark.parametrize("way", LOGS)
def test_logs_are_read_back(way: str, path: Path) -> None:
    """Every field that Sysmon's forms have, and of the columns of a recording those that the table has."""
    batch = recorded(
        {}, SSHD, {"rule_name": 'a & "b"', "user_name": None, "event_recorded_time": START}, {**MIDWAY, **ORIGIN}
    )
    out = output(way, path)
    out.write(batch)
    out.close()
    # The first are checked below; times of the others have milliseconds.
    kept = [name for name in KEPT if name != "logger_user_sid" and (way in EVENTS or name != "event_recorded_time")]
    assert procwire.read(path, columns=kept).to_pylist() == batch.select(kept).to_pylist()
    assert (out.written, out.skipped, out.lost, out.error) == (4, 0, 0, None)


@pytest.mark.parametrize("way", ["xml", "syslog", "ndjson", "csv"])
def test_account_of_the_recorder_is_read_back(way: str, path: Path) -> None:
    """It is not the process's own, which has a column of a like name."""
    out = output(way, path)
    out.write(recorded({}))
    out.close()
    assert procwire.read(path, columns=["logger_user_sid"])["logger_user_sid"].to_pylist() == ["0"]


@pytest.mark.parametrize("way", ["ndjson", "csv"])
def test_attempts_and_ends_are_not_read_as_connections(way: str, path: Path) -> None:
    """They have all the fields of a connection: whoever reads the file must not take them for one."""
    kinds = ["connection", "attempt", "close", "existing", "loss"]
    out = output(way, path)
    out.write(recorded(*({"record_kind": kind, "record_id": index} for index, kind in enumerate(kinds))))
    out.close()
    assert procwire.read(path, columns=["record_id"])["record_id"].to_pylist() == [0, 3]


def test_files_are_gone_on_with(way: str, path: Path) -> None:
    """A second recording to the same name: one header, all rows. Parquet sets the first aside."""
    for start in (0, 10):
        out = output(way, path)
        out.write(numbered(start, 5))
        out.write(numbered(start + 5, 5))
        out.close()
    files = [*old_files(path), path] if way == "parquet" else [path]
    assert [number for file in files for number in record_ids(way, file)] == list(range(20))


@pytest.mark.parametrize("way", LOGS)
def test_torn_records_are_cut_off(way: str, path: Path) -> None:
    """A file that ends anywhere within its last record: the next recording cuts that off, and keeps the others."""
    whole = output(way, path)
    whole.write(numbered(0, 2))
    before = path.stat().st_size
    whole.write(numbered(2, 1))
    whole.close()
    content = path.read_bytes()
    for end in range(before + 1, len(content) - 1, 97):
        path.write_bytes(content[:end])
        out = output(way, path)
        out.write(numbered(3, 2))
        out.close()
        found = record_ids(way, path)
        assert found in ([0, 1, 3, 4], [0, 1, 2, 3, 4]), end
        # XML's last record is whole before the end of the document is.
        assert 2 not in found or (way == "xml" and b"</Event>\n" in content[before:end])
    assert old_files(path) == []


def test_torn_arrow_messages_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "connections.arrow"
    sizes = []
    for start in (0, 2):
        out = output("arrow", path)
        out.write(numbered(start, 2))
        out.close()
        sizes.append(path.stat().st_size)
    content = path.read_bytes()
    for end in (sizes[0] + 1, sizes[0] + 300, sizes[1] - 1):
        path.write_bytes(content[:end])
        out = output("arrow", path)
        out.write(numbered(4, 1))
        out.close()
        assert record_ids("arrow", path) == [0, 1, 4]
    path.write_bytes(content[:100])
    output("arrow", path).close()
    assert record_ids("arrow", path) == []


def test_arrow_is_read_by_others_while_it_grows(tmp_path: Path) -> None:
    """Without an end mark, which would end it."""
    out = output("arrow", tmp_path / "connections.arrow")
    out.write(numbered(0, 20_000))
    assert polars.read_ipc_stream(tmp_path / "connections.arrow").height == 20_000
    out.close()


def test_xml_is_a_document_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "connections.xml"
    out = output("xml", path)
    assert len(ElementTree.parse(path).getroot()) == 0
    for count in range(1, 4):
        out.write(recorded({}))
        assert len(ElementTree.parse(path).getroot()) == count
    out.close()
    assert len(ElementTree.parse(path).getroot()) == 3


@pytest.mark.parametrize(
    ("way", "content"),
    [
        ("ndjson", b"notes of mine, without a line end"),
        ("csv", b"other,columns\r\n1,2\r\n"),
        ("xml", b"<notes/>"),
        ("syslog", b"notes of mine"),
        ("arrow", b"no stream"),
        ("parquet", b"no parquet"),
    ],
)
def test_files_of_others_are_set_aside_whole(way: str, content: bytes, path: Path) -> None:
    path.write_bytes(content)
    out = output(way, path)
    out.write(numbered(0, 1))
    out.close()
    [old] = old_files(path)
    assert old.read_bytes() == content
    assert record_ids(way, path) == [0]


def test_second_recorder_is_refused(way: str, path: Path) -> None:
    first = output(way, path)
    first.write(numbered(0, 1))
    with pytest.raises(UsageError, match="another process is writing it"):
        output(way, path)
    first.close()
    assert record_ids(way, path) == [0]


def test_rotation_by_size_loses_and_doubles_nothing(way: str, path: Path) -> None:
    out = output(way, path, rotate_bytes=30_000)
    for start in range(0, 100, 10):
        out.write(numbered(start, 10))
        if way in ("arrow", "parquet"):
            out._target._flush()  # type: ignore[attr-defined]  # what a second would do
    out.close()
    files = [*old_files(path), path]
    assert len(files) > 1
    by_time = sorted((file.stat().st_mtime_ns, file) for file in files)
    found = [number for _, file in by_time for number in record_ids(way, file)]
    assert found == list(range(100))
    if way != "parquet":
        assert max(file.stat().st_size for file in files) <= 30_000
    assert not list(path.parent.glob(".*"))


def test_rotation_by_time(way: str, path: Path) -> None:
    """Files end on the hour; nothing happens in an hour without rows."""
    time_s = NOON_S
    out = output(way, path, rotate_s=3600, now=lambda: time_s)
    out.write(numbered(0, 1))
    if way in ("arrow", "parquet"):
        out._target._flush()  # type: ignore[attr-defined]
    growing = path if way != "parquet" else next(path.parent.glob(".*.journal"))
    os.utime(growing, (NOON_S + 60, NOON_S + 60))
    time_s = NOON_S + 3599
    out.tick()
    assert old_files(path) == []
    time_s = NOON_S + 3600
    out.tick()
    out.tick()
    out.write(numbered(1, 1))
    out.close()
    assert old_files(path) != []
    files = [*old_files(path), path]
    assert [number for file in files for number in record_ids(way, file)] == [0, 1]
    if way != "parquet":
        assert files[0].name == f"connections.2026-11-24T12-01-00Z.{FILES[way]}"


def test_file_of_an_earlier_period_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "connections.ndjson"
    for _ in range(2):
        out = output("ndjson", path, rotate_s=3600)
        out.write(numbered(0, 1))
        out.close()
        os.utime(path, (NOON_S - 60, NOON_S - 60))
    output("ndjson", path, rotate_s=3600).close()
    assert [file.name for file in old_files(path)] == [
        "connections.2026-11-24T11-59-00Z.1.ndjson",
        "connections.2026-11-24T11-59-00Z.ndjson",
    ]


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_only_so_many_old_files_are_kept(keep: int, tmp_path: Path) -> None:
    """The newest; and none that another name has, though it looks alike."""
    path = tmp_path / "connections.ndjson"
    bystander = tmp_path / "connections.2026-mine.ndjson"
    bystander.touch()
    out = output("ndjson", path, rotate_bytes=1, keep=keep)
    for start in range(6):
        os.utime(path, (NOON_S + start, NOON_S + start))
        out.write(numbered(start, 1))
    out.close()
    assert bystander.exists()
    kept = [number for file in old_files(path) if file != bystander for number in record_ids("ndjson", file)]
    assert kept == list(range(5 - keep, 5))
    assert record_ids("ndjson", path) == [5]


def test_file_that_others_rotate_is_restarted(tmp_path: Path) -> None:
    """As logrotate does by renaming, and by copying and emptying."""
    path = tmp_path / "connections.csv"
    out = output("csv", path)
    out.write(numbered(0, 1))
    path.rename(tmp_path / "old.csv")
    out.tick()
    out.write(numbered(1, 1))
    assert record_ids("csv", tmp_path / "old.csv") == [0]
    assert record_ids("csv", path) == [1]
    os.truncate(path, 0)
    out.write(numbered(2, 1))
    out.close()
    assert record_ids("csv", path) == [2]


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file grows above this: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("way", LOGS)
def test_full_disk_loses_rows_that_are_counted(way: str, path: Path) -> None:
    """The content of the file stays whole, and the recording continues when there is space again."""
    out = output(way, path)
    out.write(numbered(0, 2))
    before = path.read_bytes()
    with file_limit(len(before) + 700):
        out.write(numbered(2, 5))
        assert path.read_bytes() == before
        assert "File too large" in str(out.error)
    out.write(numbered(7, 1))
    assert (out.written, out.lost) == (3, 5)
    assert out.error is None
    out.close()
    assert record_ids(way, path) == [0, 1, 7]


def test_file_that_cannot_be_rotated_grows_on(way: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the recorder, no longer root, may not write: reported, and no row lost."""
    out = output(way, path, rotate_bytes=1)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("procwire.sinks.rotating.set_aside", refuse)
    monkeypatch.setattr("procwire.sinks.journal.ParquetParts.rotate", refuse)
    for start in range(3):
        out.write(numbered(start, 1))
        if way in ("arrow", "parquet"):
            out._target._flush()  # type: ignore[attr-defined]
    assert "cannot rotate" in str(out.error)
    out.close()
    assert (out.written, out.lost) == (3, 0)
    assert record_ids(way, path) == [0, 1, 2]


@pytest.mark.parametrize("way", EVENTS)
def test_sysmons_forms_take_sysmons_events_only(way: str, path: Path) -> None:
    out = output(way, path)
    out.write(recorded({"record_id": 1}, ATTEMPT, CLOSE, EXISTING, LOSS, {"record_id": 2}))
    out.write(recorded(ATTEMPT))
    out.close()
    assert (out.written, out.skipped, out.lost) == (3, 4, 0)
    assert record_ids(way, path) == [1, 2]
    assert path.read_bytes().count(b"NetworkConnect:12</Data>") == 1
    with pytest.raises(UsageError, match="whole events"):
        output(way, path, schema=pa.schema([("dst_ip", pa.string())]))


def test_stream_is_flushed_at_each_batch() -> None:
    class Stream(io.BytesIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    stream = Stream()
    out = output("ndjson", None, stream=stream)
    out.write(recorded({}))
    out.write(recorded({}))
    assert (stream.getvalue().count(b"\n"), stream.flushes) == (2, 2)
    out.close()
    assert not stream.closed


def test_live_view_goes_to_a_terminal() -> None:
    stream = io.BytesIO()
    batch = recorded({}, LOSS).select(list(RECORDING_COLUMNS))
    out = output("table", None, schema=batch.schema, stream=stream, terminal=Terminal(80))
    out.write(batch)
    out.write(batch)
    assert stream.getvalue().decode().count("PEER") == 1
    assert stream.getvalue().decode().count("12 events were lost here") == 2


def test_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.ndjson"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    out = output("ndjson", pipe, rotate_bytes=1)
    out.write(recorded({}))
    assert os.read(reader, 1 << 16).startswith(b'{"event_creation_time":')
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        out.write(recorded({}))
    with pytest.raises(BrokenPipeError):
        out.close()


def test_socket_is_for_syslog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        out = output("syslog", tmp_path / "log")
        out.write(recorded({}, ATTEMPT))
        out.close()
        assert log.recv(1 << 16).startswith(b"<14>")
        assert (out.written, out.skipped, out.lost) == (1, 1, 0)
        with pytest.raises(UsageError, match="found the socket"):
            output("ndjson", tmp_path / "log")


def test_unusable_outputs_are_reported_at_the_beginning(way: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        output(way, tmp_path / "none" / "connections")


def test_binary_is_no_sight_for_a_terminal() -> None:
    with pytest.raises(UsageError, match="found a terminal"):
        output("parquet", None, stream=io.BytesIO(), terminal=Terminal(80))


@pytest.mark.parametrize("way", ["ndjson", "csv", "xml", "syslog"])
def test_followers_see_every_row_once(way: str, path: Path) -> None:
    """While the file grows, is rotated, and is appended to by the next recorder."""
    out = output(way, path)
    out.write(numbered(0, 2))
    rows = (number for batch in procwire.scan(path, columns=["record_id"], follow=True) for number in
            batch["record_id"].to_pylist())  # fmt: skip
    found = [next(rows), next(rows)]
    out.write(numbered(2, 1))
    found.append(next(rows))
    out.close()
    out = output(way, path, rotate_bytes=path.stat().st_size + 1500)
    out.write(numbered(3, 1))
    found.append(next(rows))
    out.write(numbered(4, 3))
    out.write(numbered(7, 1))
    found += [next(rows) for _ in range(4)]
    out.close()
    assert found == list(range(8))
    assert len(old_files(path)) == 1


def test_nulls_of_a_recording_are_left_out_of_ndjson(tmp_path: Path) -> None:
    """Of the columns that only a recording has, and of the provenance, which it has not."""
    path = tmp_path / "connections.ndjson"
    out = output("ndjson", path)
    out.write(recorded({}, ATTEMPT))
    out.close()
    first, second = path.read_text().splitlines()
    assert '"src_port_name":null' in first
    assert first.endswith('"process_command_line":"curl https://example.com"}')
    assert "error_number" not in first
    assert '"error_number":111' in second
    assert "source_file" not in first


@pytest.mark.parametrize("names", NAMES)
def test_ancestry_is_a_value_in_ndjson(names: Names, tmp_path: Path) -> None:
    """Under whatever name; texts, numbers and flags beside it are what they are."""
    path = tmp_path / "connections.ndjson"
    batch = recorded(ORIGIN).select(list(ORIGIN))
    batch = batch.rename_columns([field(name).named(names) for name in ORIGIN])
    out = output("ndjson", path, schema=batch.schema)
    out.write(batch)
    out.close()
    expected = {**ORIGIN, "process_ancestry": ['812 /tmp/"b\\a"', "1 /usr/lib/systemd/systemd"]}
    assert list(json.loads(path.read_text()).values()) == list(expected.values())


@pytest.mark.parametrize("way", ["arrow", "parquet"])
def test_binary_forms_keep_every_column(way: str, path: Path) -> None:
    batch = recorded(ORIGIN, MIDWAY)
    out = output(way, path)
    out.write(batch)
    out.close()
    asked = f"SELECT {', '.join(ORIGIN)}, network_connection_initiated, local_side FROM connections"
    with procwire.connect(path) as database:
        found = database.sql(asked).to_arrow_table().to_pylist()
    assert found == [
        {**ORIGIN, "network_connection_initiated": True, "local_side": "src"},
        {**dict.fromkeys(ORIGIN), "network_connection_initiated": None, "local_side": "src"},
    ]
