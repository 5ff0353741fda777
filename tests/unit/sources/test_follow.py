"""Logs that grow: what is there, then what comes, once each and in order.

The follower's pauses are the script's cues: whatever a test does to the files, it does when the follower
sleeps. Nothing waits, and nothing depends on time.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from procwire import _core
from procwire.errors import UsageError
from procwire.event import CONNECTION
from procwire.ledger import Ledger
from procwire.sources import follow, read_batches, read_events

RAW = (Path(__file__).parents[3] / "examples" / "sysmon.evtx").read_bytes()
HEADER, CHUNK, FIRST_RECORD = 4096, 65536, 512

Step = Callable[[], Any]
Rows = list[dict[str, Any]]


class EndOfScriptError(Exception):
    pass


class Follower:
    """Follows while a script runs: `rounds[n]` are the rows that came between step n-1 and step n."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.ledger = Ledger()
        self.rounds: list[Rows] = [[]]

    def run(self, paths: list[Path], *steps: Step, **options: Any) -> list[Rows]:
        cues: Iterator[Step] = iter(steps)

        def sleep(_: float) -> None:
            step = next(cues, None)
            if step is None:
                raise EndOfScriptError
            step()
            self.rounds.append([])

        self._monkeypatch.setattr(follow, "time", SimpleNamespace(sleep=sleep))
        try:
            for batch in read_batches(paths, follow=True, ledger=self.ledger, **options):
                assert batch.num_rows
                self.rounds[-1] += batch.to_pylist()
        except EndOfScriptError:
            return self.rounds
        raise AssertionError("the follower ended by itself")

    def ports(self) -> list[list[int]]:
        return [[row["dst_port"] for row in rows] for rows in self.rounds]

    def all_ports(self) -> list[int]:
        return [port for ports in self.ports() for port in ports]


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> Follower:
    return Follower(monkeypatch)


def line(port: int) -> str:
    return (
        '{"EventID":3,"SourceName":"Microsoft-Windows-Sysmon","UtcTime":"2020-01-01 00:00:00.000","ProcessId":7,'
        f'"DestinationIp":"10.0.0.1","DestinationPort":{port}}}\n'
    )


def append(path: Path, text: str) -> Step:
    def step() -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    return step


def test_lines_come_as_they_are_appended(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(1) + line(2))
    follower.run([log], append(log, line(3)), lambda: None, append(log, line(4) + line(5)))
    assert follower.ports() == [[1, 2], [3], [], [4, 5]]
    [file] = follower.ledger.files
    assert (file.events, file.records, file.damage, file.named) == (5, 5, {}, True)


def test_half_a_line_waits_for_its_other_half(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(1))
    text = line(2) + line(3)
    follower.run([log], *(append(log, text[at : at + 40]) for at in range(0, len(text), 40)))
    assert follower.all_ports() == [1, 2, 3]
    assert follower.ledger.damage == {}
    rows = [row for rows in follower.rounds for row in rows]
    assert [row["source_line"] for row in rows] == [1, 2, 3]
    assert [row["source_offset"] for row in rows] == [0, len(line(1)), len(line(1) + line(2))]


def test_rotation_by_rename_goes_on_in_the_new_file(follower: Follower, tmp_path: Path) -> None:
    """What was written to the old file after the last look, and before it was renamed, is not lost."""
    log = tmp_path / "log"
    log.write_text(line(1))

    def rotate() -> None:
        append(log, line(2))()
        log.rename(tmp_path / "log.1")
        log.write_text(line(3))

    follower.run([log], rotate, append(log, line(4)))
    assert follower.ports() == [[1], [2, 3], [4]]
    [file] = follower.ledger.files
    assert (file.events, file.bytes) == (4, 4 * len(line(1)))


def test_between_the_steps_of_a_rotation_nothing_breaks(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(1))
    follower.run(
        [log],
        lambda: log.rename(tmp_path / "log.1"),
        append(tmp_path / "log.1", line(2)),
        lambda: log.touch(),
        append(log, line(3)),
    )
    assert follower.all_ports() == [1, 2, 3]


def test_rotation_by_truncation_begins_again(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(1) + line(2))
    follower.run([log], lambda: log.write_text(line(3)), append(log, line(4)))
    assert follower.ports() == [[1, 2], [3], [4]]
    assert [row["source_line"] for row in follower.rounds[1] + follower.rounds[2]] == [1, 2]


