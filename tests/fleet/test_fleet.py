"""Check the generated fleet: the event table's form, the habits of real logs, and the truth in the rows."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import fleet
from event_rows import address_bytes
from fleet.beacons import JITTERS
from procwire.event import DERIVED, LIVE_SCHEMA
from procwire.guid import decode_guid

_SEED, _HOSTS, _DAYS = 5, 30, 8


@pytest.fixture(scope="module")
def made() -> tuple[pa.Table, tuple[fleet.Planted, ...]]:
    batches, truth = fleet.generate(_SEED, _HOSTS, _DAYS)
    return pa.Table.from_batches(batches), truth


@pytest.fixture(scope="module")
def connection(made: tuple[pa.Table, tuple[fleet.Planted, ...]]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", made[0])
        yield connection


@pytest.fixture(scope="module")
def truth(made: tuple[pa.Table, tuple[fleet.Planted, ...]]) -> tuple[fleet.Planted, ...]:
    return made[1]


def number(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> float:
    row = connection.execute(sql, values).fetchone()
    assert row is not None
    return float(row[0])


def test_batches_are_live_and_days_are_sorted(made: tuple[pa.Table, tuple[fleet.Planted, ...]]) -> None:
    assert made[0].schema.equals(LIVE_SCHEMA)
    times = made[0]["event_creation_time"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()
    assert set(made[0]["record_kind"].unique().to_pylist()) == {"connection"}


def test_a_day_is_the_same_by_itself(made: tuple[pa.Table, tuple[fleet.Planted, ...]]) -> None:
    """So days can be generated in parallel, and a seed decides everything."""
    table = made[0]
    alone = pa.Table.from_batches(fleet.Made(fleet.Fleet(_SEED, _HOSTS, _DAYS)).batches(_DAYS - 1))
    assert table.slice(table.num_rows - alone.num_rows).equals(alone)
    other = pa.Table.from_batches(fleet.Made(fleet.Fleet(_SEED + 1, _HOSTS, _DAYS)).batches(_DAYS - 1))
    assert not other.equals(alone)


def test_every_kind_and_jitter_is_planted(truth: tuple[fleet.Planted, ...]) -> None:
    assert {planted.kind for planted in truth} == set(fleet.KINDS)
    beacons = [planted for planted in truth if isinstance(planted, fleet.Beacon)]
    assert {beacon.jitter for beacon in beacons} == set(JITTERS)
    assert {beacon.destination for beacon in beacons} == {"rare", "named", "cdn"}
    assert min(beacon.period_s for beacon in beacons) == 30
    assert max(beacon.period_s for beacon in beacons) == 3_600
    assert any(beacon.sleeps for beacon in beacons)


def test_the_truth_stands_in_the_rows(connection: duckdb.DuckDBPyConnection, truth: tuple[fleet.Planted, ...]) -> None:
    """As many rows of its process, destination and port as it says, from the first to the last moment."""
    for planted in truth:
        found = connection.execute(
            """SELECT count(*), min(event_creation_time) = $first, max(event_creation_time) = $last FROM events
            WHERE computer_name = $computer AND process_name = $process AND dst_ip = coalesce($ip, dst_ip)
            AND dst_port = coalesce($port, dst_port) AND network_connection_initiated = $initiated
            AND event_creation_time BETWEEN $first AND $last""",
            {
                "first": planted.first,
                "last": planted.last,
                "computer": planted.computer_name,
                "process": planted.process_name,
                "ip": planted.dst_ip,
                "port": planted.dst_port,
                "initiated": planted.kind != "listener",
            },
        ).fetchone()
        assert found == (planted.events, True, True), planted


def test_beacons_keep_their_period_and_jitter(
    connection: duckdb.DuckDBPyConnection, truth: tuple[fleet.Planted, ...]
) -> None:
    for beacon in truth:
        if not isinstance(beacon, fleet.Beacon) or beacon.sleeps:
            continue
        rows = connection.execute(
            """SELECT epoch_ms(event_creation_time) FROM events
            WHERE computer_name = $1 AND process_name = $2 AND dst_ip = $3 AND dst_port = $4 ORDER BY 1""",
            [beacon.computer_name, beacon.process_name, beacon.dst_ip, beacon.dst_port],
        ).fetchall()
        intervals_s = np.diff(np.array(rows)[:, 0]) / 1000
        assert abs(intervals_s - beacon.period_s).max() <= beacon.period_s * beacon.jitter + 0.002
        assert abs(intervals_s.mean() - beacon.period_s) < beacon.period_s * 0.3


def test_nobody_else_speaks_to_a_rare_destination(
    connection: duckdb.DuckDBPyConnection, truth: tuple[fleet.Planted, ...]
) -> None:
    """While many speak to those of a CDN: by prevalence alone it is not found."""
    for beacon in truth:
        if isinstance(beacon, fleet.Beacon):
            hosts = number(
                connection, "SELECT count(DISTINCT computer_name) FROM events WHERE dst_ip = $1", beacon.dst_ip
            )
            assert (hosts > _HOSTS / 5) if beacon.destination == "cdn" else (hosts == 1)


def test_without_plants_all_is_harmless(truth: tuple[fleet.Planted, ...]) -> None:
    batches, nothing = fleet.generate(_SEED, _HOSTS, 1, planted=False)
    assert nothing == ()
    names = set(pa.Table.from_batches(batches)["process_name"].unique().to_pylist())
    assert not names & {planted.process_name for planted in truth if planted.kind in ("strobe", "system-binary")}


def test_a_process_is_one(connection: duckdb.DuckDBPyConnection) -> None:
    """A ProcessGuid has one machine, image, user and id, encodes the start, and no two are alive under one id."""
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE lives AS SELECT process_guid, any_value(computer_name) AS computer_name,
        any_value(process_id) AS process_id, min(event_creation_time) AS first, max(event_creation_time) AS last,
        count(DISTINCT (computer_name, process_id, process_name, user_name)) AS identities
        FROM events GROUP BY process_guid"""
    )
    assert number(connection, "SELECT max(identities) FROM lives") == 1
    for guid, first in connection.execute("SELECT process_guid, first::VARCHAR FROM lives").fetchall():
        assert str(decode_guid(guid).process_start_time)[:19] <= first
    reused = "SELECT count(*) FROM lives WHERE process_id <> 4 GROUP BY computer_name, process_id ORDER BY 1 DESC"
    assert number(connection, reused) > 1
    together = """SELECT count(*) FROM lives AS one JOIN lives AS other USING (computer_name, process_id)
        WHERE one.process_guid < other.process_guid AND one.first < other.last AND other.first < one.last"""
    assert number(connection, together) == 0


