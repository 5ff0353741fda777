"""`procwire.hunt` and `procwire.detect`: what Python users get is what the command line prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pytest

import procwire
from command_line import invoke
from procwire import sigma
from procwire.errors import LimitError

RULE = """title: To the web
id: 7b9a3e1c-2f4d-4a5b-8c6d-0e1f2a3b4c5d
level: low
logsource: {product: windows, category: network_connection}
detection:
  selection: {DestinationPort: 443}
  condition: selection
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "web.yml").write_text(RULE)
    (tmp_path / "broken.yml").write_text(RULE.replace("condition: selection", "condition: nothing"))
    return tmp_path


@pytest.fixture(scope="module")
def lake(example_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lakes") / "lake"
    assert invoke("read", str(example_log), "--lake", str(folder)).exit_code == 0
    return folder


def printed(*arguments: str | Path) -> list[dict[str, object]]:
    result = invoke(*map(str, arguments), "--to", "ndjson")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_hunt_finds_what_the_verb_prints(example_log: Path, lake: Path) -> None:
    found = procwire.hunt("top-talkers", example_log, min_connections=2)
    assert found.table.schema == found.hunt.schema
    columns = ["process_name", "connections", "destinations"]
    for data in ((str(example_log),), ("--lake", str(lake))):
        rows = printed("hunt", "top_talkers", *data, "-p", "min_connections=2")
        assert [{name: row[name] for name in columns} for row in rows] == found.table.select(columns).to_pylist()
    assert procwire.hunt("top_talkers", lake=lake, min_connections="2").table == found.table
    assert found.ledger is not None
    assert found.ledger.by_event["connection"] == 153


def test_hunt_takes_paths_as_read_does(example_log: Path) -> None:
    for logs in (str(example_log), [example_log], iter([example_log])):
        assert procwire.hunt("top_talkers", logs).table.num_rows > 0


def test_hunt_keeps_to_the_period(example_log: Path) -> None:
    middle = datetime(2017, 10, 23, 7, 25, tzinfo=UTC)
    counts = [
        sum(procwire.hunt("top_talkers", example_log, since=since, until=until).table["connections"].to_pylist())
        for since, until in ((None, None), (middle, None), (None, middle))
    ]
    assert counts[0] == counts[1] + counts[2]
    assert min(counts) > 0


def test_hunts_that_tell_what_is_new_see_what_was_before(example_log: Path, tmp_path: Path) -> None:
    """`since` is their parameter: the past decides what is new."""
    (tmp_path / "new.sql").write_text("""-- New
--
-- Parameters:
--   since  time = null  New from then on
--
-- Columns:
--   n    integer  So many
--   new  integer  So many of them new
SELECT count(*) AS n, count(*) FILTER (WHERE event_creation_time >= $since) AS new FROM connections
""")
    middle = datetime(2017, 10, 23, 7, 25, tzinfo=UTC)
    [row] = procwire.hunt("new", example_log, since=middle, folders=[tmp_path]).table.to_pylist()
    assert row["n"] == 153
    assert 0 < row["new"] < 153
    # A time without a zone is UTC, as in all options.
    local = procwire.hunt("new", example_log, since=middle.replace(tzinfo=None), folders=[tmp_path])
    assert local.table.to_pylist() == [row]


def test_hunts_of_ones_own_are_found(example_log: Path, tmp_path: Path) -> None:
    (tmp_path / "count.sql").write_text(
        "-- Count\n--\n-- Columns:\n--   n  integer  So many\nSELECT count(*) AS n FROM connections\n"
    )
    assert procwire.hunt("count", example_log, folders=[tmp_path]).table.to_pylist() == [{"n": 153}]


def test_detect_finds_what_the_verb_prints(example_log: Path, lake: Path, rules: Path) -> None:
    found = procwire.detect(rules / "web.yml", example_log)
    assert found.table.schema == sigma.SCHEMA
    assert found.table.num_rows == 29 == procwire.detect([rules / "web.yml"], lake=lake).table.num_rows
    rows = printed("detect", "--rules", rules / "web.yml", example_log)
    assert sorted(str(row["record_id"]) for row in rows) == sorted(map(str, found.table["record_id"].to_pylist()))
    assert found.ledger is not None
    assert found.ledger.by_event["connection"] == 153


def test_detect_has_the_rules_that_do_not_run(example_log: Path, rules: Path) -> None:
    found = procwire.detect(rules, example_log)
    assert [rule.title for rule in found.rules.rules] == ["To the web"]
    assert [Path(problem.path).name for problem in found.rules.problems] == ["broken.yml"]
    assert procwire.detect(sigma.load([rules]), example_log).table == found.table


def test_detect_leaves_out_rules_below_a_level(example_log: Path, rules: Path) -> None:
    assert procwire.detect(rules, example_log, minimum_level="low").table.num_rows == 29
    with pytest.raises(procwire.UsageError, match="1 rule below high"):
        procwire.detect(rules, example_log, minimum_level="high")


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path, rules: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(procwire.InputError, match="missing: No such file"):
        procwire.hunt("beacons", missing)
    with pytest.raises(procwire.InputError, match="missing: No such file"):
        procwire.detect(rules, missing)


def test_what_cannot_be_used_is_refused_before_anything_is_read(tmp_path: Path, rules: Path) -> None:
    missing = tmp_path / "missing"
    noon, later = datetime(2024, 3, 1, 12, tzinfo=UTC), datetime(2024, 3, 1, 13, tzinfo=UTC)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("beacoms", {}),
        ("beacons", {"no_such": 1}),
        ("beacons", {"min_score": "much"}),
        ("beacons", {"lake": tmp_path}),
        ("beacons", {"since": later, "until": noon}),
        ("top_talkers", {"since": later, "until": noon}),
    ]
    for name, arguments in cases:
        with pytest.raises(procwire.UsageError):
            procwire.hunt(name, missing, **arguments)
    with pytest.raises(procwire.UsageError, match="found logs and lake, expected one of them"):
        procwire.detect(rules, missing, lake=tmp_path)
    with pytest.raises(procwire.UsageError, match="no rule at all"):
        procwire.detect([], missing)


def test_a_hunt_keeps_to_its_time(example_log: Path, tmp_path: Path) -> None:
    endless = "SELECT sum(hash(a.range, b.range))::DOUBLE AS n FROM range(10000000) a, range(1000000) b"
    (tmp_path / "endless.sql").write_text(f"-- Endless\n--\n-- Columns:\n--   n  number  None\n{endless}\n")
    with pytest.raises(LimitError, match="ran longer than its limit"):
        procwire.hunt("endless", example_log, folders=[tmp_path], timeout_s=0.5)


def test_the_version_is_that_of_the_command_line() -> None:
    assert invoke("--version").stdout.split() == ["procwire", procwire.__version__]


def test_connect_takes_whatever_gives_a_stream_of_arrow(example_log: Path) -> None:
    scan = procwire.scan(example_log)
    for rows in (scan, scan.to_reader(), scan.read_all(), polars.DataFrame(scan), pa.table(scan).to_batches()[0]):
        assert procwire.connect(rows).sql("SELECT count(*) FROM connections").fetchall() == [(153,)]
