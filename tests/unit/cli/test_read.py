"""`procwire read` on the real example log: formats, streams, files, exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command_line import Result, invoke
from event_rows import Row
from procwire.event import SCHEMA, fields

EVENTS = 153


def run(*arguments: str | Path) -> Result:
    return invoke("read", *map(str, arguments))


def rows(result: Result) -> list[Row]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def csv_text(value: object) -> str:
    """How CSV writes what JSON says."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value)


@pytest.fixture
def truncated(example_log: Path, tmp_path: Path) -> Path:
    """The example, cut in the middle of a chunk."""
    path = tmp_path / "truncated.evtx"
    path.write_bytes(example_log.read_bytes()[: 4096 + 8 * 65536 + 30_000])
    return path


def test_pipe_gets_ndjson_and_stderr_the_account(example_log: Path) -> None:
    result = run(example_log)
    assert result.exit_code == 0
    assert len(rows(result)) == EVENTS
    assert list(rows(result)[0]) == [field.name for field in fields("event", "system", "provenance")]
    assert result.stderr.startswith("1 file, 1,730 records, 153 network connections")


@pytest.mark.parametrize("suffix", [".ndjson", ".json", ".jsonl", ""])
def test_output_is_ndjson_by_suffix_and_by_default(example_log: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    result = run(example_log, "-o", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == EVENTS


def test_output_format_follows_the_suffix(example_log: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow", "a.csv", "a.xml"):
        assert run(example_log, "-o", tmp_path / name).exit_code == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == EVENTS
    assert pa.ipc.open_stream((tmp_path / "a.arrow").read_bytes()).read_all().num_rows == EVENTS
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))) == EVENTS
    assert (tmp_path / "a.xml").read_text().count("<Event ") == EVENTS
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "a.arrow", "a.csv", "a.xml"}


@pytest.mark.parametrize("suffix", [".xlsx", ".html", ".txt", ".ndjsn"])
def test_unknown_suffix_is_refused_with_those_there_are(example_log: Path, tmp_path: Path, suffix: str) -> None:
    result = run(example_log, "-o", tmp_path / f"rows{suffix}")
    assert result.exit_code == 2
    assert f"found the suffix {suffix} in -o" in result.stderr
    assert ".ndjson, .json, .jsonl, .csv, .parquet, .arrow, .xml" in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert run(example_log, "-o", tmp_path / f"rows{suffix}", "--to", "csv").exit_code == 0


def test_json_is_another_name_of_ndjson(example_log: Path) -> None:
    assert run(example_log, "--to", "json").stdout == run(example_log, "--to", "ndjson").stdout


def test_to_overrides_the_suffix(example_log: Path, tmp_path: Path) -> None:
    assert run(example_log, "-o", tmp_path / "a.json", "--to", "csv").exit_code == 0
    assert (tmp_path / "a.json").read_text().startswith("event_creation_time,")


def test_every_sink_gives_the_same_values(example_log: Path, tmp_path: Path) -> None:
    """CSV, NDJSON and Parquet of the same log agree, cell by cell."""
    run(example_log, "-o", tmp_path / "a.parquet")
    lines = rows(run(example_log))
    records = list(csv.DictReader(io.StringIO(run(example_log, "--to", "csv").stdout)))
    typed = pq.read_table(tmp_path / "a.parquet").to_pylist()
    for line, record, row in zip(lines, records, typed, strict=True):
        for name, value in row.items():
            if hasattr(value, "isoformat"):
                digits = "microseconds" if value.microsecond % 1_000 else "milliseconds"
                assert line[name] == value.isoformat(timespec=digits).replace("+00:00", "Z")
            else:
                assert line[name] == value
            assert record[name] == csv_text(line[name])


def test_selection_reaches_the_rows(example_log: Path) -> None:
    result = run(
        example_log, "--names", "sysmon", "--columns", "DestinationPort, ProcessName", "--where", "Protocol = 'tcp'",
        "--sort=-DestinationPort", "--limit", "3",
    )  # fmt: skip
    found = rows(result)
    assert [list(row) for row in found] == [["DestinationPort", "ProcessName"]] * 3
    assert found == sorted(found, key=lambda row: -row["DestinationPort"])


def test_table_shows_connections_or_chosen_columns(example_log: Path) -> None:
    assert run(example_log, "--to", "table").stdout.startswith("TIME (UTC)")
    assert run(example_log, "--to", "table", "--columns", "dst_ip,dst_port").stdout.split()[:2] == [
        "dst_ip",
        "dst_port",
    ]
    assert run(example_log, "--to", "table", "--names", "sysmon").stdout.startswith("UtcTime")


