"""`procwire lake`, and the ways into it, as a user calls them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from command_line import Result, invoke
from procwire.errors import UsageError
from procwire.lake import ingest
from procwire.sources import read_events
from procwire.units import point_in_time


def run(*arguments: str | Path) -> Result:
    return invoke(*map(str, arguments))


@pytest.fixture
def own_lake(tmp_path: Path, example_log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example in a lake that the environment names."""
    location = tmp_path / "lake"
    monkeypatch.setenv("PROCWIRE_LAKE", str(location))
    result = run("read", example_log, "--to", "lake")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1] == f"lake {location}: 153 connections added, 356 process creations"
    return location


def test_read_again_adds_nothing_and_says_so(own_lake: Path, example_log: Path) -> None:
    result = run("read", example_log, "--lake", own_lake)
    assert result.exit_code == 0
    assert result.stderr == f"lake {own_lake}: 0 connections added, 1 log already stored and not read again\n"


def test_read_with_a_predicate_counts_what_it_left_out(tmp_path: Path, example_log: Path) -> None:
    result = run("read", example_log, "--lake", tmp_path / "new", "--where", "dst_port = 443")
    assert result.stderr.splitlines()[-1].endswith("29 connections added, 124 left out, 356 process creations")


@pytest.mark.parametrize(("options", "coded"), [([], True), (["--where", "dst_port = 443"], False)])
def test_texts_are_coded_on_their_way_unless_a_predicate_asks_them(
    tmp_path: Path, example_log: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], coded: bool
) -> None:
    """It is faster so, and nothing else would tell."""
    asked = []

    def noted(*arguments: Any, **given: Any) -> Any:
        asked.append(given["coded"])
        return read_events(*arguments, **given)

    monkeypatch.setattr(ingest, "read_events", noted)
    assert run("read", example_log, "--lake", tmp_path / "new", *options).exit_code == 0
    assert asked == [coded]


def test_read_with_a_configuration_keeps_what_it_logs(tmp_path: Path, example_log: Path) -> None:
    config = tmp_path / "web.xml"
    config.write_text(
        '<Sysmon schemaversion="4.90"><EventFiltering><NetworkConnect onmatch="include">'
        '<DestinationPort name="web">443</DestinationPort></NetworkConnect></EventFiltering></Sysmon>'
    )
    result = run("read", example_log, "--lake", tmp_path / "new", "--config", config)
    assert f"124 of them not logged by {config}" in result.stderr
    rows = run("lake", "export", "--lake", tmp_path / "new", "--columns", "rule_name", "--to", "csv").stdout.split()
    assert rows == ["rule_name", *["web"] * 29]


@pytest.mark.parametrize(
    "options", [["--limit", "3"], ["--sort", "dst_ip"], ["--columns", "dst_ip"], ["--names", "sysmon"], ["-o", "x"]]
)
def test_read_refuses_what_a_lake_has_no_place_for(own_lake: Path, example_log: Path, options: list[str]) -> None:
    result = run("read", example_log, "--lake", own_lake, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"procwire: found {options[0]} with the lake")


def test_read_of_a_lake_says_how_to_read_one(own_lake: Path) -> None:
    """Its commits are JSON, which would be read as a log without connections."""
    result = run("read", own_lake)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"found the lake {own_lake}, expected logs: `procwire lake export --lake {own_lake}`" in result.stderr


def test_read_of_nothing_is_an_error(own_lake: Path, tmp_path: Path) -> None:
    result = run("read", tmp_path / "none.evtx", "--lake", own_lake)
    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_info_tells_what_there_is(own_lake: Path, example_log: Path) -> None:
    lines = run("lake", "info").stdout.splitlines()
    assert lines[0].startswith(f"lake {own_lake}, version ")
    assert lines[1] == "  153 connections of 1 day, 2017-10-23 to 2017-10-23"
    assert lines[-1].endswith(f"log {example_log}: 153 of 153 added")


