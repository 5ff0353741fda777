"""No output destroys evidence: neither an input nor a file that is there; what is interrupted looks incomplete."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from procwire.errors import UsageError
from procwire.files import PART, WholeFile, find

COMMAND = [sys.executable, "-c", "from procwire.cli import main; main()"]


def run(*arguments: str | Path, stdin: object = subprocess.DEVNULL, **more: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, stdin=stdin, capture_output=True, text=True, timeout=120, check=False, **more
    )


@pytest.fixture
def log(example_log: Path, tmp_path: Path) -> Path:
    """A log that an output could hit."""
    path = tmp_path / "logs" / "Sysmon.evtx"
    path.parent.mkdir()
    shutil.copy(example_log, path)
    return path


def make_same(log: Path, there: Path) -> Path:
    del there
    return log


def make_hard_link(log: Path, there: Path) -> Path:
    link = there / "hard.csv"
    link.hardlink_to(log)
    return link


def make_symlink(log: Path, there: Path) -> Path:
    link = there / "soft.csv"
    link.symlink_to(log)
    return link


def make_linked_folder(log: Path, there: Path) -> Path:
    (there / "elsewhere").symlink_to(log.parent)
    return there / "elsewhere" / log.name


@pytest.mark.parametrize("option", ["-o", "--ledger"])
@pytest.mark.parametrize("make", [make_same, make_hard_link, make_symlink, make_linked_folder])
@pytest.mark.parametrize("named", ["file", "folder", "pattern", "stdin"])
def test_an_output_that_is_an_input_is_refused(
    log: Path, tmp_path: Path, option: str, make: Callable[[Path, Path], Path], named: str
) -> None:
    """--force does not change that."""
    before = log.read_bytes()
    output = make(log, tmp_path)
    paths: dict[str, str | Path] = {"file": log, "folder": log.parent, "pattern": f"{log.parent}/*.evtx", "stdin": "-"}
    with log.open("rb") as stdin:
        done = run("read", paths[named], option, output, "--to", "csv", "--force", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one of the files that are read" in done.stderr
    assert option in done.stderr
    assert log.read_bytes() == before


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_stdin_by_its_other_names_is_an_input(log: Path, name: str) -> None:
    before = log.read_bytes()
    with log.open("r+b") as stdin:
        done = run("read", name, "-o", name, "--to", "csv", "--force", stdin=stdin)
    assert done.returncode == 2
    assert log.read_bytes() == before


def test_stdout_that_is_an_input_is_refused(log: Path) -> None:
    """It would be read endlessly."""
    before = log.read_bytes()
    with log.open("ab") as stdout:
        done = subprocess.run(
            [*COMMAND, "read", str(log)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, log.read_bytes()) == (2, before)


@pytest.mark.parametrize("verb", ["read", "sql", "hunt", "detect"])
def test_no_verb_overwrites_what_it_reads(log: Path, tmp_path: Path, verb: str) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    arguments: dict[str, list[str | Path]] = {
        "read": ["read", log],
        "sql": ["sql", "FROM connections", log],
        "hunt": ["hunt", "beacons", log],
        "detect": ["detect", "--rules", rules, log],
    }
    before = log.read_bytes()
    done = run(*arguments[verb], "-o", log, "--to", "csv", "--force")
    assert (done.returncode, log.read_bytes()) == (2, before)
    assert "one of the files that are read" in done.stderr


@pytest.mark.parametrize("name", ["config.xml", "question.sql", "rule.yml"])
def test_configurations_queries_and_rules_are_inputs_too(log: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("kept")
    arguments: dict[str, list[str | Path]] = {
        "config.xml": ["read", log, "--config", path],
        "question.sql": ["sql", "--file", path, log],
        "rule.yml": ["detect", "--rules", path, log],
    }
    assert run(*arguments[name], "-o", path, "--to", "csv", "--force").returncode == 2
    assert path.read_text() == "kept"


@pytest.mark.parametrize("verb", ["read", "read --follow", "sql", "hunt", "detect", "ledger", "export"])
def test_a_file_that_is_there_is_overwritten_with_force_only(log: Path, tmp_path: Path, verb: str) -> None:
    precious, lake = tmp_path / "precious.ndjson", tmp_path / "lake"
    precious.write_text("precious")
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: any\nlogsource: {category: network_connection, product: windows}\n"
        "detection: {any: {Initiated: 'true'}, condition: any}\n"
    )
    if verb == "export":
        assert run("read", log, "--lake", lake).returncode == 0
    arguments: dict[str, list[str | Path]] = {
        "read": ["read", log, "-o", precious],
        "read --follow": ["read", log, "--follow", "--limit", "1", "-o", precious],
        "sql": ["sql", "FROM connections LIMIT 1", log, "-o", precious],
        "hunt": ["hunt", "fan_out", log, "-o", precious],
        "detect": ["detect", "--rules", rule, log, "-o", precious],
        "ledger": ["read", log, "-o", "/dev/null", "--ledger", precious],
        "export": ["lake", "export", "--lake", lake, "-o", precious],
    }
    done = run(*arguments[verb])
    assert (done.returncode, precious.read_text()) == (2, "precious")
    assert "--force" in done.stderr
    done = run(*arguments[verb], "--force")
    assert done.returncode in (0, 4), done.stderr
    assert precious.read_text() != "precious"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".procwire")]


def test_a_file_in_the_folder_of_a_lake_is_no_output(log: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    assert run("read", log, "--lake", lake).returncode == 0
    evidence = next(lake.glob("connections/day=*/*.parquet"))
    before = evidence.read_bytes()
    for path in (evidence, lake / "new.parquet", lake / "connections" / "_delta_log" / "00000000000000000009.json"):
        done = run("sql", "FROM connections", "--lake", lake, "-o", path, "--force")
        assert (done.returncode, path.exists()) == (2, path == evidence)
        assert "lake" in done.stderr
    assert evidence.read_bytes() == before


def test_two_outputs_in_one_file_are_refused(log: Path, tmp_path: Path) -> None:
    done = run("read", log, "-o", tmp_path / "a.json", "--ledger", tmp_path / "logs" / ".." / "a.json")
    assert (done.returncode, (tmp_path / "a.json").exists()) == (2, False)


@pytest.mark.parametrize("paths", [["logs"], ["logs/*.*"], ["logs/../logs"]])
def test_a_reading_never_meets_its_own_output(log: Path, tmp_path: Path, paths: list[str]) -> None:
    """Where it grows under its name it would be read endlessly; else it is not there before all is read."""
    done = run("read", *paths, "-o", log.parent / "rows.ndjson", "--follow", cwd=tmp_path)
    assert (done.returncode, [path.name for path in log.parent.iterdir()]) == (2, [log.name])
    assert "one of the files that are read" in done.stderr
    done = run("read", *paths, "-o", log.parent / "rows.ndjson", cwd=tmp_path)
    assert (done.returncode, "1 file," in done.stderr, "skipped" in done.stderr) == (0, True, False)


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    file = WholeFile(find(path), force=False)
    file.stream.write(b"new")
    path.write_text("appeared")
    with pytest.raises(UsageError, match="--force"):
        file.commit()
    file.discard()
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.csv"]
    assert path.read_text() == "appeared"


def test_a_part_has_a_name_that_nobody_can_predict(tmp_path: Path) -> None:
    names = set()
    for _ in range(8):
        file = WholeFile(find(tmp_path / "rows.csv"), force=False)
        [part] = tmp_path.iterdir()
        assert PART.fullmatch(part.name)
        names.add(part.name)
        file.discard()
    assert len(names) == 8


def test_parts_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path: Path, log: Path) -> None:
    script = (
        "import os, signal, sys; from procwire.files import WholeFile, find\n"
        "files = [WholeFile(find(sys.argv[1]), force=False) for _ in range(3)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.csv")], check=False)
    assert len(list(tmp_path.glob(".procwire-*.part"))) == 3
    (tmp_path / ".procwire-notes.part").write_text("somebody else's")
    living = WholeFile(find(tmp_path / "b.csv"), force=False)
    assert run("read", log, "-o", tmp_path / "c.csv").returncode == 0
    assert len(list(tmp_path.glob(".procwire-*.part"))) == 2
    living.commit()
    assert {path.name for path in tmp_path.iterdir()} == {"logs", ".procwire-notes.part", "b.csv", "c.csv"}


def start_interrupted(tmp_path: Path, log: Path, output: Path, number: int) -> subprocess.CompletedProcess[bytes]:
    """Read a log from a pipe that does not end, and send a signal."""
    process = subprocess.Popen(
        [*COMMAND, "read", "-", "-o", str(output)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    data = log.read_bytes()
    pump = threading.Thread(target=process.stdin.write, args=(data[: len(data) - 65_536],))
    pump.start()
    deadline_s = time.monotonic() + 60
    while not list(tmp_path.glob(".procwire-*.part")) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    pump.join(30)
    time.sleep(0.5)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_interrupted_result_never_looks_complete(
    log: Path, tmp_path: Path, suffix: str, number: int, code: int
) -> None:
    done = start_interrupted(tmp_path, log, tmp_path / f"rows.{suffix}", number)
    assert done.returncode == code
    assert {path.name for path in tmp_path.iterdir()} == {"logs", f"rows.partial.{suffix}"}
    assert b"was not written" in done.stderr
    assert f"rows.partial.{suffix}".encode() in done.stderr
    if suffix == "parquet":
        assert pq.read_table(tmp_path / "rows.partial.parquet").num_rows > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_query_that_is_interrupted_leaves_nothing_and_says_so(
    log: Path, tmp_path: Path, number: int, code: int
) -> None:
    query = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b"
    command = [*COMMAND, "sql", query, str(log), "-o", str(tmp_path / "rows.parquet")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline_s = time.monotonic() + 60
    while not list(tmp_path.glob(".procwire-*.part")) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"rows.parquet was not written" in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_partial_result_replaces_no_other(tmp_path: Path) -> None:
    for expected in ("rows.partial.csv", "rows.partial-2.csv", "rows.partial-3.csv"):
        assert WholeFile(find(tmp_path / "rows.csv"), force=True).keep_partial() == expected


@pytest.mark.parametrize("format", ["parquet", "csv", "arrow"])
def test_a_killed_run_leaves_no_result(log: Path, tmp_path: Path, format: str) -> None:
    output = tmp_path / f"rows.{format}"
    done = start_interrupted(tmp_path, log, output, signal.SIGKILL)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    assert run("read", log, "-o", output).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"logs", output.name}


def test_special_targets_are_written_as_they_are(log: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    assert run("read", log, "--to", "ndjson", "-o", fifo).returncode == 0
    reader.join(60)
    assert len(got[0].splitlines()) == 153
    assert fifo.is_fifo()
    assert run("read", log, "-o", "/dev/null", "--ledger", "/dev/null").returncode == 0
    for name in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        assert len(run("read", log, "--to", "ndjson", "-o", name).stdout.splitlines()) == 153


def test_stdout_by_another_name_goes_on_where_the_shell_is(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.write_text("before\n")
    with path.open("a") as stdout:
        command = [*COMMAND, "read", str(log), "--to", "ndjson", "-o", "/dev/stdout"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL, check=True)
    lines = path.read_text().splitlines()
    assert (lines[0], len(lines)) == ("before", 154)


def test_a_link_of_ones_own_reaches_its_target(log: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to("real.csv")
    assert run("read", log, "-o", link).returncode == 0
    assert link.is_symlink()
    assert target.read_text().startswith("event_creation_time,")
    assert run("read", log, "-o", link).returncode == 2


def test_a_ledger_is_whole_whatever_ends_the_reading(log: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    assert run("read", log, "-o", "/dev/full", "--ledger", ledger).returncode == 1
    assert "totals" in json.loads(ledger.read_text())


def test_a_new_part_is_never_taken_for_a_stale_one(tmp_path: Path) -> None:
    """Not even in the moment before it is locked: the writer then makes another."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            for path in tmp_path.glob(".procwire-*.part"):
                try:
                    descriptor = os.open(path, os.O_RDONLY)
                except FileNotFoundError:
                    continue
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
                except BlockingIOError:
                    pass
                finally:
                    os.close(descriptor)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(200):
            file = WholeFile(find(tmp_path / f"{number}.csv"), force=False)
            file.stream.write(b"whole")
            file.commit()
    finally:
        ended.set()
        sweeper.join()
    assert sum(path.read_bytes() == b"whole" for path in tmp_path.glob("*.csv")) == 200
