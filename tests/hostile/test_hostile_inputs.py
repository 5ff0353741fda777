"""Names that are no text, and what cannot be read: each is named, and costs no other log."""

from __future__ import annotations

import ctypes
import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import procwire
from procwire.sources.inputs import name_of

ROOT = Path(__file__).parents[2]
RAW = (ROOT / "examples" / "sysmon.evtx").read_bytes()
PROGRAM = [sys.executable, "-c", "from procwire.cli import main; main()"]


def log_of(chunk: int) -> bytes:
    start = 4096 + chunk * 65536
    return RAW[:4096] + RAW[start : start + 65536]


GOOD, ODD = log_of(7), log_of(8)
GOOD_EVENTS, ODD_EVENTS = 30, 74
ODD_NAME = os.fsdecode(b"caf\xe9.evtx")
UNREADABLE = ("locked", "unreadable.evtx", "nowhere.evtx", "loop.evtx")
NOT_FOLLOWED = ("elsewhere", "pipe", "socket")


def powerless() -> None:
    """Root reads everything, unless it gives up the capabilities to."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP; a user has none to drop


def run(*arguments: object, cwd: Path, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], cwd=cwd, input=input, capture_output=True, timeout=120, preexec_fn=powerless
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Two logs among all that cannot be read or is not followed."""
    folder = tmp_path / "logs"
    (folder / "locked").mkdir(parents=True)
    (folder / "good.evtx").write_bytes(GOOD)
    (folder / ODD_NAME).write_bytes(ODD)
    (folder / "unreadable.evtx").write_bytes(GOOD)
    (folder / "locked" / "hidden.evtx").write_bytes(GOOD)
    (folder / "nowhere.evtx").symlink_to("gone")
    (folder / "loop.evtx").symlink_to("loop.evtx")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "log.evtx").write_bytes(GOOD)
    (folder / "elsewhere").symlink_to(tmp_path / "other")
    os.mkfifo(folder / "pipe")
    # A path of its own would be too long.
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)
        bound.bind("socket")
        os.chdir(here)
    (folder / "unreadable.evtx").chmod(0)
    (folder / "locked").chmod(0)
    yield folder
    (folder / "locked").chmod(0o700)


VERBS: dict[str, tuple[str, ...]] = {
    "read": ("read", "logs", "--to", "csv"),
    "lake": ("read", "logs", "--lake", "lake"),
    "sql": ("sql", "SELECT count(*) AS n FROM connections", "logs", "--to", "csv"),
    "hunt": ("hunt", "top_talkers", "logs", "--to", "csv"),
    "detect": ("detect", "--rules", str(ROOT / "examples" / "rules"), "logs", "--to", "csv"),
    "config test": ("config", "test", str(ROOT / "examples" / "configs" / "log-everything.xml"), "logs"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_read_is_named_and_costs_no_other_log(verb: str, folder: Path) -> None:
    done = run(*VERBS[verb], cwd=folder.parent)
    reported = done.stderr.decode()
    assert done.returncode in ((3, 4) if verb == "detect" else (3,)), reported
    assert "Traceback" not in reported
    damage, not_followed = reported.partition("damage: ")[2].split("\n")[0], reported.partition("not followed: ")[2]
    for name in UNREADABLE:
        assert f"logs/{name}: " in damage
    for name in NOT_FOLLOWED:
        assert f"logs/{name}: " in not_followed
    assert f"{GOOD_EVENTS + ODD_EVENTS} network connections" in reported


def test_the_ledger_names_all_of_it(folder: Path) -> None:
    done = run("read", "logs", "--columns", "source_file,dst_ip", "--ledger", "l.json", cwd=folder.parent)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["source_file"] for row in rows} == {"logs/good.evtx", r"logs/caf\xe9.evtx"}
    files = {file["name"]: file for file in json.loads((folder.parent / "l.json").read_text())["files"]}
    assert {name for name, file in files.items() if file["unreadable"]} == {f"logs/{name}" for name in UNREADABLE}
    assert all(files[f"logs/{name}"]["error"] for name in UNREADABLE)
    assert {name for name, file in files.items() if file["not_followed"]} == {f"logs/{name}" for name in NOT_FOLLOWED}
    assert files["logs/elsewhere"]["not_followed"] == "a link to a folder"
    assert (files["logs/pipe"]["not_followed"], files["logs/socket"]["not_followed"]) == ("a pipe", "a socket")


def test_what_is_not_followed_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "good.evtx").write_bytes(GOOD)
    (tmp_path / "logs" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "logs" / "pipe")
    done = run("read", "logs", cwd=tmp_path)
    assert done.returncode == 0
    assert b"not followed: logs/pipe: a pipe; logs/up: a link to a folder\n" in done.stderr