def test_info_as_json(own_lake: Path, example_log: Path) -> None:
    reported = json.loads(run("lake", "info", "--to", "json").stdout)
    assert (reported["location"], reported["events"], reported["first_day"]) == (str(own_lake), 153, "2017-10-23")
    [reading] = reported["readings"]
    assert (reading["name"], reading["records"]) == (str(example_log), 1_730)
    assert reading["account"]["warnings"] == {"IPv4 garbled as IPv6": 8}


def test_compact_then_verify_then_compact(own_lake: Path) -> None:
    first = run("lake", "compact")
    assert "1 day, 153 connections: 1 file of" in first.stderr
    verified = run("lake", "verify")
    assert (verified.exit_code, verified.stdout) == (0, "")
    assert f"lake {own_lake}: 1 file, 153 connections, 3 commits, 0 faults\n1 file of " in verified.stderr
    assert run("lake", "compact").stderr == f"lake {own_lake}: all days are compact\n"


def test_verify_of_a_damaged_lake(own_lake: Path) -> None:
    [path] = (own_lake / "connections").glob("day=*/*.parquet")
    path.unlink()
    result = run("lake", "verify")
    assert result.exit_code == 3
    assert result.stdout == f"{path.relative_to(own_lake)}: is missing\n"


@pytest.mark.usefixtures("own_lake")
def test_export_is_what_read_gives(example_log: Path) -> None:
    """In every format that is text, the log's own order."""
    for way in ("csv", "xml"):
        columns = [] if way == "xml" else ["--columns", "event_creation_time,process_name,dst_ip,source_offset"]
        exported = run("lake", "export", "--to", way, *columns)
        assert exported.exit_code == 0
        assert exported.stdout == run("read", example_log, "--to", way, *columns).stdout
        assert exported.stderr == "153 rows\n"


@pytest.mark.usefixtures("own_lake")
def test_export_of_a_range() -> None:
    result = run(
        "lake", "export", "--since", "2017-10-23T07:00", "--until", "2017-10-23T07:30:00Z", "--to", "csv",
        "--where", "network_protocol = 'tcp'", "--sort", "event_creation_time",
    )  # fmt: skip
    times = [row["event_creation_time"] for row in csv.DictReader(io.StringIO(result.stdout))]
    assert times
    assert times == sorted(times)
    assert "2017-10-23T07:00" <= times[0] <= times[-1] < "2017-10-23T07:30"


@pytest.mark.usefixtures("own_lake")
def test_export_to_parquet_by_suffix(tmp_path: Path) -> None:
    assert run("lake", "export", "-o", tmp_path / "all.parquet").exit_code == 0
    rows = run("lake", "export", "--to", "ndjson").stdout.splitlines()
    assert len(rows) == 153
    assert (tmp_path / "all.parquet").read_bytes().startswith(b"PAR1")


def test_without_a_lake_every_command_says_so(tmp_path: Path) -> None:
    for command in (["info"], ["compact"], ["verify"], ["expire", "--older-than", "1d"], ["export"]):
        result = run("lake", *command, "--lake", tmp_path / "none")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"procwire: found no lake at {tmp_path / 'none'}, expected one")


def test_point_in_time() -> None:
    now = datetime(2024, 3, 8, tzinfo=UTC)
    assert point_in_time(None) is None
    assert point_in_time("7d", now=now) == point_in_time("2024-03-01") == datetime(2024, 3, 1, tzinfo=UTC)
    assert point_in_time("2024-03-01T12:00+02:00") == datetime(2024, 3, 1, 10, tzinfo=UTC)
    with pytest.raises(UsageError, match="found 'yesterday', expected a time such as"):
        point_in_time("yesterday")


def test_record_refuses_what_a_lake_has_no_place_for(tmp_path: Path) -> None:
    result = run("record", "--all", "--lake", tmp_path / "lake", "--columns", "dst_ip")
    assert result.exit_code == 2
    assert "which holds whole events" in result.stderr