def test_stdin_is_a_dash(example_log: Path) -> None:
    result = invoke("read", "-", "--columns", "dst_port", input=example_log.read_bytes())
    assert len(rows(result)) == EVENTS


def test_damage_gives_3_and_the_rest(truncated: Path, tmp_path: Path) -> None:
    """What was readable is out, and the ledger file tells of the damage."""
    result = run(truncated, "--ledger", tmp_path / "ledger.json", "-o", tmp_path / "a.csv")
    assert result.exit_code == 3
    assert "damage:" in result.stderr
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert ledger["totals"]["damage"]
    assert 0 < ledger["totals"]["events"] < EVENTS
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + ledger["totals"]["events"]


def test_unreadable_beside_readable_gives_3(example_log: Path, tmp_path: Path) -> None:
    result = run(example_log, tmp_path / "missing.evtx")
    assert result.exit_code == 3
    assert len(rows(result)) == EVENTS
    assert "missing.evtx" in result.stderr


def test_nothing_read_gives_1_and_leaves_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "a.ndjson"
    old.write_text("old")
    for path in (tmp_path / "missing.evtx", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        result = run(path, "-o", old, "--ledger", tmp_path / "ledger.json", "--force")
        assert result.exit_code == 1
        assert result.stderr.endswith("nothing could be read\n")
        assert old.read_text() == "old"
        assert json.loads((tmp_path / "ledger.json").read_text())["totals"]["records"] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "found no "),
        (("{log}", "--colums", "dst_ip"), "found no option"),
        (("{log}", "--columns", "dst_prt"), "did you mean 'dst_port'"),
        (("{log}", "--columns", ","), "found no column"),
        (("{log}", "--where", "dst_port ="), "SQL:"),
        (("{log}", "--where", "nonsense = 1"), "nonsense"),
        (("{log}", "--sort", "nonsense"), "nonsense"),
        (("{log}", "--sort", "dst_port", "--follow"), "--sort with --follow"),
        (("{log}", "--limit", "0"), "--limit"),
        (("{log}", "--to", "yaml"), "--to"),
        (("{log}", "--to", "xml", "--columns", "dst_ip"), "whole events"),
        (("{log}", "--to", "xml", "--names", "sysmon"), "whole events"),
        (("{log}", "-o", "{tmp}/no/such/folder.csv"), "cannot write"),
        (("{log}", "-o", "{tmp}"), "cannot write"),
        (("{log}", "-o", "{tmp}/rows.ndjson.gz"), "not packed"),
        (("{log}", "--ledger", "{tmp}/no/such/ledger.json"), "cannot write"),
    ],
)
def test_usage_errors_give_2_before_anything_is_written(
    example_log: Path, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    """A clear line on stderr, nothing on stdout, no file."""
    result = run(*(argument.format(log=example_log, tmp=tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_output_through_a_symlink_reaches_its_target(example_log: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    assert run(example_log, "-o", link, "--force").exit_code == 0
    assert link.is_symlink()
    assert target.read_text().startswith("event_creation_time,")


def test_device_is_written_in_place(example_log: Path) -> None:
    assert run(example_log, "-o", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()


def test_stored_schema_is_what_xml_takes() -> None:
    """The groups that the verb asks for XML are the whole table."""
    assert [field.name for field in fields("event", "system", "provenance", "address")] == SCHEMA.names


def test_a_name_that_cannot_be_looked_up_costs_no_other_log(example_log: Path, tmp_path: Path) -> None:
    """Though the file to overwrite is compared with every input. A name that is too long fails for root, too."""
    output = tmp_path / "x.csv"
    output.touch()
    result = invoke("read", str(example_log), "a" * 300, "-o", str(output), "--force")
    assert result.exit_code == 3
    assert "File name too long" in result.stderr
    assert len(output.read_text().splitlines()) == 1 + 153


def test_a_period_selects_rows(example_log: Path) -> None:
    """In every vocabulary, with and without an order."""
    times = [row["event_creation_time"] for row in rows(run(example_log))]
    expected = [time for time in times if "2017-10-23T07:00" <= time < "2017-10-23T08:00"]
    assert 0 < len(expected) < EVENTS
    period = ("--since", "2017-10-23T07:00", "--until", "2017-10-23T08:00")
    assert [row["event_creation_time"] for row in rows(run(example_log, *period))] == expected
    sysmon = rows(run(example_log, *period, "--names", "sysmon", "--sort", "UtcTime"))
    assert [row["UtcTime"] for row in sysmon] == sorted(expected)


def test_an_empty_period_is_refused(example_log: Path) -> None:
    result = run(example_log, "--since", "2024-01-02", "--until", "2024-01-01")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected a time after since" in result.stderr
    assert run(example_log, "--since", "yesterday-ish").exit_code == 2
