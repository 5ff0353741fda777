"""What unpacks to more than it should, or is made to break its reader: memory, disk and patience are bounded, what
is readable is read, and the rest is named with the option that allows more."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import procwire
from procwire.sources import limits
from procwire.sources.inputs import open_inputs
from procwire.sources.limits import RATIO_FROM_BYTES, UnpackLimits

RAW = (Path(__file__).parents[2] / "examples" / "sysmon.evtx").read_bytes()
START = 4096 + 7 * 65536
LOG = RAW[:4096] + RAW[START : START + 65536]
EVENTS = 30
PROGRAM = [sys.executable, "-c", "from procwire.cli import main; main()"]
MEMORY_BYTES = 3 << 30
"""Address space: Python, Arrow and DuckDB with their threads take most of it."""
FROM_BYTES = 8 << 20
"""From where on a ratio counts, where a test is not to wait for 256 MiB."""
ROOM = FROM_BYTES + (1 << 20)


def zeros(count: int, pack: Callable[[], object]) -> bytes:
    """So many zeros, packed."""
    packer = pack()
    piece = bytes(1 << 20)
    parts = [packer.compress(piece) for _ in range(count >> 20)]  # type: ignore[attr-defined]
    return b"".join([*parts, packer.flush()])  # type: ignore[attr-defined]


def zstd(raw: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(raw)
    return bytes(packed.getvalue())


def gzipped(raw: bytes, zero_bytes: int) -> bytes:
    """In parts, of which each says how much it is: so it is fast to make."""
    part = gzip.compress(bytes(1 << 20))
    return gzip.compress(raw) + part * (zero_bytes >> 20)


def tarred(*members: tuple[str, bytes], end: bool = True) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, raw in members:
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
        length = packed.tell()
    return packed.getvalue() if end else packed.getvalue()[:length]


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, raw in members:
            archive.writestr(name, raw)
    return packed.getvalue()


def sparse(name: str, size: int, raw: bytes) -> bytes:
    """A member of GNU tar's old kind, of which only the beginning is stored."""
    member = tarfile.TarInfo(name)
    member.type, member.size = tarfile.GNUTYPE_SPARSE, len(raw)
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    entry = b"%011o\0%011o\0" % (0, len(raw))
    header[386 : 386 + len(entry)] = entry
    # Numbers beyond eleven octal digits stand in bytes.
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + raw + bytes(-len(raw) % 512)


def read(path: Path, **options: object) -> tuple[int, procwire.Ledger]:
    ledger = procwire.Ledger()
    try:
        return procwire.read(path, ledger=ledger, **options).num_rows, ledger  # type: ignore[arg-type]
    except procwire.InputError:
        return 0, ledger


def said(ledger: procwire.Ledger) -> str:
    """Everything that was wrong."""
    examples = [str(one) for file in ledger.files for tally in file.damage.values() for one in tally.examples]
    return "\n".join([*examples, *(file.error or "" for file in ledger.files)])


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The program with little memory, and a TMPDIR that must be empty afterwards."""
    (folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)], cwd=folder, capture_output=True, timeout=250, preexec_fn=limited,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )  # fmt: skip
    assert not list((folder / "tmp").iterdir())
    return done


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzipped(LOG, ROOM),
    "bzip2": lambda: bz2.compress(LOG) + zeros(ROOM, bz2.BZ2Compressor),
    "xz": lambda: lzma.compress(LOG) + zeros(ROOM, lzma.LZMACompressor),
    "zstd": lambda: zstd(LOG + bytes(ROOM)),
    "gzip in bzip2": lambda: bz2.compress(gzipped(LOG, ROOM)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_stream_that_unpacks_to_too_much_ends_at_the_limit(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read by then counts, and the message says what allows more."""
    monkeypatch.setattr(limits, "RATIO_FROM_BYTES", FROM_BYTES)
    (tmp_path / "bomb").write_bytes(BOMBS[kind]())
    events, ledger = read(tmp_path / "bomb", unpack=UnpackLimits(ratio=300))
    assert events == EVENTS
    assert "unpacks to more than 300 times its size: --unpack-limits ratio=N allows more" in said(ledger)
    assert ledger.damaged
    assert ledger.bytes <= ROOM


