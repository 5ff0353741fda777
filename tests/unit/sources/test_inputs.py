"""What the user names becomes inputs: files, folders, patterns, standard input, and what is packed in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import procwire
from procwire.sources import read_batches
from procwire.sources.inputs import Found, expand, open_inputs

RAW = (Path(__file__).parents[3] / "examples" / "sysmon.evtx").read_bytes()
# Chunks with 30 and 74 events 3.
START = 4096 + 7 * 65536
LOG = RAW[:4096] + RAW[START : START + 2 * 65536]
EVENTS = 104
MESSAGE = "found more than 4 packings within each other: --unpack-limits nesting=N allows more"


def zstd(raw: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(raw)
    return bytes(packed.getvalue())


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for name, raw in members.items():
            archive.writestr(f"folder/{name}", raw)
    return packed.getvalue()


def tarred(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, raw in members.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def tar_gz(**members: bytes) -> bytes:
    return gzip.compress(tarred(**members))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
ARCHIVERS: dict[str, Callable[..., bytes]] = {"zip": zipped, "tar": tarred, "tar.gz": tar_gz}


def read(*paths: object) -> tuple[pa.Table, procwire.Ledger]:
    ledger = procwire.Ledger()
    batches = list(read_batches([str(path) for path in paths], ledger=ledger))
    return pa.Table.from_batches(batches, procwire.SCHEMA), ledger


def sources(table: pa.Table) -> list[str]:
    return list(dict.fromkeys(table["source_file"].to_pylist()))


@pytest.fixture
def packed(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write bytes under a name that does not reveal their format."""

    def write(raw: bytes) -> Path:
        (tmp_path / "input").write_bytes(raw)
        return tmp_path / "input"

    return write


def test_folders_are_walked_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b/2.evtx", "b/1.evtx", "a/9.evtx", "c.evtx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(LOG)
    table, ledger = read(tmp_path)
    names = [str(tmp_path / name) for name in ("c.evtx", "a/9.evtx", "b/1.evtx", "b/2.evtx")]
    assert sources(table) == names
    assert [file.name for file in ledger.files] == names
    assert table.num_rows == 4 * EVENTS
    assert not any(file.named for file in ledger.files)


def test_patterns_match_files_and_folders(tmp_path: Path) -> None:
    for name in ("1.evtx", "2.evtx", "3.log"):
        (tmp_path / name).write_bytes(LOG)
    assert list(expand([tmp_path / "*.evtx"])) == [
        Found(str(tmp_path / f"{name}.evtx"), named=False) for name in (1, 2)
    ]
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "4.evtx").write_bytes(LOG)
    assert [found.path for found in expand([tmp_path / "**" / "4.evtx"])] == [str(tmp_path / "deep/er/4.evtx")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "[1]*.evtx").write_bytes(LOG)
    (tmp_path / "1.evtx").write_bytes(LOG)
    assert list(expand([tmp_path / "[1]*.evtx"])) == [Found(str(tmp_path / "[1]*.evtx"), named=True)]


def test_a_pattern_without_match_is_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    table, ledger = read(tmp_path / "*.evtx")
    [file] = ledger.unread
    assert (table.num_rows, file.name, file.error) == (0, str(tmp_path / "*.evtx"), "No such file or directory")


def test_what_cannot_be_opened_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LOG)
    table, ledger = read(tmp_path / "gone", tmp_path / "log")
    assert [(file.name, file.error) for file in ledger.unread] == [
        (str(tmp_path / "gone"), "No such file or directory")
    ]
    assert table.num_rows == EVENTS
    assert (ledger.damaged, ledger.nothing_read) == (True, False)


def test_a_folder_without_files_gives_nothing_to_read(tmp_path: Path) -> None:
    table, ledger = read(tmp_path)
    assert (table.num_rows, ledger.files, ledger.nothing_read) == (0, [], True)
    with pytest.raises(procwire.InputError, match="found no file, expected a log"):
        procwire.read(tmp_path)


