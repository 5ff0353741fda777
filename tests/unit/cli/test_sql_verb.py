"""`procwire sql` over the example log and a lake: answers, formats, mistakes, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import procwire
from command_line import Result, invoke
from procwire.errors import InputError, UsageError

COUNT = "SELECT count(*) AS n FROM connections"


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return invoke("sql", *map(str, arguments), input=input)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def lake(example_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "it's a lake"
    done = invoke("read", str(example_log), "--to", "lake", "--lake", str(folder))
    assert done.exit_code == 0
    return folder


def test_logs_are_asked(example_log: Path) -> None:
    result = run(COUNT, example_log)
    assert (result.exit_code, rows(result)) == (0, [{"n": 153}])
    assert result.stderr.startswith("1 file, 1,730 records, 153 network connections")


@pytest.mark.parametrize("name", ["x.parquet", "/etc/passwd.json", "logs/*.csv"])
def test_a_file_in_a_query_is_an_error_that_says_how_to_name_it(name: str, example_log: Path) -> None:
    result = run(f"FROM '{name}'", example_log)
    expected = f'found the file "{name}", expected a table such as connections; files follow the query'
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr


def test_memory_without_a_unit_is_too_little(example_log: Path) -> None:
    result = run(COUNT, example_log, "--memory", "4")
    assert result.exit_code == 2
    assert "found --memory 4, expected 16MiB or more, such as 4GiB" in result.stderr


def test_the_lake_is_asked_by_option_and_by_environment(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(run(COUNT, "--lake", lake)) == [{"n": 153}]
    monkeypatch.setenv("PROCWIRE_LAKE", str(lake))
    assert rows(run(COUNT)) == [{"n": 153}]
    assert rows(run(COUNT, "--since", "1d")) == [{"n": 0}]


def test_a_period_is_asked(example_log: Path, lake: Path) -> None:
    """Each event is in one of two periods that meet; one that has no inside is reported before anything is read."""
    noted = "2017-10-23T07:30"
    for source in (("--lake", lake), (example_log,)):
        [before], [after] = (rows(run(COUNT, *source, option, noted)) for option in ("--until", "--since"))
        assert before["n"] + after["n"] == 153 > before["n"] > 0
        assert rows(run(COUNT, *source, "--since", "2017-10-23", "--until", noted)) == [before]
        result = run(COUNT, *source, "--since", noted, "--until", "2017-10-23")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == ("procwire: found until 2017-10-23T00:00:00Z, expected a time after since, "
                                 "which is 2017-10-23T07:30:00Z\n")  # fmt: skip
    assert "found 'soon', expected a time" in run(COUNT, "--lake", lake, "--until", "soon").stderr


def test_parquet_is_asked_beside_logs(example_log: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow"):
        invoke("read", str(example_log), "-o", str(tmp_path / name))
    query = "SELECT count(*) AS n, count(dst_ip_bytes) AS ips FROM connections"
    result = run(query, tmp_path / "a.*", example_log)
    assert (result.exit_code, rows(result)) == (0, [{"n": 3 * 153, "ips": 3 * 153}])
    assert result.stderr.startswith("3 files, 2,036 records, 459 network connections, ")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    result = run(query, other)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"damage: {other}: found Parquet without the columns event_creation_time, " in result.stderr
    assert run(query, other, example_log).exit_code == 3


def test_lake_and_logs_give_the_same_answers(example_log: Path, lake: Path) -> None:
    for view in ("processes", "destinations", "pairs"):
        query = f"FROM {view} ORDER BY ALL"
        assert run(query, "--lake", lake).stdout == run(query, example_log).stdout != ""


def test_query_comes_from_a_file_or_stdin(example_log: Path, tmp_path: Path) -> None:
    path = tmp_path / "query.sql"
    path.write_text(f"-- how many\n{COUNT};\n")
    for arguments, text in ((("--file", path), None), (("-",), COUNT), (("--file", "-"), COUNT)):
        assert rows(run(*arguments, example_log, input=text)) == [{"n": 153}]


def test_every_format(example_log: Path, tmp_path: Path) -> None:
    query = "SELECT dst_port, sum(dst_port) AS s, avg(dst_port) AS a, [1, 2] AS l FROM connections GROUP BY ALL"
    query += " ORDER BY dst_port"
    for name in ("a.parquet", "a.arrow", "a.csv", "a.ndjson"):
        assert run(query, example_log, "-o", tmp_path / name).exit_code == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert pa.ipc.open_stream((tmp_path / "a.arrow").read_bytes()).read_all().equals(table)
    lines = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert [line["a"] for line in lines] == table["a"].to_pylist()
    assert [line["s"] for line in lines] == table["s"].to_pylist()
    assert {line["l"] for line in lines} == {"[1, 2]"}
    assert (tmp_path / "a.csv").read_bytes().startswith(b"dst_port,s,a,l\r\n")
    assert "dst_port" in run(query, example_log, "--to", "table").stdout


def test_a_time_that_is_not_known_to_be_utc_gets_no_z(example_log: Path) -> None:
    asked = (
        "SELECT TIMESTAMP '2024-01-01 10:00:00.123456' AS plain, TIMESTAMPTZ '2024-01-01 10:00:00.5+02' AS zoned,"
        " TIMESTAMP_NS '2024-01-01 10:00:00.123456789' AS fine, TIMESTAMP_S '2024-01-01 10:00:00' AS coarse"
    )
    times = ["2024-01-01T10:00:00.123456", "2024-01-01T08:00:00.500Z", "2024-01-01T10:00:00.123456789",
             "2024-01-01T10:00:00"]  # fmt: skip
    assert list(rows(run(asked, example_log))[0].values()) == times
    assert run(asked, example_log, "--to", "csv").stdout.splitlines()[1] == ",".join(times)
    local = "SELECT * REPLACE (event_recorded_time::TIMESTAMP AS event_recorded_time) FROM connections"
    result = run(local, example_log, "--to", "xml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "found event_recorded_time without a time zone, expected a TIMESTAMPTZ for xml" in result.stderr


def test_xml_takes_whole_events(example_log: Path) -> None:
    expected = invoke("read", str(example_log), "--to", "xml").stdout
    assert run("FROM connections", example_log, "--to", "xml").stdout == expected
    result = run(COUNT, example_log, "--to", "xml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected whole events" in result.stderr


def test_any_type_has_a_text(example_log: Path) -> None:
    query = ("SELECT DATE '2024-03-01' AS d, TIME '10:00' AS t, {'k': 'ü'} AS s, MAP {'a': 1} AS m, NULL AS n, "
             "'[1]'::JSON AS j, 'NaN'::DOUBLE AS f, uuid() IS NULL AS u, 1.5 AS c, true AS b, 1 AS b")  # fmt: skip
    [row] = rows(run(query, example_log))
    assert row == {"d": "2024-03-01", "t": "10:00:00.000000", "s": '{"k": "ü"}', "m": '{"a": 1}', "n": None,
                   "j": "[1]", "f": None, "u": False, "c": 1.5, "b": True, "b_1": 1}  # fmt: skip


def test_a_dash_is_stdout(example_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rows(run(COUNT, example_log, "-o", "-")) == [{"n": 153}]
    assert list(tmp_path.iterdir()) == []


def test_limit(example_log: Path) -> None:
    assert len(rows(run("FROM connections", example_log, "--limit", "7"))) == 7
    assert len(rows(run("FROM connections", example_log, "--limit", "0"))) == 153


@pytest.mark.parametrize(
    ("query", "reported"),
    [
        ("SELECT prcess_name FROM connections", '"process_name"'),
        ("FROM conections", "connections"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "found 2 statements"),
        ("SET threads = 1", "expected a query"),
        ("  ", "empty query"),
        ("SELECT ip_in(dst_ip, '10.0.0.0/99') FROM connections", "found network 10.0.0.0/99"),
        ("FROM read_text('/etc/hostname')", "found read_text(...) as a table"),
        ("FROM '/etc/hostname'", "hostname"),
        ("COPY connections TO '/tmp/procwire-must-not-be.csv'", "found COPY"),
        ("SET enable_external_access = true", "expected a query"),
        ("CREATE TABLE t AS SELECT 1", "expected a query"),
    ],
)
def test_mistakes_are_reported_in_a_line(lake: Path, query: str, reported: str) -> None:
    """Over a lake too, whose own files may be read, others may not."""
    result = run(query, "--lake", lake)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("procwire: ")
    assert reported in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_cannot_be_used(example_log: Path, tmp_path: Path) -> None:
    assert "found neither" in run("--files", example_log).stderr
    assert "found both" in run(COUNT, "--file", "x").stderr
    assert "expected one of them" in run(COUNT, example_log, "--lake", tmp_path).stderr
    result = run(COUNT, "--lake", tmp_path)
    assert (result.exit_code, "found no lake" in result.stderr) == (2, True)
    assert run(COUNT, "--file", tmp_path / "none.sql").exit_code == 2


def test_exit_codes_tell_of_the_logs(example_log: Path, tmp_path: Path) -> None:
    assert run(COUNT, tmp_path / "none").exit_code == 1
    cut = tmp_path / "cut.evtx"
    cut.write_bytes(example_log.read_bytes()[: 4096 + 8 * 65536 + 30_000])
    assert run(COUNT, cut).exit_code == 3


def test_a_query_that_fails_leaves_the_file_as_it_was(example_log: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")
    assert run("SELECT error('x') FROM connections", example_log, "-o", path).exit_code == 2
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.csv", "before")]


def test_ctrl_c_ends_a_long_query(example_log: Path) -> None:
    """With its exit code, and without a word of Python's."""
    query = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b"
    command = [sys.executable, "-c", "from procwire.cli import main; main()", "sql", query, str(example_log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = interrupted(process)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def interrupted(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What it says until it ends. Asked again: where SIGINT is ignored, one that comes before Python is up is lost."""
    for _ in range(12):
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=6)
    raise AssertionError("found it running after 12 signals, expected its end")


def test_connect_takes_logs_lakes_and_tables(example_log: Path, lake: Path) -> None:
    for source in (example_log, str(example_log), [example_log], lake, procwire.read(example_log)):
        assert procwire.connect(source).sql(COUNT).fetchall() == [(153,)]


def test_connect_without_a_source_is_the_users_lake(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCWIRE_LAKE", str(lake))
    assert procwire.connect().sql(COUNT).fetchall() == [(153,)]
    monkeypatch.setenv("PROCWIRE_LAKE", str(lake / "none"))
    with pytest.raises(UsageError, match="found no lake"):
        procwire.connect()


def test_connect_to_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none"):
        procwire.connect(tmp_path / "none")


def test_with_a_file_every_argument_is_a_log(example_log: Path, tmp_path: Path) -> None:
    (tmp_path / "count.sql").write_text(COUNT)
    result = run("--file", tmp_path / "count.sql", example_log, example_log)
    assert rows(result) == [{"n": 306}]
    assert "2 files" in result.stderr


def test_the_former_option_of_logs_still_works(example_log: Path) -> None:
    """Alone, repeated, and beside logs; help does not show it."""
    assert rows(run(COUNT, "--files", example_log)) == [{"n": 153}]
    assert rows(run("--files", example_log, COUNT, "--files", example_log)) == [{"n": 306}]
    assert rows(run(COUNT, example_log, "--files", example_log)) == [{"n": 306}]
    for verb in ("sql", "hunt", "detect"):
        assert "--files" not in invoke(verb, "--help").stdout
