"""Root and the account that records follow no link that an attacker planted, and leave their files to few."""

from __future__ import annotations

import codecs
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA
from procwire.files import WholeFile, find, make_folder, trusted_folder
from procwire.recorder import output_files, status
from procwire.recorder.output_files import make_files
from procwire.recorder.record_ids import RecordIds
from procwire.recorder.settings import recording_settings
from procwire.recorder.status import StatusFile, running_recorders
from procwire.sinks.recording import RecordingOutput
from procwire.sources import boot, folders
from procwire.sources.boot import boot_time_ns
from procwire.sources.folders import check_runtime_folder, make_runtime_folder
from procwire.sources.privileges import recording_account
from recordings import Recording, Server

ATTACKER, VICTIM = 65_533, 65_534
COMMAND = [sys.executable, "-c", "from procwire.cli import main; main()"]
SECRET = "secret"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, to play both attacker and victim"
)
Start = Callable[..., Recording]


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious"
    path.write_text(SECRET)
    return path


@pytest.fixture(params=[(ATTACKER, 0o755), (0, 0o777), (0, 0o1777)], ids=["theirs", "shared", "sticky"])
def hostile(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A folder in which the attacker makes names."""
    path = folder / "hostile"
    path.mkdir()
    owner, mode = request.param
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


def numbered(first: int, count: int) -> pa.RecordBatch:
    """Rows of a recording that their record id distinguishes."""
    known = {"record_id": list(range(first, first + count)), "record_kind": ["connection"] * count}
    columns = [pa.array(known.get(field.name, [None] * count), field.type) for field in LIVE_SCHEMA]
    return pa.record_batch(columns, schema=LIVE_SCHEMA)


def plant(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    os.lchown(link, ATTACKER, ATTACKER)
    return link


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("option", ["-o", "--ledger"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_planted_link_is_not_followed(
    hostile: Path, precious: Path, example_log: Path, option: str, force: tuple[str, ...]
) -> None:
    link = plant(hostile / "rows.csv", precious)
    done = run("read", example_log, "--to", "csv", option, link, *force)
    assert (done.returncode, precious.read_text(), link.is_symlink()) == (2, SECRET, True)
    assert "link" in done.stderr


def test_a_planted_link_to_a_folder_is_not_followed(hostile: Path, tmp_path: Path, example_log: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    plant(hostile / "out", inner)
    for path in ("out/rows.csv", "out/../out/rows.csv", "./out/deeper/rows.csv"):
        assert run("read", example_log, "-o", hostile / path).returncode == 2
    assert list(inner.iterdir()) == []


@pytest.mark.parametrize("below", ["", "connections", "readings", "connections/_delta_log"])
def test_no_lake_is_written_behind_a_planted_link(hostile: Path, tmp_path: Path, example_log: Path, below: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    lake = hostile / "lake"
    if below:
        (lake / below).parent.mkdir(parents=True)
        for folder in (lake, *lake.rglob("*")):
            os.chown(folder, ATTACKER, ATTACKER)
    plant(lake / below, inner)
    for arguments in (("read", example_log), ("record", "--all", "--sensor", "poll", "--for", "100ms")):
        done = run(*arguments, "--lake", lake)
        assert (done.returncode, "link" in done.stderr) == (2, True)
    assert list(inner.iterdir()) == []


def test_a_link_through_a_link_is_not_followed(hostile: Path, precious: Path, tmp_path: Path) -> None:
    """The first is ours, and names the attacker's."""
    (tmp_path / "own").symlink_to(plant(hostile / "theirs", precious))
    with pytest.raises(UsageError, match="found the link 'theirs'"):
        find(tmp_path / "own")


def test_in_tmp_ones_own_links_are_followed_and_those_of_others_are_not(folder: Path, precious: Path) -> None:
    folder.chmod(0o1777)
    (folder / "own").symlink_to(precious)
    with find(folder / "own") as place:
        assert place.name == "precious"
    os.lchown(folder / "own", ATTACKER, ATTACKER)
    with pytest.raises(UsageError, match="link"):
        find(folder / "own")
    folder.chmod(0o777)
    os.lchown(folder / "own", 0, 0)
    with pytest.raises(UsageError, match="link"):
        find(folder / "own")


def test_links_that_go_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UsageError, match="40 links"):
        find(tmp_path / "a")