def test_a_gzip_that_begins_as_a_zip_is_unpacked_in_little_memory(tmp_path: Path) -> None:
    """It was held entirely in memory, 8 GB of it; it is not a zip, and the error says so."""
    (tmp_path / "bomb.gz").write_bytes(gzipped(b"PK\x03\x04", 3 << 30))
    (tmp_path / "good.evtx").write_bytes(LOG)
    done = run("read", ".", "--unpack-limits", "ratio=100", folder=tmp_path)
    assert done.returncode == 3
    assert b"bomb.gz: unpacks to more than 100 times its size" in done.stderr
    assert b"30 network connections" in done.stderr


@pytest.mark.parametrize("lake", [False, True])
def test_a_sparse_tar_of_48_gb_costs_neither_time_nor_disk(lake: bool, tmp_path: Path) -> None:
    (tmp_path / "bomb.tar").write_bytes(sparse("zeros.evtx", 48 << 30, LOG) + tarred(("good.evtx", LOG)))
    done = run("read", "bomb.tar", *(("--lake", "lake") if lake else ()), "--ledger", "l.json", folder=tmp_path)
    assert done.returncode == 3, done.stderr
    assert b"times its size: --unpack-limits ratio=N allows more" in done.stderr
    files = {file["name"]: file for file in json.loads((tmp_path / "l.json").read_text())["files"]}
    bomb = files["bomb.tar!zeros.evtx"]
    assert "unpacks to more than 1,000 times its size" in json.dumps(bomb)
    assert bomb["bytes"] <= RATIO_FROM_BYTES
    assert bomb["by_event"]["connection"] == EVENTS
    assert files["bomb.tar!good.evtx"]["by_event"]["connection"] == EVENTS


def test_a_sparse_log_is_read(tmp_path: Path) -> None:
    """As `tar --sparse` packs logs that were allocated ahead."""
    (tmp_path / "log.tar").write_bytes(sparse("log.evtx", 20 << 20, LOG) + bytes(1024))
    events, ledger = read(tmp_path / "log.tar")
    assert (events, ledger.bytes, ledger.damaged) == (EVENTS, 20 << 20, False)


def test_a_tar_member_larger_than_the_archive_ends_with_it(tmp_path: Path) -> None:
    """Python's reader would never end where there are no more bytes."""
    member = tarfile.TarInfo("log.evtx")
    member.size = 1 << 62
    (tmp_path / "log.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + LOG)
    events, ledger = read(tmp_path / "log.tar")
    assert events == EVENTS
    assert "unexpected end of data" in said(ledger)


def overlapping(kernel: bytes, members: int) -> bytes:
    """A zip whose members are all the same packed bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", kernel)
        info = archive.infolist()[0]
        for number in range(members):
            copy = zipfile.ZipInfo(f"b{number}")
            copy.compress_type, copy.CRC, copy.header_offset = info.compress_type, info.CRC, info.header_offset
            copy.compress_size, copy.file_size = info.compress_size, info.file_size
            archive.filelist.append(copy)
    return packed.getvalue()


def test_members_of_a_zip_that_overlap_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "bomb.zip").write_bytes(overlapping(LOG + bytes(10 << 20), 40))
    events, ledger = read(tmp_path / "bomb.zip")
    assert events == EVENTS
    assert said(ledger).count("overlaps the next member") == 40
    assert len(ledger.unread) == 40


def test_a_zip_gives_no_more_than_the_limit_of_all(tmp_path: Path) -> None:
    (tmp_path / "bomb.zip").write_bytes(zipped(*((f"{number}.evtx", LOG) for number in range(20))))
    events, ledger = read(tmp_path / "bomb.zip", unpack=UnpackLimits(size=5 * len(LOG)))
    assert events == 5 * EVENTS
    assert f"unpacks to more than {5 * len(LOG):,} bytes: --unpack-limits size=N allows more" in said(ledger)
    assert ledger.damaged


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_beyond_the_limit_are_named_as_damage(pack: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(pack(*((f"{number}.evtx", LOG) for number in range(6))))
    done = run("read", "many", "--unpack-limits", "members=5", folder=tmp_path)
    assert done.returncode == 3
    assert b"150 network connections" in done.stderr
    assert b"many: found more than 5 members: --unpack-limits members=N allows more" in done.stderr
    assert run("read", "many", "--unpack-limits", "members=6", folder=tmp_path).returncode == 0


def stored(count: int) -> bytes:
    """A zip of many empty members; Python's own writer would take a minute for it."""
    local, directory = bytearray(), bytearray()
    for number in range(count):
        name, at = b"%07d" % number, len(local)
        local += struct.pack("<4s2B4HL2L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0) + name
        directory += struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, at)
        directory += name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(local), 0)
    return bytes(local + directory + end)