def test_other_files_in_a_folder_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "log.evtx").write_bytes(LOG)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    table, ledger = read(tmp_path)
    assert table.num_rows == EVENTS
    assert [file.name for file in ledger.skipped] == [str(tmp_path / "picture.png")]
    assert not ledger.damaged
    _, named = read(tmp_path / "picture.png")
    assert named.damaged


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_files_are_read_whatever_their_name(
    pack: Callable[[bytes], bytes], packed: Callable[[bytes], Path]
) -> None:
    path = packed(pack(LOG))
    table, ledger = read(path)
    [file] = ledger.files
    assert (table.num_rows, sources(table)) == (EVENTS, [str(path)])
    assert (file.format, file.bytes, file.named, file.damage) == ("evtx", len(LOG), True, {})


@pytest.mark.parametrize("archive", ARCHIVERS.values(), ids=ARCHIVERS)
def test_each_member_of_an_archive_is_an_input(archive: Callable[..., bytes], packed: Callable[[bytes], Path]) -> None:
    path = packed(archive(one=LOG, two=gzip.compress(LOG), readme=b"no log"))
    table, ledger = read(path)
    assert sources(table) == [f"{path}!folder/one", f"{path}!folder/two"]
    assert table.num_rows == 2 * EVENTS
    assert [file.name for file in ledger.skipped] == [f"{path}!folder/readme"]
    assert not ledger.damaged


def test_gzip_of_several_parts_is_one_log(packed: Callable[[bytes], Path]) -> None:
    """As `cat a.gz b.gz` makes it, and as rotated logs are put together."""
    table, ledger = read(packed(gzip.compress(LOG[:50_000]) + gzip.compress(LOG[50_000:])))
    assert (table.num_rows, ledger.bytes, ledger.damaged) == (EVENTS, len(LOG), False)


def test_archives_in_archives_are_opened(packed: Callable[[bytes], Path]) -> None:
    path = packed(zipped(outer=tar_gz(inner=zipped(log=LOG))))
    table, _ = read(path)
    assert sources(table) == [f"{path}!folder/outer!folder/inner!folder/log"]
    assert table.num_rows == EVENTS


def test_nesting_has_a_limit(packed: Callable[[bytes], Path]) -> None:
    """Four packings within each other are opened; a fifth, as in a bomb, is not, and that is said."""
    raw = LOG
    for _ in range(4):
        raw = gzip.compress(raw)
    table, _ = read(packed(raw))
    assert table.num_rows == EVENTS
    table, ledger = read(packed(gzip.compress(raw)))
    [file] = ledger.unread
    assert (table.num_rows, file.error) == (0, MESSAGE)


def test_tar_in_tar_has_the_same_limit(packed: Callable[[bytes], Path]) -> None:
    raw = LOG
    for _ in range(4):
        raw = tarred(member=raw)
    assert read(packed(raw))[0].num_rows == EVENTS
    table, ledger = read(packed(tarred(member=raw)))
    assert table.num_rows == 0
    assert [file.error for file in ledger.files] == [MESSAGE]