def test_a_folder_that_is_swapped_meanwhile_is_not_followed(hostile: Path, tmp_path: Path) -> None:
    """The file lands in the folder that was found."""
    inner, other = hostile / "inner", tmp_path / "other"
    inner.mkdir()
    other.mkdir()
    file = WholeFile(find(inner / "rows.csv"), force=False)
    inner.rename(hostile / "moved")
    plant(inner, other)
    file.stream.write(b"rows")
    file.commit()
    assert list(other.iterdir()) == []
    assert (hostile / "moved" / "rows.csv").read_bytes() == b"rows"


def test_a_part_that_is_swapped_for_a_link_is_not_written_to(hostile: Path, precious: Path) -> None:
    file = WholeFile(find(hostile / "rows.csv"), force=True)
    [part] = hostile.iterdir()
    part.unlink()
    plant(part, precious)
    file.stream.write(b"rows")
    with pytest.raises(UsageError, match="another process removed"):
        file.commit()
    file.discard()
    assert precious.read_text() == SECRET
    assert not (hostile / "rows.csv").is_symlink()


def test_a_link_that_appears_under_the_name_is_replaced_or_refused_never_followed(
    hostile: Path, precious: Path
) -> None:
    for force in (True, False):
        path = hostile / f"{force}.csv"
        file = WholeFile(find(path), force=force)
        plant(path, precious)
        file.stream.write(b"rows")
        if force:
            file.commit()
            assert path.read_bytes() == b"rows"
            assert not path.is_symlink()
        else:
            with pytest.raises(UsageError, match="--force"):
                file.commit()
            file.discard()
    assert precious.read_text() == SECRET


def test_swapping_folders_and_links_all_the_time_lets_nothing_out(hostile: Path, tmp_path: Path) -> None:
    """The attacker swaps the folder for a link, and names in it for links, while root writes into it."""
    other, inner, stop = tmp_path / "other", hostile / "inner", hostile / "stop"
    other.mkdir()
    for name in ("rows.csv", "record_id"):
        (other / name).write_text("")
    inner.mkdir()
    os.chown(inner, ATTACKER, ATTACKER)
    # A process of the attacker's own: as root's, its links would be trusted for a moment.
    swap = f"""cd {hostile}; while [ ! -e {stop} ]; do
        mv -T inner aside; ln -s {other} inner; rm inner; mv -T aside inner
        ln -s {other}/rows.csv inner/rows.csv; ln -s {other}/record_id inner/record_id; rm -f inner/*
    done"""
    attacker = subprocess.Popen(
        ["sh", "-c", swap], user=ATTACKER, group=ATTACKER, extra_groups=[], stderr=subprocess.DEVNULL
    )
    written = rounds = 0
    try:
        while rounds < 1_000 or not (written or rounds > 50_000):
            rounds += 1
            with suppress(UsageError, OSError):
                file = WholeFile(find(inner / "rows.csv"), force=True)
                file.stream.write(b"rows")
                with suppress(UsageError, OSError):
                    file.commit()
                    written += 1
                file.discard()
            with suppress(UsageError, OSError), find(inner / "record_id") as place:
                opened = place.open(os.O_RDWR)
                os.write(opened, b"17")
                os.close(opened)
            with suppress(UsageError, OSError):
                out = output(inner / "rows.csv", way="ndjson")
                out.write(numbered(0, 1))
                out.close()
    finally:
        stop.touch()
        attacker.wait(60)
    assert {path.name: path.read_text() for path in other.iterdir()} == {"rows.csv": "", "record_id": ""}
    assert written > 0