@pytest.mark.long
def test_a_zip_of_more_than_100_000_members_is_read_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "many.zip").write_bytes(stored(100_001))
    (tmp_path / "good.evtx").write_bytes(LOG)
    done = run("read", ".", folder=tmp_path)
    assert done.returncode == 3
    assert b"100,000 files without a log skipped" in done.stderr
    assert b"many.zip: found more than 100,000 members" in done.stderr


def test_a_directory_of_millions_is_not_held(tmp_path: Path) -> None:
    """Only as many entries are read as may be opened."""
    (tmp_path / "many.zip").write_bytes(stored(1_000_000))
    (tmp_path / "good.evtx").write_bytes(LOG)
    done = run("read", ".", "--unpack-limits", "members=10", folder=tmp_path)
    assert done.returncode == 3
    assert b"many.zip: found more than 10 members" in done.stderr
    assert b"30 network connections" in done.stderr


def test_nesting_beyond_the_limit_is_named_and_may_be_allowed(tmp_path: Path) -> None:
    raw = LOG
    for number in range(6):
        raw = zipped((f"{number}", raw)) if number % 2 else gzip.compress(raw)
    (tmp_path / "nested").write_bytes(raw)
    assert "packings within each other: --unpack-limits nesting=N allows more" in said(read(tmp_path / "nested")[1])
    assert read(tmp_path / "nested", unpack=UnpackLimits(nesting=6))[0] == EVENTS


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_zip_is_read_and_checked(method: int, tmp_path: Path) -> None:
    raw = bytearray(zipped(("a.evtx", LOG), ("b.evtx", LOG), method=method))
    (tmp_path / "a.zip").write_bytes(raw)
    assert read(tmp_path / "a.zip")[0] == 2 * EVENTS
    # The checksum that the directory has of the first.
    at = raw.index(b"PK\x01\x02") + 16
    raw[at] ^= 1
    (tmp_path / "a.zip").write_bytes(raw)
    events, ledger = read(tmp_path / "a.zip")
    assert events == 2 * EVENTS
    assert dict(ledger.damage) == {"read error": 1}
    assert "Bad CRC-32" in said(ledger)


