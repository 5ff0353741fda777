"""`procwire record`: what its options mean; and whole recordings, each a process of its own, of real connections."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

import command_line
import procwire
from command_line import Result
from procwire.cli import record as record_module
from procwire.cli.record import print_notice
from procwire.recorder import Notice, RecordingLedger, session
from procwire.recorder.session import RecordingResult
from procwire.recorder.settings import RecordingSettings, Target
from recordings import COMMAND, EXECUTABLE, POLL, Recording, Server, ports

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="recording needs Linux")
needs_root = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")


# What the options mean.


def invoke(*arguments: str) -> Result:
    return command_line.invoke("record", *arguments)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RecordingSettings]:
    """What a command line asks for, without it being done."""
    requests: list[RecordingSettings] = []

    def keep(settings: RecordingSettings, *_: object, **__: object) -> RecordingResult:
        requests.append(settings)
        return RecordingResult(RecordingLedger("fake"), None)

    monkeypatch.setattr(session, "record", keep)

    def ask(*arguments: str) -> RecordingSettings:
        result = invoke(*arguments)
        assert result.exit_code == 0, result.stderr
        return requests.pop()

    return ask


def test_nothing_is_recorded_by_default() -> None:
    result = invoke("--sensor", "poll")
    assert result.exit_code == 2
    assert "network connection logging is disabled by default: enable it with --all" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        (["--all"], None),
        (["--config", "a.xml"], None),
        (["--config", "a.xml", "-n"], []),
        (["-n"], []),
        (["-n", "--for", "1s"], []),
        (["--for", "1s", "-n"], []),
        (["-n", "curl"], ["curl"]),
        (["-n", "curl, /usr/bin/wget", "--closes"], ["curl", "/usr/bin/wget"]),
        (["-ncurl"], ["curl"]),
        (["--all", "-n", "curl"], None),
    ],
)  # fmt: skip
def test_n_takes_a_list_or_none(
    asked: Callable[..., RecordingSettings], arguments: list[str], images: list[str] | None
) -> None:
    assert asked(*arguments).images == images


STDOUT = Target("ndjson", None, True)


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        ([], [STDOUT]),
        (["--to", "csv"], [Target("csv", None, True)]),
        (["-o", "-"], [STDOUT]),
        (["-o", "a.parquet"], [Target("parquet", Path("a.parquet"), False)]),
        (["-o", "a.json", "-o", "b.CSV"],
         [Target("ndjson", Path("a.json"), False), Target("csv", Path("b.CSV"), False)]),
        (["--to", "xml", "-o", "a", "--to", "table"],
         [Target("xml", Path("a"), False), Target("table", None, True)]),
        (["--to", "syslog"], [Target("syslog", None, False)]),
        (["--to", "syslog", "-o", "-"], [Target("syslog", None, True)]),
        (["--to", "ndjson", "--to", "syslog", "-o", "a"],
         [Target("ndjson", Path("a"), False), Target("syslog", None, False)]),
    ],
)  # fmt: skip
def test_outputs_are_paired_in_order(
    asked: Callable[..., RecordingSettings], arguments: list[str], targets: list[Target]
) -> None:
    assert list(asked("--all", *arguments).targets) == targets


def test_quantities_reach_the_recording(asked: Callable[..., RecordingSettings]) -> None:
    request = asked(
        "--all", "--for", "5m", "--udp-idle", "10s", "--interval", "500ms", "--rotate-size", "1MB", "--rotate-every",
        "1h", "--keep", "3", "--buffer-mb", "4", "--count", "9", "--no-dns-lookup", "--columns", "dst_ip, dst_port",
        "-o", "a",
    )  # fmt: skip
    assert (request.duration_s, request.udp_idle_s, request.interval_s) == (300, 10, 0.5)
    assert (request.rotate_bytes, request.rotate_s, request.keep, request.ring_bytes) == (10**6, 3_600, 3, 4 << 20)
    assert (request.count, request.dns_lookup, request.columns) == (9, False, ["dst_ip", "dst_port"])


def test_the_lake_is_resolved_before_the_account_changes(
    asked: Callable[..., RecordingSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It depends on account and environment: what root resolves, the account that records must not again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROCWIRE_LAKE", "own")
    assert asked("--all", "--to", "lake").lake == f"{tmp_path}/own"
    assert asked("--all", "--lake", "other").lake == f"{tmp_path}/other"
    assert asked("--all").lake is None


def test_predicates_that_are_repeated_reach_the_recording(asked: Callable[..., RecordingSettings]) -> None:
    request = asked("--all", "--where", "dst_port = 1 OR dst_port = 2", "--where", "src_port = 3")
    assert request.where == ["dst_port = 1 OR dst_port = 2", "src_port = 3"]


def test_defaults_are_those_documented(asked: Callable[..., RecordingSettings]) -> None:
    request = asked("--all")
    assert (request.sensor, request.interval_s, request.udp_idle_s, request.ring_bytes) == ("auto", 1, 1_800, 16 << 20)
    assert (request.attempts, request.closes, request.existing, request.dns_lookup) == (False, False, False, True)
    assert (request.duration_s, request.count, request.user, request.where) == (None, None, None, [])
    assert request.protocol == "all"


def test_protocol_reaches_the_recording(asked: Callable[..., RecordingSettings]) -> None:
    assert asked("--all", "--protocol", "tcp").protocol == "tcp"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--all", "--config", "a.xml"], "found --all with --config a.xml, expected one"),
        (["--all", "--lenient"], "without --config FILE"),
        (["--all", "--strict-sysmon"], "without --config FILE"),
        (["-n", "curl", "--keep-unlogged"], "without --config FILE"),
        (["--config", "a.xml", "--keep-unlogged", "--to", "xml"], "xml, which has no place to tell"),
        (["--all", "--for", "soon"], "found 'soon', expected a duration"),
        (["--all", "--to", "csv", "--to", "xml"], "more than one output to stdout"),
        (["--all", "--columns", ","], "found no column in --columns"),
        (["--all", "--to", "xml", "--names", "sysmon"], "expected neither with xml"),
        (["--all", "--to", "syslog", "--columns", "dst_ip"], "expected neither with syslog"),
        (["--all", "--rotate-size", "1MB"], "expected a file to rotate"),
        (["--all", "--keep", "2", "--to", "syslog"], "expected a file to rotate"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(arguments: list[str], complaint: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_other_systems_can_only_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "sys", SimpleNamespace(platform="win32", stdout=sys.stdout))
    result = invoke("--all", "-o", "a.csv")
    assert result.exit_code == 1
    assert "found win32, expected Linux" in result.stderr


def test_notices_are_lines_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary without the program's name. A terminal that hung up ends nothing."""
    for notice in (Notice("alert", "ALERT \x1b[2Jhigh"), Notice("warning", "a\nb"), Notice("summary", "1 s:\nlost")):
        print_notice(notice)
    [alert, *rest] = capsys.readouterr().err.splitlines()
    assert alert.startswith("procwire: ALERT ")
    assert "\x1b" not in alert
    assert rest == ["procwire: a", "procwire: b", "1 s:", "lost"]

    def hung_up(text: str) -> None:
        raise OSError(5, text)

    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=hung_up))
    print_notice(Notice("status", "unheard"))


