"""`procwire hunt`: what it lists and tells, which data it hunts in, where its rows go."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from command_line import Result, invoke
from event_rows import Row
from procwire.hunts import load

COUNT = """-- Count: how many there are
--
-- Parameters:
--   port  integer = null  Of one port
--
-- Columns:
--   connections  integer  How many
--   first_time   time     The first
SELECT count(*) AS connections, min(event_creation_time) AS first_time
FROM connections
WHERE $port IS NULL OR dst_port = $port
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "count.sql").write_text(COUNT)
    return tmp_path


def hunt(*arguments: str | Path, **environment: str) -> Result:
    return invoke("hunt", *map(str, arguments), env=environment)


def rows(result: Result) -> list[Row]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_without_a_name_all_are_listed(folder: Path) -> None:
    result = hunt("--hunts", folder)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == [one.name for one in load([folder])]
    assert any(line.startswith("count ") and line.endswith("Count: how many there are") for line in lines)


def test_describe_tells_what_the_header_does() -> None:
    result = hunt("beacons", "--describe")
    assert result.exit_code == 0
    reported = result.stdout
    [beacons] = [one for one in load() if one.name == "beacons"]
    assert reported.startswith("Beacons: ")
    names = [*(parameter.name for parameter in beacons.parameters), *beacons.schema.names]
    assert all(f"  {name} " in reported for name in names)
    assert "SELECT" not in reported


def test_logs_are_hunted_in(example_log: Path) -> None:
    """The real example: what svchost.exe did, most frequent first."""
    result = hunt("top-talkers", example_log)
    assert result.exit_code == 0
    first = rows(result)[0]
    assert (first["process_name"], first["connections"]) == ("C:\\Windows\\System32\\svchost.exe", 123)
    assert result.stderr.splitlines()[0].startswith("1 file, 1,730 records, 153 network connections")
    assert result.stderr.splitlines()[-1] == f"top_talkers: {len(rows(result))} rows found"


def test_parameters_are_given_and_checked(example_log: Path, folder: Path) -> None:
    def count(*more: str) -> Result:
        return hunt("count", "--hunts", folder, example_log, *more)

    assert rows(count())[0]["connections"] == 153
    assert rows(count("--param", "port=443"))[0]["connections"] == 29
    assert count("-p", "port=https").exit_code == 2
    assert "parameter port: found 'https', expected a whole number" in count("-p", "port=https").stderr
    assert "found --param 'port', expected NAME=VALUE" in count("-p", "port").stderr
    assert "found parameter 'prt', expected one of port" in count("-p", "prt=1").stderr


def test_own_hunts_come_from_the_environment_as_well(folder: Path) -> None:
    assert "count " in hunt(PROCWIRE_HUNTS=str(folder)).stdout


def test_since_limits_the_data(example_log: Path, folder: Path) -> None:
    """The log is of one morning in 2017."""
    result = hunt("count", "--hunts", folder, example_log, "--since", "2017-10-23T07:30:00")
    [found] = rows(result)
    assert 0 < found["connections"] < 153
    assert found["first_time"] >= "2017-10-23T07:30:00"
    assert rows(hunt("count", "--hunts", folder, example_log, "--since", "7d"))[0]["connections"] == 0


def test_since_goes_to_a_hunt_that_needs_the_past(example_log: Path) -> None:
    """first_seen looks at all, and shows what is since then."""
    found = rows(hunt("first_seen", example_log, "--since", "2017-10-23T07:17:00"))
    assert {hit["process_is_new"] for hit in found} == {False}
    assert all(hit["first_time"] >= "2017-10-23T07:17:00" for hit in found)
    assert len(found) < len(rows(hunt("first_seen", example_log, "--since", "2017-10-23")))


def test_without_files_the_lake_is_hunted_in(folder: Path, example_log: Path, tmp_path: Path) -> None:
    """The one that is named, or that the environment names; from when on."""
    lake = tmp_path / "lake"
    assert invoke("read", str(example_log), "--lake", str(lake)).exit_code == 0
    assert rows(hunt("count", "--hunts", folder, "--lake", lake))[0]["connections"] == 153
    assert rows(hunt("count", "--hunts", folder, PROCWIRE_LAKE=str(lake)))[0]["connections"] == 153
    assert rows(hunt("count", "--hunts", folder, "--lake", lake, "--since", "7d"))[0]["connections"] == 0
    assert "svchost.exe" in hunt("top_talkers", "--lake", lake).stdout


def test_every_hunt_runs_on_the_lake(example_log: Path, tmp_path: Path) -> None:
    """On the real view and functions."""
    lake = tmp_path / "lake"
    assert invoke("read", str(example_log), "--lake", str(lake)).exit_code == 0
    given = {"process": "svchost.exe", "computer": "DESKTOP-DF4ULDE", "destination": "192.168.62.254"}
    for one in load():
        needed = [f"--param={each.name}={given[each.name]}" for each in one.parameters if each.required]
        result = hunt(one.name, "--lake", lake, *needed)
        assert result.exit_code == 0, (one.name, result.stderr)
        logs = hunt(one.name, example_log, *needed)
        assert logs.stdout == result.stdout


def test_results_go_to_a_file_by_its_suffix(example_log: Path, tmp_path: Path) -> None:
    path = tmp_path / "talkers.parquet"
    result = hunt("top_talkers", example_log, "-o", path, "--columns", "process_name,outbound", "--limit", "2")
    assert (result.exit_code, result.stdout) == (0, "")
    table = pq.read_table(path)
    assert (table.column_names, table.num_rows) == (["process_name", "outbound"], 2)


def test_table_is_for_people(example_log: Path) -> None:
    header, first, *_ = hunt("top_talkers", example_log, "--to", "table").stdout.splitlines()
    assert header.split()[1] == "process_name"
    assert "svchost.exe" in first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("beacons", "--lake", "some"), "found logs and --lake, expected one of them"),
        (("becons",), "found hunt 'becons', expected one that `procwire hunt` lists; did you mean 'beacons'?"),
        (("beacons", "--since", "soon"), "found 'soon', expected a time such as 2024-03-01"),
        (("beacons", "--columns", "scor"), "found column 'scor', expected some of score, computer_name"),
        (("process_profile",), "parameter process: found no value, expected text"),
        (("beacons", "-o", "x.xml"), "found .xml in -o, expected another format"),
        (("--hunts", "no/such"), "found no folder no/such"),
    ],
)
def test_what_cannot_be_is_reported_before_anything_is_read(arguments: tuple[str, ...], message: str) -> None:
    result = hunt(*arguments, "does-not-exist.evtx")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "does-not-exist" not in result.stderr


def test_what_cannot_be_read_is_reported(tmp_path: Path, example_log: Path) -> None:
    assert hunt("beacons", tmp_path / "none.evtx").exit_code == 1
    damaged = tmp_path / "cut.evtx"
    damaged.write_bytes(example_log.read_bytes()[: 4096 + 8 * 65536 + 30_000])
    assert hunt("top_talkers", damaged).exit_code == 3
