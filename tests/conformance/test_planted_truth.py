"""That the hunts find what is planted in a fleet's traffic, and rank what is harmless below it.

What is fair to ask of beacons: those to an address that nobody else speaks to stand above everything harmless,
whatever their jitter. What sleeps more than half of the day, or calls an address of a CDN that the whole fleet speaks
to, loses points by design (RITA's histogram, prevalence): it must be found with its period, above most of the harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import fleet
from procwire.event import DERIVED
from procwire.hunts import load
from procwire.hunts.hunt import find

_FLEET = fleet.Fleet(seed=3, hosts=60, days=9)
_KEY = ("computer_name", "process_name", "dst_ip", "dst_port")
_STEADY_JITTER = 0.5

Row = dict[str, Any]


@pytest.fixture(scope="module")
def truth() -> tuple[fleet.Planted, ...]:
    return fleet.Made(_FLEET).truth


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The fleet's events as the view `connections`."""
    batches, _ = fleet.generate(_FLEET.seed, _FLEET.hosts, _FLEET.days)
    derived = ", ".join(f"{field.sql} AS {field.name}" for field in DERIVED)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", pa.Table.from_batches(batches))
        connection.execute(f"CREATE VIEW connections AS SELECT *, {derived} FROM events")
        yield connection


@pytest.fixture(scope="module")
def found(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """What the hunt for beacons says, the best score first."""
    rows: list[Row] = find("beacons", load()).run(connection).read_all().to_pylist()
    return sorted(rows, key=lambda row: (-row["score"], -row["beacon_score"]))


def key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


def planted_keys(truth: tuple[fleet.Planted, ...]) -> set[tuple[Any, ...]]:
    return {tuple(getattr(planted, name) for name in _KEY) for planted in truth}


def beacons(truth: tuple[fleet.Planted, ...]) -> list[fleet.Beacon]:
    return [planted for planted in truth if isinstance(planted, fleet.Beacon)]


def outright(beacon: fleet.Beacon) -> bool:
    """Neither asleep most of the day nor hidden behind an address that all speak to."""
    return not beacon.sleeps and beacon.destination != "cdn"


def row_of(beacon: fleet.Beacon, found: list[Row]) -> Row:
    [row] = [row for row in found if key(row) == tuple(getattr(beacon, name) for name in _KEY)]
    return row


def test_outright_beacons_stand_above_all_that_is_harmless(found: list[Row], truth: tuple[fleet.Planted, ...]) -> None:
    """At every jitter up to 90%, above timers (time service, monitoring, a vendor's agent), too."""
    harmless = max(row["score"] for row in found if key(row) not in planted_keys(truth))
    scores = {beacon: row_of(beacon, found)["score"] for beacon in beacons(truth) if outright(beacon)}
    assert {beacon.jitter for beacon in scores} == {0, 0.1, 0.2, 0.5, 0.9}
    assert [beacon for beacon, score in scores.items() if score <= harmless] == []


def test_beacons_are_found_with_their_period_and_jitter(found: list[Row], truth: tuple[fleet.Planted, ...]) -> None:
    """All with a jitter up to half, within three deviations of medians of so many intervals.

    The median deviation of even jitter is half of its width.
    """
    steady = [beacon for beacon in beacons(truth) if beacon.jitter <= _STEADY_JITTER]
    for beacon in steady:
        row = row_of(beacon, found)
        chance = 0.02 + 3 * beacon.jitter / row["connections"] ** 0.5
        assert row["period_s"] == pytest.approx(beacon.period_s, rel=chance)
        assert row["jitter"] == pytest.approx(beacon.jitter / 2, abs=chance)


def test_sleeping_beacons_are_above_most_that_is_harmless(found: list[Row], truth: tuple[fleet.Planted, ...]) -> None:
    """Ten hours of work leave 14 of 24 bars empty."""
    scores = sorted(row["score"] for row in found if key(row) not in planted_keys(truth))
    sleeping = [beacon for beacon in beacons(truth) if beacon.sleeps and beacon.jitter <= _STEADY_JITTER]
    assert sleeping
    for beacon in sleeping:
        assert row_of(beacon, found)["score"] > scores[len(scores) * 9 // 10], beacon


def test_beacons_behind_a_cdn_are_told_by_their_regularity(found: list[Row], truth: tuple[fleet.Planted, ...]) -> None:
    """Whom all speak to costs 0.15; `beacon_score`, without what is known of the destination, shows them."""
    scores = sorted(row["beacon_score"] for row in found if key(row) not in planted_keys(truth))
    hidden = [beacon for beacon in beacons(truth) if beacon.destination == "cdn" and beacon.jitter <= _STEADY_JITTER]
    assert hidden
    for beacon in hidden:
        assert row_of(beacon, found)["beacon_score"] > scores[len(scores) * 9 // 10], beacon