@pytest.mark.parametrize(
    ("stderr", "to", "is_reported"),
    [(True, "table", False), (True, "ndjson", True), (False, "table", False), (False, "ndjson", False)],
)
def test_alerts_are_notices_where_a_terminal_shows_them_nowhere_else(
    asked: Callable[..., RecordingSettings], monkeypatch: pytest.MonkeyPatch, stderr: bool, to: str, is_reported: bool
) -> None:
    stdout_stream, stderr_stream = SimpleNamespace(isatty=lambda: True), SimpleNamespace(isatty=lambda: stderr)
    monkeypatch.setattr(record_module, "sys", SimpleNamespace(stdout=stdout_stream, stderr=stderr_stream))
    assert asked("--all", "--to", to).alert_notices == is_reported


# Whole recordings.


@on_linux
def test_recording_ends_by_ctrl_c_and_has_every_connection(
    start: Callable[..., Recording], connect: Server, folder: Path
) -> None:
    """On stdout at once, and in files of every kind."""
    names = ["a.ndjson", "a.csv", "a.xml", "a.parquet", "a.arrow"]
    running = start(
        "--all", "--where", connect.mine, "-o", "-", *(part for name in names for part in ("-o", folder / name))
    )
    assert running.process.stdout is not None
    made = connect(3)
    lines = b"".join(running.process.stdout.readline() for _ in range(6))
    assert set(made) <= set(ports(lines))
    code, rest = running.end()
    assert code == 130
    seen = lines + rest
    assert all(ports(seen).count(port) == 1 == ports(seen, initiated=False).count(port) for port in made)
    [first] = [row for row in map(json.loads, seen.splitlines()) if row["src_port"] == made[0]][:1]
    assert (first["process_id"], first["process_name"]) == (os.getpid(), str(EXECUTABLE))
    assert first["user_name"] is not None
    assert first["provider_name"] == "Linux-Sysmon"
    assert ports((folder / "a.ndjson").read_bytes()) == ports(seen)
    for name in ("a.ndjson", "a.csv", "a.xml"):
        table = procwire.read(folder / name)
        assert table["record_id"].to_pylist() == list(range(1, table.num_rows + 1))
        assert set(made) <= set(table["src_port"].to_pylist())
    assert pq.read_table(folder / "a.parquet").num_rows == len(seen.splitlines())


