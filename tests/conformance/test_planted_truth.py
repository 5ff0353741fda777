"""That the hunts find what is planted in a fleet's traffic, and rank what is harmless below it.

Among the harmless there is what looks like an intruder: timers, administrators, a nightly inventory, servers of
developers.
What is fair to ask of beacons: those to an address that nobody else speaks to stand above everything harmless,
whatever their jitter. What sleeps more than half of the day loses points by design (RITA's histogram), and what calls
an address of a CDN that the whole fleet speaks to gains none for being rare or new: it must be found with its period,
above most of the harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

import fleet
import procwire
from procwire.hunts import load
from procwire.hunts.hunt import find
from procwire.query import Database

_FLEET = fleet.Fleet(seed=3, hosts=60, days=8)
_KEY = ("computer_name", "process_name", "dst_ip", "dst_port")
_STEADY_JITTER = 0.5
_FINDERS: dict[fleet.Kind, str] = {
    "port-scan": "port_scans",
    "host-sweep": "fan_out",
    "lateral-movement": "lateral_movement",
    "strobe": "strobes",
    "system-binary": "system_binaries",
    "listener": "listeners",
    "port-mismatch": "port_mismatch",
    "first-seen": "first_seen",
}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def truth() -> tuple[fleet.Planted, ...]:
    return fleet.Made(_FLEET).truth


@pytest.fixture(scope="module")
def connection() -> Iterator[Database]:
    """The fleet's events as the view `connections`."""
    batches, _ = fleet.generate(_FLEET.seed, _FLEET.hosts, _FLEET.days)
    with procwire.connect(pa.Table.from_batches(batches)) as connection:
        yield connection


@pytest.fixture(scope="module")
def found(connection: Database) -> list[Row]:
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
    """Ten hours of work leave 14 of 24 bars empty, which costs them the histogram's third. Above half of the harmless
    pairs that are shown; and those are few of all pairs."""
    scores = sorted(row["score"] for row in found if key(row) not in planted_keys(truth))
    sleeping = [beacon for beacon in beacons(truth) if beacon.sleeps and beacon.jitter <= _STEADY_JITTER]
    assert sleeping
    for beacon in sleeping:
        assert row_of(beacon, found)["score"] > scores[len(scores) // 2], beacon


def test_beacons_behind_a_cdn_are_above_most_that_is_harmless(
    found: list[Row], truth: tuple[fleet.Planted, ...]
) -> None:
    """Browsers speak to the address all over the fleet, which is no excuse for another program."""
    scores = sorted(row["score"] for row in found if key(row) not in planted_keys(truth))
    hidden = [beacon for beacon in beacons(truth) if beacon.destination == "cdn" and beacon.jitter <= _STEADY_JITTER]
    assert hidden
    for beacon in hidden:
        row = row_of(beacon, found)
        assert row["score"] > scores[len(scores) * 9 // 10], beacon
        assert "computers talk to it, 1 by this program;" in row["why"]


@pytest.fixture(scope="module")
def hunted(connection: Database) -> dict[fleet.Kind, list[Row]]:
    """What each kind's hunt says."""
    hunts = load()
    return {kind: find(name, hunts).run(connection).read_all().to_pylist() for kind, name in _FINDERS.items()}


def tells_of(row: Row, planted: fleet.Planted) -> bool:
    """Whether a row has the planted thing's computer and program, and its destination as far as either has one."""
    port = row.get("dst_port", row.get("port", planted.dst_port))
    return (
        (row["computer_name"], row["process_name"]) == (planted.computer_name, planted.process_name)
        and planted.dst_ip in (None, row.get("dst_ip", planted.dst_ip))
        and planted.dst_port in (None, port)
    )


@pytest.mark.parametrize("kind", _FINDERS)
def test_what_is_planted_is_hunted_down(
    hunted: dict[fleet.Kind, list[Row]], truth: tuple[fleet.Planted, ...], kind: fleet.Kind
) -> None:
    rows = hunted[kind]
    missed = [one for one in truth if one.kind == kind and not any(tells_of(row, one) for row in rows)]
    assert missed == []


def test_every_kind_has_its_hunt() -> None:
    assert {"beacon", *_FINDERS} == set(fleet.KINDS)


@pytest.mark.parametrize("kind", ["port-scan", "strobe", "port-mismatch"])
def test_nothing_harmless_looks_like_it(
    hunted: dict[fleet.Kind, list[Row]], truth: tuple[fleet.Planted, ...], kind: fleet.Kind
) -> None:
    """In ten thousands of pairs of processes and destinations."""
    intruders = {(planted.computer_name, planted.process_name) for planted in truth}
    rows = hunted[kind]
    assert rows
    assert [row for row in rows if (row["computer_name"], row["process_name"]) not in intruders] == []


@pytest.mark.parametrize("kind", ["host-sweep", "lateral-movement", "system-binary", "listener"])
def test_what_is_planted_stands_first(
    hunted: dict[fleet.Kind, list[Row]], truth: tuple[fleet.Planted, ...], kind: fleet.Kind
) -> None:
    """Before the inventory's sweeps, administrators, and Windows' own rundll32."""
    intruders = {(planted.computer_name, planted.process_name) for planted in truth}
    first = hunted[kind][0]
    assert (first["computer_name"], first["process_name"]) in intruders


@pytest.mark.parametrize("name", ["first_seen", "rare_destinations"])
def test_browsing_stands_below_all_that_is_planted(
    connection: Database, truth: tuple[fleet.Planted, ...], name: str
) -> None:
    """Thousands of places are new and rare that somebody's browser went to."""
    intruders = {(planted.computer_name, planted.process_name) for planted in truth}
    strangers = {planted.dst_ip for planted in truth} - {None}
    rows = find(name, load()).run(connection).read_all().to_pylist()
    is_planted = [
        row["dst_ip"] in strangers or (row["computer_name"], row.get("process_name")) in intruders for row in rows
    ]
    assert 20 < sum(is_planted) < len(rows) / 5
    assert all(is_planted[: sum(is_planted)])