def test_a_member_that_packs_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    """bzip2 makes 900 kB of 45 bytes: Python's zip reader unpacks all that it was given."""
    bomb = zeros(512 << 20, bz2.BZ2Compressor)
    raw = bytearray(zipped(("bomb.evtx", bomb), ("good.evtx", LOG), method=zipfile.ZIP_STORED))
    # Let the first be no stored bytes, but what they unpack to.
    for magic, method, size in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = raw.index(magic)
        struct.pack_into("<H", raw, at + method, 12)
        struct.pack_into("<L", raw, at + size, 512 << 20)
    (tmp_path / "bomb.zip").write_bytes(raw)
    done = run("read", "bomb.zip", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"30 network connections, 51 other Sysmon events, 1 file without a log skipped" in done.stderr


def test_names_of_a_zip_that_are_no_text_cost_no_member(tmp_path: Path) -> None:
    raw = zipped(("caf\xe9.evtx", LOG), ("good.evtx", LOG)).replace("caf\xe9".encode(), b"caf\xff\xfe")
    (tmp_path / "a.zip").write_bytes(raw)
    table = procwire.read(tmp_path / "a.zip")
    assert table.num_rows == 2 * EVENTS
    assert str(tmp_path / r"a.zip!caf\xff\xfe.evtx") in table["source_file"].to_pylist()


def test_members_that_a_directory_hides_are_said_to_be_missing(tmp_path: Path) -> None:
    """It begins late, so that it names fewer members than the zip says to have."""
    for hidden in (1, 2):
        raw = bytearray(zipped(("a.evtx", LOG), ("b.evtx", LOG)))
        at = raw.rindex(b"PK\x05\x06")
        start = at if hidden == 2 else raw.rindex(b"PK\x01\x02")
        struct.pack_into("<2L", raw, at + 12, at - start, start)
        (tmp_path / "a.zip").write_bytes(raw)
        events, ledger = read(tmp_path)
        assert events == (2 - hidden) * EVENTS
        assert f"found {2 - hidden} members in its directory, expected 2: some may be missing" in said(ledger)
        assert ledger.damaged


def test_the_comment_of_a_zip_may_hold_anything(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.evtx", LOG)
        archive.comment = b"PK\x05\x06" + b"A" * 60_000
    (tmp_path / "a.zip").write_bytes(packed.getvalue())
    events, ledger = read(tmp_path / "a.zip")
    assert (events, ledger.damaged) == (EVENTS, False)


def test_a_folder_of_a_zip_that_holds_bytes_is_read(tmp_path: Path) -> None:
    raw = bytearray(zipped(("a.evtx", LOG), ("b.evtx/", LOG)))
    struct.pack_into("<L", raw, raw.rindex(b"PK\x01\x02") + 24, 0)
    (tmp_path / "a.zip").write_bytes(raw)
    events, ledger = read(tmp_path)
    assert (events, ledger.damaged) == (2 * EVENTS, True)
    assert "expected 0" in said(ledger)


def test_a_broken_header_in_a_tar_costs_its_member_only_and_is_said(tmp_path: Path) -> None:
    """Python's reader took it for the end, without a word."""
    raw = bytearray(tarred(("a.evtx", LOG), ("b.evtx", LOG), ("c.evtx", LOG)))
    at = raw.index(b"b.evtx")
    raw[at + 148] ^= 1
    (tmp_path / "a.tar").write_bytes(raw)
    events, ledger = read(tmp_path / "a.tar")
    assert events == 2 * EVENTS
    assert "broken headers: members may be missing" in said(ledger)
    assert ledger.damaged


def test_a_tar_without_its_end_is_said_to_be_cut(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarred(("a.evtx", LOG), end=False)[: 512 + len(LOG)])
    events, ledger = read(tmp_path / "a.tar")
    assert (events, ledger.damaged) == (EVENTS, True)


def test_a_tar_behind_a_tar_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarred(("a.evtx", LOG)) + tarred(("b.evtx", LOG)))
    events, ledger = read(tmp_path / "a.tar")
    assert (events, ledger.damaged) == (2 * EVENTS, False)


def test_links_and_devices_in_a_tar_are_named_and_not_followed(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"odd{kind.decode()}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("log.evtx")
        member.size = len(LOG)
        archive.addfile(member, io.BytesIO(LOG))
    (tmp_path / "a.tar").write_bytes(packed.getvalue())
    events, ledger = read(tmp_path / "a.tar")
    assert (events, ledger.damaged) == (EVENTS, False)
    assert [file.not_followed for file in ledger.not_followed] == [
        "a link", "a link to another member", "a device", "a pipe"
    ]  # fmt: skip


def header(size: int, kind: bytes = tarfile.XHDTYPE) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


HEADERS: dict[str, Callable[[], bytes]] = {
    "an extended header of 4 GB": lambda: gzipped(header(4 << 30), 1 << 30),
    "a name of 4 GB": lambda: gzipped(header(4 << 30, tarfile.GNUTYPE_LONGNAME), 1 << 30),
    "headers of headers": lambda: gzip.compress((header(16) + b"16 path=1234567\n".ljust(512, b"\0")) * 5_000),
    "zeros behind its end": lambda: gzipped(tarred(("a", b"")), 1 << 30),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_of_a_tar_are_held_to_a_limit(kind: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.tar.gz").write_bytes(HEADERS[kind]())
    (tmp_path / "good.evtx").write_bytes(LOG)
    done = run("read", ".", folder=tmp_path)
    assert done.returncode == 3, done.stderr
    assert b"damage: " in done.stderr
    assert b"bomb.tar.gz: " in done.stderr
    assert b"30 network connections" in done.stderr


def test_a_decoder_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    """An xz whose dictionary would take 1.5 GB."""
    filters: list[dict[str, int]] = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}]
    raw = bytearray(lzma.compress(LOG, filters=filters))
    # The size of the dictionary in the block's header, and the checksum of it.
    at = raw.index(b"\x21\x01", 12) + 2
    raw[at] = 39
    length = (raw[12] + 1) * 4
    raw[12 + length - 4 : 12 + length] = zlib.crc32(raw[12 : 12 + length - 4]).to_bytes(4, "little")
    (tmp_path / "a.xz").write_bytes(raw)
    events, ledger = read(tmp_path / "a.xz")
    assert (events, ledger.damaged) == (0, True)
    assert "Memory usage limit exceeded" in said(ledger)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_bytes_behind_a_stream_are_said(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Python's readers of bzip2 and xz leave them unread without a word: a second log, say, whose head is broken."""
    first, second = pack(LOG[:50_000]), pack(LOG[50_000:])
    for raw, is_damage in (
        (first + second, False),
        (first + bytes(8) + second + bytes(8), False),
        (first + second + b"garbage", True),
        (first + b"X" + second[1:], True),
    ):
        (tmp_path / "a").write_bytes(raw)
        events, ledger = read(tmp_path / "a")
        assert (events > 10, ledger.damaged) == (True, is_damage)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("kind", ["zip in a pipe", "member for a lake"])
def test_nothing_that_was_unpacked_remains_after_a_kill(kind: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    where = ("read", "-", "--lake", "lake") if kind == "member for a lake" else ("read", "-")
    with subprocess.Popen(
        [*PROGRAM, *where], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        raw = tarred(("log.evtx", LOG + bytes(8 << 20))) if "lake" in kind else zipped(("a", LOG))
        process.stdin.write(raw[: 4 << 20])
        process.stdin.flush()
        # Until it has the file open, which has no name.
        deadline = time.monotonic() + 60
        while not any("/tmp/" in target and "(deleted)" in target for target in targets(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not list((tmp_path / "tmp").iterdir())
        process.send_signal(number)
        if number != signal.SIGKILL:
            process.stdin.close()
            process.stdin = None
        process.communicate(timeout=60)
    assert not list((tmp_path / "tmp").iterdir())


def targets(pid: int) -> list[str]:
    """Where the open files of a process lead."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("size", [1, 3, 600])
def test_packings_are_recognised_however_slowly_they_come(size: int) -> None:
    for pack in (gzip.compress, bz2.compress, lambda raw: tarred(("a", raw)), lambda raw: zipped(("a", raw))):
        raw = pack(LOG)
        program = "import procwire; print(procwire.read('-').num_rows)"
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for at in range(0, 600, size):
                os.write(process.stdin.fileno(), raw[at : at + size])
                time.sleep(0.0005)
            process.stdin.write(raw[600:])
            process.stdin.close()
            assert process.stdout.read().strip() == str(EVENTS).encode()


@pytest.mark.parametrize(
    "text", ["ratio", "ratio=", "ratio=0", "ratio=-1", "size=x", "depth=3", "ratio=1,ratio=2", "", "members=1e9"]
)
def test_limits_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "good.evtx").write_bytes(LOG)
    done = run("read", "good.evtx", "--unpack-limits", text, folder=tmp_path)
    assert (done.returncode, done.stderr.startswith(b"procwire: ")) == (2, True)


SAMPLES: list[bytes] = [
    gzip.compress(LOG[:6_000]),
    bz2.compress(LOG[:6_000]),
    lzma.compress(LOG[:6_000]),
    zstd(LOG[:6_000]),
    *(zipped(("a/", b""), ("a/b", LOG[:6_000]), ("c", gzip.compress(LOG[:600])), method=method)
      for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
    tarred(("a/b", LOG[:6_000]), ("n" * 200, zipped(("c", LOG[:600])))),
    sparse("a", 20_000, LOG[:6_000]) + tarred(("b", LOG[:600])),
    gzip.compress(header(512) + b"30 GNU.sparse.map=0,5,9000,7\n".ljust(512, b"\0") + tarred(("b", LOG[:600]))),
]  # fmt: skip


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_broken_in_a_packing_the_next_file_is_read(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        # Headers are small, and stand at the beginning and the end.
        at = data.draw(st.sampled_from([at, at % 600, len(raw) - 1 - at % 600])) % len(raw)
        match data.draw(st.sampled_from(["flip", "number", "cut", "double"])):
            case "flip":
                raw[at] ^= 1 << data.draw(st.integers(0, 7))
            case "number":
                raw[at : at + 4] = data.draw(
                    st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"7777", b"\0\0\0\x80"])
                )
            case "cut":
                del raw[at:]
                raw += b"\0"
            case "double":
                raw[at:at] = raw[at : at + 512]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("a", bytes(raw)), ("b", LOG)):
            Path(folder, name).write_bytes(content)
        small = UnpackLimits(size=10 << 20, members=100)
        given_bytes = 0
        for entry in open_inputs([folder], small):
            if isinstance(entry.source, str):
                continue
            while not isinstance(entry.source, Exception):
                # What it raises the reader takes for damage.
                try:
                    piece = entry.source.read(1 << 16)
                except Exception:
                    break
                given_bytes += len(piece)
                if not piece:
                    break
        assert given_bytes <= 10 << 20
        assert (entry.name, entry.source) == (str(Path(folder, "b")), str(Path(folder, "b")))