@on_linux
def test_first_lines_tell_the_sensor_and_the_last_the_account(
    start: Callable[..., Recording], connect: Server, folder: Path
) -> None:
    ledger = folder / "ledger.json"
    running = start("--all", "--closes", "--where", "dst_port < 0", "--ledger", ledger, "--to", "xml")
    connect(2)
    running.wait_for(lambda: running.statuses()[0]["filtered"] >= 4)
    code, stdout = running.end(signal.SIGTERM)
    assert code == 143
    assert stdout.endswith(b"<Events>\n</Events>\n")
    first, second, *_, last = running.errors.splitlines()
    assert first.startswith("procwire: recording by poll, best effort: a look every 0.05 s, between which short")
    assert "hooks: sock_diag/tcp+udp" in first
    assert "--attempts and --closes have no effect" in second
    assert re.fullmatch(r"[\d.]+ s: captured [\d,]+, filtered [\d,]+, written 0 to stdout, lost 0", last)
    account = json.loads(ledger.read_text())
    assert account["captured"]["connection"] == account["filtered"] >= 4
    assert account["outputs"] == [{"name": "stdout", "format": "xml", "written": 0, "left_out": 0, "lost": 0}]


@on_linux
def test_count_and_processes_limit_it(start: Callable[..., Recording], connect: Server) -> None:
    mine = EXECUTABLE.name
    running = start("-n", f"nothing,{mine.upper()}", "--count", "3", "--where", connect.mine, "--columns", "process_id")
    connect(5)
    assert running.wait() == (0, b'{"process_id":%d}\n' % os.getpid() * 3)


@on_linux
def test_duration_ends_it(start: Callable[..., Recording]) -> None:
    assert start("-n", "nothing", "--for", "100ms", "--to", "csv", "--columns", "dst_ip").wait() == (0, b"dst_ip\r\n")


@on_linux
def test_existing_are_marked_and_sysmons_forms_have_none(
    start: Callable[..., Recording], connect: Server, folder: Path
) -> None:
    connect(1)
    running = start(
        "--all",
        "--existing",
        "--where",
        connect.mine,
        "--to",
        "syslog",
        "-o",
        folder / "a.log",
        "-o",
        "-",
        "--for",
        "1s",
    )
    code, stdout = running.wait()
    assert code == 0
    assert [json.loads(line)["record_kind"] for line in stdout.splitlines()] == ["existing", "existing"]
    assert (folder / "a.log").read_bytes() == b""
    assert "(2 that syslog has no form for left out)" in running.errors


@on_linux
def test_reader_that_leaves_ends_it_even_if_nothing_comes(start: Callable[..., Recording]) -> None:
    running = start("-n", "nothing")
    assert running.process.stdout is not None
    running.process.stdout.close()
    assert running.process.wait(60) == 0
    assert "Traceback" not in running.errors


