"""Hunts as files: what a header may say, how parameters are checked, where hunts come from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from command_line import invoke
from hunting_ground import connection, row
from procwire.errors import UsageError
from procwire.hunts import Hunt, find, load

MINE = """-- Ports: how often each is used
--
-- What it is for.
--
-- In two paragraphs.
--
-- Parameters:
--   least    integer = 1        Ports used less often are left out;
--                               they are noise
--   names    texts = tcp,udp    Protocols
--   share    number = 0.5       A share
--   after    time = null        A time
--   only     boolean = false    A flag
--   process  text               Whose
--
-- Columns:
--   port   integer  The port
--   times  integer  How often
SELECT dst_port AS port, count(*)::INTEGER AS times
FROM connections
WHERE list_contains($names, network_protocol) AND process_base_name = $process AND NOT $only AND $share < 1
    AND ($after IS NULL OR event_creation_time > CAST($after AS TIMESTAMPTZ))
GROUP BY dst_port
HAVING count(*) >= $least
ORDER BY port
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ports.sql").write_text(MINE)
    return tmp_path


@pytest.fixture
def mine(folder: Path) -> Hunt:
    return find("ports", load([folder]))


@pytest.fixture
def ground() -> duckdb.DuckDBPyConnection:
    return connection([row(1), row(2), row(3, dst_port=80), row(4, network_protocol="udp")])


def test_header_tells_all(mine: Hunt) -> None:
    assert (mine.name, mine.title) == ("ports", "Ports: how often each is used")
    assert mine.description == "What it is for.\n\nIn two paragraphs."
    least, names, share, after, only, process = mine.parameters
    assert (least.type, least.default, least.required) == ("integer", 1, False)
    assert least.meaning == "Ports used less often are left out; they are noise"
    assert (names.default, share.default, after.default, only.default) == (["tcp", "udp"], 0.5, None, False)
    assert (after.required, process.required) == (False, True)
    assert mine.schema == pa.schema({"port": pa.int64(), "times": pa.int64()})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [(80, 1), (443, 3)]),
        ({"least": 2}, [(443, 3)]),
        ({"least": "2"}, [(443, 3)]),
        ({"names": ["udp"]}, [(443, 1)]),
        ({"names": "udp, icmp"}, [(443, 1)]),
        ({"after": "2024-05-01T00:00:03"}, [(443, 1)]),
        ({"after": datetime(2024, 5, 1, 0, 0, 3, tzinfo=UTC)}, [(443, 1)]),
        ({"only": True}, []),
        ({"only": "yes"}, []),
        ({"share": 2}, []),
    ],
)
def test_parameters_are_texts_or_values(
    mine: Hunt, ground: duckdb.DuckDBPyConnection, given: dict[str, object], expected: list[tuple[int, int]]
) -> None:
    result = mine.run(ground, process="app.exe", **given)
    assert result.schema == mine.schema
    assert [tuple(found.values()) for found in result.read_all().to_pylist()] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lest": 1}, "hunt ports: found parameter 'lest', expected one of least, names, share, after, only, process"),
        ({}, "hunt ports: parameter process: found no value, expected text: Whose"),
        ({"process": "x", "least": "many"}, "parameter least: found 'many', expected a whole number"),
        ({"process": "x", "least": 1.5}, "parameter least: found 1.5, expected a whole number"),
        ({"process": "x", "share": "nan"}, "parameter share: found 'nan', expected a number"),
        ({"process": "x", "only": "maybe"}, "parameter only: found 'maybe', expected true or false"),
        ({"process": "x", "after": "soon"}, "parameter after: found 'soon', expected a time such as"),
    ],
)
def test_parameters_are_checked(
    mine: Hunt, ground: duckdb.DuckDBPyConnection, given: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        mine.run(ground, **given)
    assert message in str(error.value)


def test_a_value_is_no_sql(mine: Hunt, ground: duckdb.DuckDBPyConnection) -> None:
    assert mine.run(ground, process="' OR 1 = 1 --").read_all().num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1 AS one", "ports.sql:1: found no comment, expected `-- TITLE`"),
        ("-- Title\nSELECT 1 AS one", "ports.sql: found no `-- Columns:`"),
        ("-- T\n--\n-- Columns:\n--   one float  It\nSELECT 1", "ports.sql:4: found type 'float', expected one of"),
        (
            "-- T\n-- Parameters:\n--   a int = 1  It\nSELECT 1",
            "ports.sql:3: found type 'int', expected one of integer",
        ),
        (
            "-- T\n-- Parameters:\n--   a integer = x  It\nSELECT 1",
            "ports.sql:3: a: found 'x', expected a whole number",
        ),
        ("-- T\n-- Columns:\n-- one integer\nSELECT 1", "ports.sql:3: found 'one integer', expected `--   NAME TYPE"),
    ],
)
def test_a_header_that_is_none_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ports.sql").write_text(text)
    with pytest.raises(UsageError) as error:
        find("ports", load([tmp_path]))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 AS two", "hunt ports: found columns two, expected those of its header: one"),
        ("SELECT 'x' AS one", "SQL: "),
        ("SELECT dst_prt AS one FROM connections", 'Candidate bindings: "dst_port"'),
    ],
)
def test_what_a_hunt_gives_is_held_to_its_header(
    tmp_path: Path, ground: duckdb.DuckDBPyConnection, sql: str, message: str
) -> None:
    (tmp_path / "ports.sql").write_text(f"-- T\n-- Columns:\n--   one integer  It\n{sql}")
    with pytest.raises(UsageError) as error:
        find("ports", load([tmp_path])).run(ground).read_all()
    assert message in str(error.value)


def test_hunts_come_by_name_and_a_users_own_goes_first(folder: Path) -> None:
    (folder / "beacons.sql").write_text("-- Mine\n-- Columns:\n--   one integer  It\nSELECT 1 AS one")
    hunts = load([folder])
    assert [hunt.name for hunt in hunts] == sorted(hunt.name for hunt in hunts)
    assert {"beacons", "ports", "strobes"} <= {hunt.name for hunt in hunts}
    assert find("beacons", hunts).title == "Mine"
    assert find("fan-out", hunts).name == "fan_out"


def test_what_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found hunt 'becons', expected .* did you mean 'beacons'\?"):
        find("becons", load())
    with pytest.raises(UsageError, match="found no folder"):
        load([tmp_path / "none"])
    (tmp_path / "latin.sql").write_bytes(b"-- \xe9")
    with pytest.raises(UsageError, match="not UTF-8"):
        find("latin", load([tmp_path]))


def test_a_broken_hunt_stops_no_other(folder: Path) -> None:
    """It is listed with its problem; one of ours that it takes the place of does not run in its stead."""
    (folder / "notes.sql").write_text("SELECT 1")
    (folder / "beacons.sql").write_bytes(b"\xff")
    hunts = load([folder])
    assert find("ports", hunts).problem is None
    assert find("strobes", hunts).problem is None
    for name in ("notes", "beacons"):
        with pytest.raises(UsageError, match=rf"{name}\.sql"):
            find(name, hunts)
    listed = invoke("hunt", "--hunts", str(folder))
    assert listed.exit_code == 0
    assert ["cannot be used" in line for line in listed.stdout.splitlines() if ".sql" in line] == [True, True]