def test_a_zip_with_a_password_says_so_and_the_next_input_is_read(
    packed: Callable[[bytes], Path], tmp_path: Path
) -> None:
    raw = bytearray(zipped(log=LOG))
    # The flag of encryption, in the member's own header and in the directory.
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.rindex(header)
        raw[start + at] |= 1
    path = packed(bytes(raw))
    (tmp_path / "log.evtx").write_bytes(LOG)
    table, ledger = read(path, tmp_path / "log.evtx")
    errors = {file.name: file.error for file in ledger.files if file.error}
    assert list(errors) == [f"{path}!folder/log"]
    assert "password required" in str(errors[f"{path}!folder/log"])
    assert ledger.damaged
    assert table.num_rows == EVENTS


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_a_cut_off_file_gives_what_comes_before_the_cut(name: str, packed: Callable[[bytes], Path]) -> None:
    """The ledger says that it was cut. The complete example: bzip2 packs in blocks of 900 kB, some of them intact."""
    raw = PACKERS[name](RAW)
    whole = procwire.read(packed(RAW)).drop_columns(["source_file"])
    table, ledger = read(packed(raw[: len(raw) * 9 // 10]))
    [file] = ledger.files
    assert file.error is None
    assert file.damage["read error"].count == 1
    assert 900_000 < file.bytes < len(RAW)
    assert table.num_rows > 100
    assert table.drop_columns(["source_file"]).equals(whole.slice(0, table.num_rows))


def test_a_cut_off_gzip_loses_no_byte_before_the_cut(packed: Callable[[bytes], Path]) -> None:
    """Stored, not packed, so that it is known what stands before the cut."""
    raw = gzip.compress(LOG, compresslevel=0)
    table, ledger = read(packed(raw[:-1_000]))
    [file] = ledger.files
    assert len(LOG) - 1_100 < file.bytes <= len(LOG) - 900
    assert (file.damage["read error"].count, file.damage["truncated chunk"].count) == (1, 1)
    assert table.num_rows > 100


def test_a_cut_off_archive_gives_what_comes_before_the_cut(packed: Callable[[bytes], Path]) -> None:
    raw = tar_gz(first=LOG, second=RAW)
    path = packed(raw[: len(raw) * 9 // 10])
    table, ledger = read(path)
    assert sources(table) == [f"{path}!folder/first", f"{path}!folder/second"]
    assert table.num_rows > EVENTS + 100
    first, second, archive = ledger.files
    assert (first.events, first.damage) == (EVENTS, {})
    assert second.damage["read error"].count == 1
    assert (archive.name, archive.error) == (
        str(path),
        "Compressed file ended before the end-of-stream marker was reached",
    )
    assert ledger.damaged


def test_bytes_behind_a_gzip_are_said_and_cost_nothing(packed: Callable[[bytes], Path]) -> None:
    table, ledger = read(packed(gzip.compress(LOG) + b"\n"))
    assert (table.num_rows, dict(ledger.damage)) == (EVENTS, {"read error": 1})


def test_a_broken_member_does_not_hide_the_others(packed: Callable[[bytes], Path]) -> None:
    raw = bytearray(zipped(bad=LOG, good=LOG))
    raw[200:300] = bytes(100)
    path = packed(bytes(raw))
    table, ledger = read(path)
    assert table.filter(pa.compute.equal(table["source_file"], f"{path}!folder/good")).num_rows == EVENTS
    assert ledger.damaged


def test_standard_input_is_read_packed_or_not() -> None:
    program = "import procwire; print(procwire.read('-').num_rows)"
    for raw in (LOG, gzip.compress(LOG), zipped(log=LOG), tar_gz(log=LOG)):
        done = subprocess.run([sys.executable, "-c", program], input=raw, capture_output=True, check=True, timeout=60)
        assert done.stdout.decode().strip() == str(EVENTS)


def test_rows_of_standard_input_come_before_it_ends() -> None:
    """A pipe that stays open: what has come is read without waiting for a block to fill."""
    line = b'{"EventID":3,"SourceName":"Microsoft-Windows-Sysmon","DestinationIp":"10.0.0.1","ProcessId":"4"}\n'
    program = "import procwire; print(next(iter(procwire.scan('-', follow=True)))['dst_ip'][0], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line * 3)
        process.stdin.flush()
        assert process.stdout.readline() == b"10.0.0.1\n"
        process.kill()


def test_a_member_that_unpacks_to_much_is_streamed(packed: Callable[[bytes], Path]) -> None:
    """64 MiB of zeros behind a log in a zip of 150 kB: Python never holds more than a few pieces of it."""
    path = packed(zipped(bomb=LOG + bytes(64 << 20)))
    assert path.stat().st_size < 150_000
    tracemalloc.start()
    try:
        table, ledger = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (table.num_rows, ledger.bytes) == (EVENTS, len(LOG) + (64 << 20))
    assert peak < 16 << 20


def test_inputs_are_opened_one_after_the_other(tmp_path: Path) -> None:
    """Naming ten thousand files opens none of them before its turn."""
    paths = [tmp_path / f"{number}" for number in range(10_000)]
    (tmp_path / "0").write_bytes(LOG)
    inputs = open_inputs(paths)
    assert next(inputs).source == str(tmp_path / "0")
    assert isinstance(next(inputs).source, FileNotFoundError | OSError)