@on_linux
def test_status_tells_who_records(start: Callable[..., Recording], folder: Path) -> None:
    environment = os.environ | {"RUNTIME_DIRECTORY": f"{folder}/run"}

    def status(*arguments: str) -> tuple[int, str]:
        command = [*COMMAND, "--status", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    running = start("--all", "--to", "ndjson", "-o", folder / "a.ndjson")
    code, text = status()
    assert code == 0
    assert f"process {running.process.pid} records by poll since 20" in text
    assert f"to {folder}/a.ndjson (ndjson)" in text
    code, text = status("--to", "ndjson")
    assert {json.loads(line)["process_id"] for line in text.splitlines()} >= {running.process.pid}
    running.end()
    assert f"process {running.process.pid}" not in status()[1]


@on_linux
def test_record_ids_go_on_after_a_kill(start: Callable[..., Recording], connect: Server, folder: Path) -> None:
    for expected in range(3):
        running = start(
            "--all", "-o", folder / "a.ndjson", "--columns", "record_id,network_connection_initiated,src_port"
        )
        made = connect(4)
        running.wait_for(lambda made=made: set(made) <= set(ports((folder / "a.ndjson").read_text())))  # type: ignore[misc]
        running.process.kill() if expected < 2 else running.end()
        running.process.wait()
    ids = [json.loads(line)["record_id"] for line in (folder / "a.ndjson").read_text().splitlines()]
    assert len(ids) >= 12
    assert sorted(set(ids)) == ids


@needs_root
def test_ebpf_recorder_has_no_capability_at_all(start: Callable[..., Recording], folder: Path) -> None:
    try:
        running = start("--all", "--sensor", "ebpf", "-o", folder / "a.ndjson")
    except AssertionError as error:
        if "cannot record by eBPF" not in str(error):
            raise
        pytest.skip(str(error).splitlines()[0])
    for path in Path(f"/proc/{running.process.pid}/task").glob("*/status"):
        found = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
        assert 0 not in map(int, found["Uid"].split() + found["Gid"].split())
        assert {int(found[f"Cap{name}"], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")} == {0}
        assert found["NoNewPrivs"].strip() == "1"
    assert running.end()[0] == 130
    assert "procwire: recording by ebpf; hooks: " in running.errors


@needs_root
def test_recorder_has_no_privileges(start: Callable[..., Recording], folder: Path) -> None:
    """But the two with which poll sees other users' sockets, in the one thread that looks."""
    running = start("--all", "--user", "nobody", "-o", folder / "a.ndjson", "-o", folder / "a.parquet")
    statuses = [path.read_text() for path in Path(f"/proc/{running.process.pid}/task").glob("*/status")]
    assert len(statuses) > 1
    for text in statuses:
        found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert set(found["Uid"].split()) == {"65534"}
        assert int(found["CapEff"], 16) == int(found["CapPrm"], 16)
        assert int(found["CapEff"], 16) in ((0, 1 << 19 | 1 << 2) if found["Pid"] == str(running.process.pid) else (0,))
        assert int(found["CapBnd"], 16) == int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
        assert found["NoNewPrivs"].strip() == "1"
    running.end()
    assert {path.owner() for path in folder.glob("a.*")} == {"nobody"}


@needs_root
def test_file_in_a_folder_of_others_is_made_but_cannot_rotate(folder: Path) -> None:
    """Folders that are not ours stay as they are."""
    folder.chmod(0o755)
    arguments = ["--all", "--for", "100ms", "--user", "nobody"]
    environment = os.environ | {"STATE_DIRECTORY": f"{folder}/state", "RUNTIME_DIRECTORY": f"{folder}/run"}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *POLL, *arguments, *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run("-o", f"{folder}/a.ndjson").returncode == 0
    assert (folder / "a.ndjson").owner() == "nobody"
    for more in (("-o", f"{folder}/b.csv", "--rotate-size", "1MB"), ("-o", f"{folder}/b.parquet")):
        done = run(*more)
        assert done.returncode == 2
        assert "recording as nobody: --user NAME for another" in done.stderr
    assert folder.owner() == "root"


@needs_root
@pytest.mark.parametrize("arguments", [("--user", "root"), ("--user", "nobody-of-that-name")])
def test_account_must_be_one_without_privileges(folder: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([*COMMAND, *POLL, "--all", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected an account without privileges" in done.stderr or "expected one to record as" in done.stderr
    assert folder.exists()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 256 KiB, filled but for a little."""
    disk = folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "none", str(disk)], check=False).returncode:
        pytest.skip("needs the right to mount")
    (disk / "filler").write_bytes(bytes(200 << 10))
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@needs_root
def test_full_disk_is_reported_and_gone_on_from(
    start: Callable[..., Recording], connect: Server, small_disk: Path
) -> None:
    """What could not be written is counted, in the stream too, and the file stays whole."""
    path = small_disk / "a.ndjson"
    running = start("--all", "-o", path)
    lost = 0
    while not lost:
        connect(50)
        time.sleep(0.2)
        running.wait_for(lambda: "captured" in running.statuses()[0])
        lost = "No space left on device" in running.errors
    assert all(json.loads(line) for line in path.read_text().splitlines())
    (small_disk / "filler").unlink()
    time.sleep(0.2)
    made = connect(2)
    running.wait_for(lambda: set(made) <= set(ports(path.read_text())))
    running.wait_for(lambda: '"loss"' in path.read_text())
    code, _ = running.end()
    assert code == 130
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    reported = sum(row["events_lost"] for row in rows if row.get("record_kind") == "loss")
    assert f"{path}: writing again; {reported:,} rows were lost" in running.errors
    assert f"lost: {reported:,} rows not written to {path}" in running.errors


@needs_root
def test_losses_give_exit_code_3(start: Callable[..., Recording], connect: Server, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(252 << 10))
    connect(20)
    running = start("--all", "--existing", "-o", small_disk / "a.ndjson", "--for", "1s", stdout=subprocess.DEVNULL)
    code, _ = running.wait()
    assert code == 3
    assert "No space left on device" in running.errors