def test_a_half_line_before_a_rotation_is_damage(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line(1) + line(2)[:50])
    follower.run([log], lambda: (log.rename(tmp_path / "log.1"), log.write_text(line(3))))
    assert follower.ports() == [[1], [3]]
    assert follower.ledger.damage == {"broken record": 1}


def test_new_files_in_a_folder_are_taken_up(follower: Follower, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(line(1))
    follower.run(
        [tmp_path],
        append(tmp_path / "b", line(2)),
        append(tmp_path / "a", line(3)),
        lambda: (tmp_path / "c.evtx").write_bytes(grown(10)),
    )
    assert follower.ports()[:3] == [[1], [2], [3]]
    assert len(follower.rounds[3]) == len(events(10))
    assert [Path(file.name).name for file in follower.ledger.files] == ["a", "b", "c.evtx"]


def test_a_file_that_is_not_there_yet_is_awaited(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower.run([log], lambda: log.touch(), append(log, line(1)))
    assert follower.ports() == [[], [], [1]]


def test_lines_in_utf_16_are_followed(follower: Follower, tmp_path: Path) -> None:
    """Byte by byte: the mark at its beginning, and each character, come in halves."""
    log = tmp_path / "log"
    raw = b"\xff\xfe" + (line(1) + line(2)).encode("utf-16-le")

    def grow(length: int) -> Step:
        return lambda: log.write_bytes(raw[:length])

    def add(at: int) -> Step:
        def step() -> None:
            with log.open("ab") as file:
                file.write(raw[at : at + 1])

        return step

    log.write_bytes(raw[:1])
    follower.run([log], *(add(at) for at in range(1, len(raw))))
    assert follower.all_ports() == [1, 2]


OSSEC = (
    "2020 Jan 01 00:00:00 WinEvtLog: Microsoft-Windows-Sysmon/Operational: INFORMATION(3): Microsoft-Windows-Sysmon: "
    "SYSTEM: NT AUTHORITY: PC: Network connection detected:  UtcTime: 2020-01-01 00:00:00.000  SourcePort: 1  "
    "DestinationPort: {port}  DestinationPortName: \n"
)
SYSLOG = (
    'Jan  1 00:00:00 pc sysmon: <Event><System><Provider Name="Linux-Sysmon"/><EventID>3</EventID></System><EventData>'
    '<Data Name="DestinationPort">{port}</Data></EventData></Event>\n'
)
CSV = '"{port}","{{A98268C1-957F-5ACD-0000-0010EB030000}}","10.0.0.1",3,"Microsoft-Windows-Sysmon"\n'
CSV_HEADER = "DestinationPort,ProcessGuid,DestinationIp,EventID,Provider\n"


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("", OSSEC),
        ("rotated\n", OSSEC),
        ("", SYSLOG),
        ("Jan  1 00:00:00 host systemd: started\n", SYSLOG),
        (CSV_HEADER, CSV),
    ],
)
def test_a_small_log_is_recognised_by_its_first_line(head: str, text: str, follower: Follower, tmp_path: Path) -> None:
    """Whatever else it may turn out to be, it is not waited for."""
    log = tmp_path / "log"
    log.write_text(head)
    follower.run([log], append(log, text.format(port=1)), append(log, text.format(port=2)))
    assert follower.ports() == [[], [1], [2]]
    assert follower.ledger.damage == {}


def test_what_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(b"\x1f\x8b\x08\x00")
    for paths in (["-", str(tmp_path / "log")], [str(tmp_path / "log.gz")]):
        with pytest.raises(UsageError):
            next(iter(read_batches(paths, follow=True, ledger=Ledger())))


# EVTX: a log of one chunk that grows, made of a real chunk's records. Chunk 8 holds the most events 3.
REAL = RAW[HEADER + 8 * CHUNK : HEADER + 9 * CHUNK]
OTHER = RAW[HEADER + 7 * CHUNK : HEADER + 8 * CHUNK]


def ends(chunk: bytes) -> list[int]:
    found, at = [FIRST_RECORD], FIRST_RECORD
    while chunk[at : at + 4] == b"**\0\0":
        at += struct.unpack_from("<I", chunk, at + 4)[0]
        found.append(at)
    return found