def test_a_link_to_a_folder_that_is_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "good.evtx").write_bytes(GOOD)
    (tmp_path / "link").symlink_to("logs")
    assert procwire.read(tmp_path / "link").num_rows == GOOD_EVENTS


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(GOOD)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "log")
    assert procwire.read(tmp_path / "logs").num_rows == GOOD_EVENTS


@pytest.mark.parametrize("pattern", ["**/*.evtx", "**", "**/**", "**/a/*", "*/**/log.evtx"])
def test_a_pattern_gives_each_log_once_whatever_links_go_round(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "a").mkdir(parents=True)
    (tmp_path / "a" / "a" / "log.evtx").write_bytes(GOOD)
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    ledger = procwire.Ledger()
    assert procwire.read(tmp_path / pattern, ledger=ledger).num_rows == GOOD_EVENTS
    assert not ledger.damaged


def test_a_folder_that_a_pattern_cannot_look_into_is_damage(folder: Path) -> None:
    """Python's own patterns say nothing of it."""
    for pattern in ("logs/**/*.evtx", "logs/*/*.evtx", "logs/*/deeper/*.evtx"):
        done = run("read", "logs/good.evtx", pattern, cwd=folder.parent)
        assert (done.returncode, b"logs/locked" in done.stderr) == (3, True), done.stderr


def test_a_folder_that_is_named_and_cannot_be_entered_is_an_error(folder: Path) -> None:
    done = run("read", "logs/locked", cwd=folder.parent)
    assert done.returncode == 1
    assert b"logs/locked: Permission denied" in done.stderr