def test_planted_parts_are_not_mistaken_for_our_own(hostile: Path, precious: Path) -> None:
    link = plant(hostile / f".procwire-{'0' * 16}.part", precious)
    theirs = hostile / f".procwire-{'1' * 16}.part"
    theirs.write_text("theirs")
    os.chown(theirs, ATTACKER, ATTACKER)
    WholeFile(find(hostile / "rows.csv"), force=False).commit()
    assert (precious.read_text(), link.is_symlink(), theirs.read_text()) == (SECRET, True, "theirs")


@pytest.mark.parametrize("option", ["-o", "--ledger"])
def test_a_recorder_started_as_root_follows_no_planted_link(folder: Path, precious: Path, option: str) -> None:
    """Neither before it gives up root, nor after: what the link names the account could write."""
    precious.chmod(0o666)
    for path in precious.parents:
        if path.owner() == "root" and str(path).startswith("/tmp/pytest"):
            path.chmod(0o755)
    link = plant(folder / "rows.ndjson", precious)
    more = () if option == "-o" else ("-o", folder / "other.ndjson", "--force")
    running = Recording(folder, "--all", option, link, *more)
    code, _ = running.wait()
    assert (code, precious.read_text(), link.is_symlink()) == (2, SECRET, True)
    assert "link" in running.errors
    running.close()


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.arrow", "rows.xml", "rows.log"])
def test_a_file_that_others_planted_is_not_gone_on_with(folder: Path, name: str, precious: Path) -> None:
    """One that they can read, or a second name of a file elsewhere."""
    path = folder / name
    path.touch()
    os.chown(path, ATTACKER, ATTACKER)
    with pytest.raises(UsageError, match="others can write the folder"):
        output(path)
    path.unlink()
    path.hardlink_to(precious)
    with pytest.raises(UsageError, match="others can write the folder"):
        output(path)
    assert precious.read_text() == SECRET


WAYS = {".ndjson": "ndjson", ".csv": "csv", ".xml": "xml", ".log": "syslog", ".arrow": "arrow", ".txt": "table"}


def output(
    path: Path, *, way: str | None = None, keep: int | None = None, rotate: int | None = None
) -> RecordingOutput:
    found = way or {**WAYS, ".parquet": "parquet"}[path.suffix]
    return RecordingOutput(
        found, path, LIVE_SCHEMA, rotate_bytes=rotate, rotate_s=None, keep=keep, terminal=None, stream=None
    )


@pytest.mark.parametrize("suffix", [".ndjson", ".csv", ".xml", ".log"])
def test_a_name_that_becomes_a_link_while_recording_loses_rows_and_writes_nothing(
    folder: Path, precious: Path, suffix: str
) -> None:
    out = output(folder / f"rows{suffix}")
    out.write(numbered(0, 1))
    (folder / f"rows{suffix}").rename(folder / "moved")
    plant(folder / f"rows{suffix}", precious)
    out.tick()
    assert "cannot write" in str(out.error)
    out.write(numbered(1, 1))
    out.close()
    assert precious.read_text() == SECRET


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_a_planted_name_of_a_rotated_file_is_left_alone(folder: Path, precious: Path, suffix: str) -> None:
    path = folder / f"rows{suffix}"
    for start in range(3):
        out = output(path)
        out.write(numbered(start, 1))
        out.close()
        stamp = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(path.stat().st_mtime))
        for number in ("", ".1"):
            taken = folder / f"rows.{stamp}{number}{suffix}"
            if not taken.exists() and not taken.is_symlink():
                plant(taken, precious)
        if suffix == ".ndjson":
            out = output(path, rotate=1, keep=10)
            out.write(numbered(10, 1))
            out.close()
    assert precious.read_text() == SECRET
    files = [entry for entry in folder.iterdir() if not entry.is_symlink() and entry.suffix == suffix]
    assert len(files) > 1


def test_planted_journals_are_not_published(folder: Path) -> None:
    """They would be reported as recorded."""
    first = output(folder / "a.parquet")
    first.write(numbered(666, 1))
    first._target._flush()  # type: ignore[attr-defined]
    [journal] = folder.glob(".a.parquet.*.journal")
    forged = folder / ".b.parquet.0123abcd.journal"
    forged.write_bytes(journal.read_bytes())
    os.chown(forged, ATTACKER, ATTACKER)
    plant(folder / ".b.parquet.89abcdef.journal", journal)
    out = output(folder / "b.parquet")
    out.write(numbered(1, 1))
    out.close()
    first.close()
    assert pq.read_table(folder / "b.parquet")["record_id"].to_pylist() == [1]
    assert forged.exists()