def grown(records: int, real: bytes = REAL) -> bytes:
    """A log whose only chunk holds the first so many of the real one's records, as Windows would have it then."""
    end = ends(real)[records]
    chunk = bytearray(real[:end] + bytes(CHUNK - end))
    first = struct.unpack_from("<Q", chunk, 8)[0]
    struct.pack_into("<QQ", chunk, 8, first, first + records - 1)
    struct.pack_into("<III", chunk, 44, ends(real)[records - 1], end, zlib.crc32(chunk[FIRST_RECORD:end]))
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:FIRST_RECORD], zlib.crc32(chunk[:120])))
    return RAW[:HEADER] + bytes(chunk)


def events(records: int, real: bytes = REAL) -> list[int]:
    """The offsets of the events 3 among them."""
    [batch], _ = _core.evtx_chunk("events", grown(records, real)[HEADER:], HEADER)
    offsets: list[int] = pa.record_batch(batch)["source_offset"].to_pylist()
    return offsets


def in_place(path: Path, raw: bytes) -> Step:
    """As a service writes: into the file, not a new one; each time later than before."""

    def step() -> None:
        with path.open("r+b") as file:
            file.write(raw)
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000 + step_count()))

    return step


def counter() -> Callable[[], int]:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return count

    return step


step_count = counter()


def test_records_come_as_an_evtx_grows_in_its_chunk(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log.evtx"
    log.write_bytes(grown(10))
    follower.run([log], in_place(log, grown(30)), lambda: None, in_place(log, grown(31)), in_place(log, grown(80)))
    offsets = [[row["source_offset"] for row in rows] for rows in follower.rounds]
    known = [set(events(records)) for records in (10, 30, 31, 80)]
    new = [sorted(known[0]), sorted(known[1] - known[0]), [], sorted(known[2] - known[1]), sorted(known[3] - known[2])]
    assert offsets == new
    assert len(new[1]) > 10
    [file] = follower.ledger.files
    assert (file.events, file.records, file.damage) == (len(known[3]), 80, {})


def test_a_new_chunk_comes_when_it_is_whole(follower: Follower, tmp_path: Path) -> None:
    log = tmp_path / "log.evtx"
    log.write_bytes(grown(10))
    more = grown(10) + OTHER
    follower.run([log], in_place(log, more[:-1000]), in_place(log, more))
    assert follower.rounds[1] == []
    assert len(follower.rounds[2]) == 30
    assert follower.ledger.damage == {}


def test_a_chunk_written_over_gives_its_new_records(follower: Follower, tmp_path: Path) -> None:
    """A full log continues at its first chunk: what was there was returned, what is there now is new."""
    log = tmp_path / "log.evtx"
    log.write_bytes(grown(80))
    follower.run([log], in_place(log, grown(40, OTHER)), in_place(log, grown(70, OTHER)))
    numbers = [[row["source_offset"] for row in rows] for rows in follower.rounds]
    before, after = events(40, OTHER), events(70, OTHER)
    assert numbers == [events(80), before, after[len(before) :]]
    [file] = follower.ledger.files
    assert (file.events, file.records) == (len(events(80)) + len(after), 80 + 70)


@pytest.mark.parametrize("written", [100, 400, 700])
def test_a_chunk_caught_half_written_is_whole_later(written: int, follower: Follower, tmp_path: Path) -> None:
    """The log is read while a record is being written: no row twice, none lost, no damage in the end."""
    log = tmp_path / "log.evtx"
    log.write_bytes(grown(30))
    torn = bytearray(grown(31))
    start, end = ends(REAL)[30] + written, ends(REAL)[31]
    assert start < end
    assert events(31)[-1] == HEADER + ends(REAL)[30]
    torn[HEADER + start : HEADER + end] = bytes(end - start)
    follower.run([log], in_place(log, bytes(torn)), in_place(log, grown(31)), in_place(log, grown(60)))
    offsets = [row["source_offset"] for rows in follower.rounds for row in rows]
    assert offsets == events(60)
    assert follower.ledger.damage == {}


def test_what_was_given_is_in_the_account_whenever_it_ends(tmp_path: Path) -> None:
    """A signal may come between the rows and the pause behind them."""
    log = tmp_path / "log.evtx"
    log.write_bytes(RAW)
    ledger = Ledger()
    batches = read_events([log], events=[CONNECTION], follow=True, ledger=ledger)
    given = next(batches)[1].num_rows
    batches.close()
    [account] = ledger.files
    assert given == account.events > 0
    assert account.named