def test_folders_in_folders_end_where_the_system_ends(tmp_path: Path) -> None:
    """Deeper than Python calls itself, and than a path may be long."""
    (tmp_path / "a.evtx").write_bytes(GOOD)
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(2_500):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        ledger = procwire.Ledger()
        assert procwire.read(tmp_path, ledger=ledger).num_rows == GOOD_EVENTS
        assert [file.error for file in ledger.unread] == ["File name too long"]
    finally:
        # Nor could the folder be removed by its path.
        for _ in range(2_500):
            above = os.open("..", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = above
            os.rmdir("d", dir_fd=here)
        os.close(here)


@pytest.mark.parametrize("raw", [b"caf\xe9", b"\xff\xfe", b"a\xcc", b"\x1b[31m", b"'; DROP", b"new\nline", b"%s{0}"])
def test_any_name_that_the_system_takes_is_read(raw: bytes, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/" + raw
    Path(os.fsdecode(path)).write_bytes(GOOD)
    for given in (os.fsdecode(path), tmp_path):
        table = procwire.read(given)
        assert set(table["source_file"].to_pylist()) == {name_of(os.fsdecode(path))}
        assert table.num_rows == GOOD_EVENTS
    with procwire.connect(tmp_path) as database:
        assert database.sql("SELECT count(*) FROM connections").fetchall() == [(GOOD_EVENTS,)]


def test_a_name_that_is_no_text_is_written_in_every_format(tmp_path: Path) -> None:
    (tmp_path / ODD_NAME).write_bytes(ODD)
    for way in ("ndjson", "csv", "table", "parquet", "arrow", "xml"):
        done = run("read", ODD_NAME, "--to", way, "-o", f"out.{way}", "--ledger", f"{way}.json", cwd=tmp_path)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert set(pq.read_table(tmp_path / "out.parquet")["source_file"].to_pylist()) == {r"caf\xe9.evtx"}


@pytest.mark.parametrize("way", ["parquet", "arrow"])
def test_a_table_whose_name_is_no_text_is_asked_and_kept(way: str, tmp_path: Path) -> None:
    (tmp_path / "good.evtx").write_bytes(GOOD)
    assert run("read", "good.evtx", "--to", way, "-o", "table", cwd=tmp_path).returncode == 0
    odd = tmp_path / os.fsdecode(b"t\xe9." + way.encode())
    (tmp_path / "table").rename(odd)
    # What its name is written as is the name of another file.
    (tmp_path / f"t\\xe9.{way}").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "good.evtx").unlink()
    done = run("sql", "SELECT count(*) AS n FROM connections", odd.name, "--to", "csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"n\r\n30\r\n"), done.stderr
    done = run("read", odd.name, "--lake", "lake", cwd=tmp_path)
    assert (done.returncode, b"30 connections added" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("way", ["parquet", "arrow"])
def test_a_table_is_recognised_however_it_arrives(way: str, tmp_path: Path) -> None:
    (tmp_path / "good.evtx").write_bytes(GOOD)
    assert run("read", "good.evtx", "--to", way, "-o", "table", cwd=tmp_path).returncode == 0
    raw = (tmp_path / "table").read_bytes()
    (tmp_path / "table.gz").write_bytes(gzip.compress(raw))
    expected = f"found {way.title()}, expected a log".encode()
    for arguments, sent in ((("read", "table"), b""), (("read", "table.gz"), b""), (("read", "-"), raw)):
        done = run(*arguments, cwd=tmp_path, input=sent)
        assert (done.returncode, expected in done.stderr) == (1, True), done.stderr


def test_a_log_whose_beginning_was_erased_is_no_arrow_stream(tmp_path: Path) -> None:
    """Flash that was erased reads as ones, with which a message of Arrow's begins."""
    raw = b"\xff" * 4096 + ODD[4096:]
    (tmp_path / "erased.evtx").write_bytes(raw)
    found = [run("read", path, "--to", "csv", cwd=tmp_path, input=raw) for path in (".", "-")]
    assert [done.returncode for done in found] == [3, 3]
    assert len(found[0].stdout.splitlines()) == len(found[1].stdout.splitlines()) > 50


def test_members_of_archives_may_have_any_name(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        for name, raw in (("caf\xe9.evtx", ODD), ("good.evtx", GOOD)):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    (tmp_path / "logs.tar").write_bytes(packed.getvalue())
    for arguments in (("read", "logs.tar"), ("read", "logs.tar", "--lake", "lake")):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, b"104 network connections" in done.stderr) == (0, True), done.stderr
    assert {*procwire.read(tmp_path / "logs.tar")["source_file"].to_pylist()} == {
        str(tmp_path / "logs.tar!") + name for name in (r"caf\xe9.evtx", "good.evtx")
    }


def test_a_pipe_that_is_named_is_read_from_its_beginning() -> None:
    """As the shell's `<(zcat log.gz)` makes it: what was read to recognise it is not lost."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*PROGRAM, "sql", "SELECT count(*) AS n FROM connections", f"/dev/fd/{reading}", "--to", "csv"],
        pass_fds=[reading], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(GOOD)
        out, reported = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, b"n\r\n30\r\n"), reported


LINE = b'{"EventID":3,"SourceName":"Microsoft-Windows-Sysmon","DestinationIp":"10.0.0.1","ProcessId":"4"}\n'


def test_following_goes_on_beside_what_cannot_be_read(folder: Path) -> None:
    (folder / "log.ndjson").write_bytes(LINE)
    (folder / "old.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    with subprocess.Popen(
        [*PROGRAM, "read", "logs", "--follow", "--ledger", "l.json", "--columns", "source_file"], cwd=folder.parent,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=powerless,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(GOOD_EVENTS + ODD_EVENTS + 1)]
        # One that it finds when it comes around: by then it has met everything.
        (folder / "new.ndjson").write_bytes(LINE)
        assert b"new.ndjson" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, reported = process.communicate(timeout=120)
    assert process.returncode == 130
    assert {json.loads(line)["source_file"] for line in lines} == {
        "logs/good.evtx", r"logs/caf\xe9.evtx", "logs/log.ndjson"
    }  # fmt: skip
    for name in (*UNREADABLE, *NOT_FOLLOWED):
        assert f"logs/{name}: ".encode() in reported
    assert b"logs/old.gz: a packed file" in reported


@pytest.mark.parametrize("read", [procwire.scan, procwire.read, procwire.connect])
def test_a_mistyped_path_is_an_error(read: Callable[[object], object], tmp_path: Path) -> None:
    for paths in (tmp_path / "typo", [tmp_path / "typo", tmp_path / "*.typo"]):
        with pytest.raises(procwire.InputError, match="typo: No such file or directory"):
            read(paths)


def test_a_scan_of_what_cannot_be_read_ends_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "no.log").write_bytes(b"no log\n")
    reader = procwire.scan(tmp_path / "no.log")
    with pytest.raises(procwire.InputError, match=r"no\.log: found no format that is known"):
        reader.read_all()
    (tmp_path / "empty").mkdir()
    reader = procwire.scan(tmp_path / "empty")
    with pytest.raises(procwire.InputError, match="found no file, expected a log"):
        reader.read_all()