@pytest.mark.parametrize("suffix", [*WAYS, ".parquet"])
def test_recordings_are_for_the_account_and_its_group(folder: Path, suffix: str) -> None:
    """Also those that an older version made, those that were rotated, and journals."""
    before = os.umask(0)
    try:
        path = folder / f"rows{suffix}"
        if suffix not in (".txt", ".parquet"):
            out = output(path)
            out.write(numbered(0, 1))
            out.close()
            path.chmod(0o666)
        way = "ndjson" if suffix == ".txt" else None
        out = output(path, rotate=1, way=way)
        for start in range(1, 4):
            out.write(numbered(start, 1))
            if suffix in (".parquet", ".arrow"):
                out._target._flush()  # type: ignore[attr-defined]
            assert modes(folder) == {0o640}
        out.close()
    finally:
        os.umask(before)
    assert modes(folder) == {0o640}


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_what_a_recorder_makes_is_for_the_account_and_its_group(folder: Path, start: Start, connect: Server) -> None:
    """A lake too. Everybody may read who records."""
    account = recording_account()
    files = [folder / name for name in ("a.ndjson", "b.parquet")]
    outputs = [part for path in files for part in ("-o", path)]
    running = start("--all", *outputs, "--lake", folder / "lake", "--ledger", folder / "ledger.json")
    [found] = (folder / "run").iterdir()
    assert found.stat().st_mode & 0o777 == 0o644
    connect(3)
    running.end()
    for path in (*files, folder / "ledger.json", folder / "lake", *(folder / "lake").rglob("*")):
        assert path.stat().st_mode & 0o777 & ~(0o750 if path.is_dir() else 0o640) == 0, path
        assert path.stat().st_uid == account.pw_uid, path


def test_keep_deletes_no_file_of_others(folder: Path) -> None:
    path = folder / "rows.ndjson"
    path.write_text("notes of mine")
    out = output(path, keep=0, rotate=1)
    for start in range(3):
        out.write(numbered(start, 1))
    out.close()
    [aside] = folder.glob("rows.*.set-aside.ndjson")
    assert aside.read_text() == "notes of mine"


@pytest.mark.parametrize("content", [b"one\ntwo", b"one\ntwo\n", b"one"])
@pytest.mark.parametrize("way", ["table", "ndjson"])
def test_a_recording_changes_no_file_of_others(folder: Path, way: str, content: bytes) -> None:
    path = folder / "notes.txt"
    path.write_bytes(content)
    out = output(path, way=way)
    out.write(numbered(0, 1))
    out.close()
    [aside] = folder.glob("notes.*.set-aside.txt")
    assert aside.read_bytes() == content


# What a recorder keeps.


@pytest.fixture
def temporary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """/tmp, and an account that keeps what lasts until the next boot there."""
    folder.chmod(0o1777)
    # Python loads it on first use, from where the account may not look.
    codecs.lookup("ascii")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(folder))
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(folders, "RUNTIME_FOLDER", Path("/proc/none"))
    monkeypatch.setattr(status, "RUNTIME_FOLDER", Path("/proc/none"))
    monkeypatch.setattr(boot, "RUNTIME_FOLDER", Path("/proc/none"))
    with acting_as(VICTIM):
        yield folder / f"procwire-{VICTIM}"


def test_the_folder_in_tmp_is_made_for_the_account_alone(temporary: Path) -> None:
    make_runtime_folder(folders.runtime_folder())
    assert (temporary.stat().st_mode & 0o777, temporary.stat().st_uid) == (0o700, VICTIM)
    make_runtime_folder(temporary)