def test_the_local_side_is_the_machines_own_address(connection: duckdb.DuckDBPyConnection) -> None:
    """According to the dictionary's derived column, also for inbound connections of either protocol."""
    [side] = [field.sql for field in DERIVED if field.name == "local_side"]
    own = f"CASE {side} WHEN 'src' THEN src_host_name WHEN 'dst' THEN dst_host_name END"
    assert number(connection, f"SELECT count(*) FROM events WHERE ({own}) IS DISTINCT FROM computer_name") == 0


def test_what_a_server_logs_its_clients_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Every inbound connection but a planted listener's has its other end in the fleet's logs."""
    unasked = """SELECT count(*) FROM events AS answer
        WHERE NOT network_connection_initiated AND dst_port NOT IN (4444, 8080) AND NOT EXISTS (
            FROM events AS asked WHERE asked.network_connection_initiated
            AND asked.src_ip = answer.src_ip AND asked.src_port = answer.src_port
            AND asked.dst_ip = answer.dst_ip AND asked.dst_port = answer.dst_port
            AND abs(date_diff('ms', asked.event_creation_time, answer.event_creation_time)) < 50)"""
    assert number(connection, unasked) == 0
    assert number(connection, "SELECT count(*) FROM events WHERE NOT network_connection_initiated") > 1_000


def test_people_work_by_day_and_in_the_week(connection: duckdb.DuckDBPyConnection) -> None:
    """Workstations of the first site (five hours behind UTC) are busy from 8 to 18 h, and rest at weekends."""
    browsers = "FROM events WHERE process_name LIKE '%chrome.exe' AND dst_port IN (80, 443)"
    local = "(event_creation_time - INTERVAL 5 HOUR)"
    by_day = number(connection, f"SELECT avg((hour({local}) BETWEEN 8 AND 17)::INT) {browsers}")
    weekend = number(connection, f"SELECT avg((isodow({local}) > 5)::INT) {browsers}")
    assert by_day > 0.75
    assert 0 < weekend < 0.1


def test_destinations_are_heavy_tailed(connection: duckdb.DuckDBPyConnection) -> None:
    """Few destinations get much, most are seen on one machine only; a share has no name, a share is IPv6."""
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE ends AS SELECT dst_ip, count(*) AS connections, bool_or(dst_is_ipv6) AS ipv6,
        count(DISTINCT computer_name) AS hosts, bool_or(dst_host_name IS NULL) AS nameless FROM events
        WHERE process_name LIKE '%msedge.exe' OR process_name LIKE '%chrome.exe' GROUP BY dst_ip"""
    )
    top = "SELECT sum(connections) FROM (FROM ends ORDER BY connections DESC LIMIT 100)"
    assert 0.3 < number(connection, top) / number(connection, "SELECT sum(connections) FROM ends") < 0.8
    assert number(connection, "SELECT avg((hosts = 1)::INT) FROM ends") > 0.5
    assert 0.4 < number(connection, "SELECT avg(nameless::INT) FROM ends") < 0.7
    assert 0.05 < number(connection, "SELECT avg(ipv6::INT) FROM ends") < 0.3


def test_addresses_agree_with_their_bytes(made: tuple[pa.Table, tuple[fleet.Planted, ...]]) -> None:
    ends = pa.table({name: made[0][name] for name in ("dst_ip", "dst_ip_bytes", "dst_is_ipv6")})
    for row in ends.group_by(ends.column_names).aggregate([]).to_pylist():
        assert row["dst_ip_bytes"] == address_bytes(row["dst_ip"])
        assert row["dst_is_ipv6"] == (":" in row["dst_ip"])


def test_records_are_numbered_by_machine(connection: duckdb.DuckDBPyConnection) -> None:
    again = "SELECT count(*) - count(DISTINCT (computer_name, record_id)) FROM events"
    assert number(connection, again) == 0


def test_a_size_is_met() -> None:
    wanted = 300_000
    size = fleet.of_size(wanted)
    batches, _ = fleet.generate(size.seed, size.hosts, size.days)
    assert 0.8 < sum(batch.num_rows for batch in batches) / wanted < 1.25