@pytest.mark.parametrize("kind", ["theirs", "open", "link", "file"])
def test_a_planted_folder_in_tmp_is_refused(temporary: Path, kind: str) -> None:
    os.seteuid(0)
    if kind == "link":
        inner = temporary.parent / "inner"
        inner.mkdir(mode=0o700)
        os.chown(inner, VICTIM, VICTIM)
        plant(temporary, inner)
    elif kind == "file":
        temporary.touch()
    else:
        temporary.mkdir()
        os.chown(temporary, ATTACKER if kind == "theirs" else VICTIM, -1)
        temporary.chmod(0o700 if kind == "theirs" else 0o755)
    os.seteuid(VICTIM)
    with pytest.raises(OSError, match=r".") as refused:
        make_runtime_folder(temporary)
    assert refused.value.strerror
    with pytest.raises(OSError, match=r"."):
        StatusFile(temporary)
    with pytest.raises(OSError, match=r"."):
        check_runtime_folder(temporary)


def test_what_lies_in_a_planted_folder_is_not_believed(temporary: Path) -> None:
    """Neither the time of the boot, from which ProcessGuids count, nor who records."""
    file = StatusFile(temporary)
    true_ns = boot_time_ns()
    anchor = temporary / "boot"
    anchor.write_text(f"{anchor.read_text().split()[0]} 17\n")
    assert boot_time_ns() == 17
    os.seteuid(0)
    os.chown(temporary, ATTACKER, ATTACKER)
    temporary.chmod(0o777)
    os.seteuid(VICTIM)
    assert abs(boot_time_ns() - true_ns) < 10**12
    assert list(running_recorders()) == []
    file.close()


def test_a_planted_status_file_is_not_followed(folder: Path, precious: Path) -> None:
    runtime = folder / "run"
    runtime.mkdir()
    plant(runtime / f"recorder-{os.getpid()}.json", precious)
    file = StatusFile(runtime)
    file.close()
    assert precious.read_text() == SECRET


def test_a_planted_record_id_is_not_followed(hostile: Path, precious: Path) -> None:
    precious.write_text("")
    plant(hostile / "record_id", precious)
    with pytest.raises(OSError, match="link"):
        RecordIds(hostile)
    assert precious.read_text() == ""


def test_folders_are_made_with_their_mode_and_behind_no_link(folder: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        make_folder(folder / "a" / "b" / "lake", 0o750, (VICTIM, VICTIM))
    finally:
        os.umask(before)
    assert [(folder / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/lake")] == [0o755, 0o755, 0o750]
    assert [(folder / name).stat().st_uid for name in ("a", "a/b", "a/b/lake")] == [0, 0, VICTIM]
    plant(folder / "link", tmp_path)
    with pytest.raises(UsageError, match="link"):
        make_folder(folder / "link" / "lake", 0o750)
    assert not (tmp_path / "lake").exists()


def test_a_trusted_folder_is_nobody_elses(folder: Path) -> None:
    inner = folder / "inner"
    for owner, mode, private, ok in (
        (0, 0o755, False, True), (0, 0o755, True, False), (0, 0o700, True, True), (0, 0o777, False, False),
        (0, 0o1777, False, False), (ATTACKER, 0o700, True, False), (ATTACKER, 0o755, False, False),
    ):  # fmt: skip
        inner.mkdir()
        os.chown(inner, owner, 0)
        inner.chmod(mode)
        if ok:
            os.close(trusted_folder(inner, private=private))
        else:
            with pytest.raises(PermissionError):
                trusted_folder(inner, private=private)
        inner.rmdir()


def test_the_log_folder_is_made_for_the_account(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = folder / "procwire"
    monkeypatch.setattr(output_files, "LOG_FOLDER", log)
    account = recording_account()
    make_files(recording_settings(output=[log / "a.ndjson", folder / "none" / "b.ndjson"]), account)
    assert (log.stat().st_mode & 0o777, log.stat().st_uid) == (0o750, account.pw_uid)
    assert ((log / "a.ndjson").stat().st_mode & 0o777, (log / "a.ndjson").stat().st_uid) == (0o640, account.pw_uid)
    assert not (folder / "none").exists()
