"""The hunt for beacons: the published figures, an independent reference, and what the modifiers do."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon_reference import Scores, scores
from event_rows import Row
from hunting_ground import DAY_S, START, connection, found, row, rows
from procwire.hunts import find, load

# Two events that say from when to when the computer was watched; no pair of theirs is scored.
WATCHED = rows([0, DAY_S - 1e-3], process_name="C:\\watch.exe", dst_ip="10.0.0.1", dst_host_name="dc")
Chance = Callable[[random.Random], float]


def times(interval_s: Chance, seed: int = 1, span_s: float = DAY_S - 2) -> list[float]:
    """Times, in milliseconds' steps, whose intervals are drawn by `interval_s`."""
    chance, made, now_s = random.Random(seed), [], 1.0
    while now_s < span_s:
        made.append(round(now_s, 3))
        now_s += interval_s(chance)
    return made


def jittered(share: float, period_s: float = 60) -> Chance:
    """A beacon that sleeps its period less up to `share` of it."""
    return lambda chance: period_s * (1 - share * chance.random())


def only(made: list[Row], **parameters: object) -> Row:
    [one] = [hit for hit in found("beacons", made, **parameters) if hit["process_name"] != "C:\\watch.exe"]
    return one


@pytest.mark.parametrize(("jitter", "timing"), [(0, 1.00), (0.2, 0.97), (0.5, 0.88), (0.9, 0.79)])
def test_timing_of_a_jittered_beacon_is_the_published_figure(jitter: float, timing: float) -> None:
    """60 s beacons over a day."""
    made = [only(WATCHED + rows(times(jittered(jitter), seed))) for seed in range(3)]
    assert mean(hit["timing_score"] for hit in made) == pytest.approx(timing, abs=0.04)
    assert all(hit["beacon_score"] > 0.88 for hit in made)
    assert made[0]["period_s"] == pytest.approx(60 * (1 - jitter / 2), abs=2)


def test_timing_of_chance_is_the_published_figure() -> None:
    """A Poisson process has .51, lognormal intervals .40: below every beacon."""
    poisson = [only(WATCHED + rows(times(lambda chance: chance.expovariate(1 / 60), seed))) for seed in range(3)]
    assert mean(hit["timing_score"] for hit in poisson) == pytest.approx(0.51, abs=0.04)
    assert mean(hit["jitter"] for hit in poisson) == pytest.approx(0.69, abs=0.05)
    lognormal = only(WATCHED + rows(times(lambda chance: chance.lognormvariate(4, 1.5))), min_score=0)
    assert lognormal["timing_score"] == pytest.approx(0.40, abs=0.06)


def reference(times_s: list[float], sizes: list[int]) -> Scores | None:
    # The window is from the first to the last event of the computer, a microsecond more.
    return scores(times_s, DAY_S - 1e-3 + 1e-6, sizes)


@st.composite
def histories(draw: st.DrawFn) -> list[float]:
    """Times of a day: a beacon with jitter, or chance, from somewhere to somewhere, with bursts."""
    seed = draw(st.integers(0, 10**6))
    period_s = draw(st.sampled_from([30, 300, 1800, 3600]))
    share = draw(st.sampled_from([0, 0.2, 0.9, None]))
    interval: Chance = (lambda chance: chance.expovariate(1 / period_s)) if share is None else jittered(share, period_s)
    start_s, end_s = sorted(draw(st.lists(st.integers(0, DAY_S), min_size=2, max_size=2)))
    made = [time for time in times(interval, seed) if start_s <= time <= end_s]
    burst = draw(st.sampled_from([0, 0.25]))
    return made + [round(time + burst, 3) for time in made[::7] if burst]


MACHINES = st.lists(st.tuples(histories(), st.lists(st.integers(0, 5000), max_size=12)), min_size=1, max_size=6)


@settings(max_examples=8, deadline=None)
@given(MACHINES)
def test_scores_are_those_of_the_reference(machines: list[tuple[list[float], list[int]]]) -> None:
    """Every sub-score, to three decimals; each history on a machine of its own, for a hunt asks for all at once."""
    made: list[Row] = []
    expected: dict[str, tuple[Scores, int]] = {}
    for number, (times_s, sizes) in enumerate(machines):
        closes = [row(50, record_kind="close", sent_bytes=size) for size in sizes]
        made += [each | {"computer_name": f"pc-{number}"} for each in WATCHED + rows(times_s) + closes]
        if (reported := reference(times_s, sizes)) is not None:
            expected[f"pc-{number}"] = reported, len(times_s)
    hits = {hit["computer_name"]: hit for hit in found("beacons", made, min_score=0, min_bars=1)}
    assert hits.keys() == expected.keys()
    for computer, (reported, connections) in expected.items():
        for name in ("timing", "histogram", "duration", "size", "beacon"):
            value = getattr(reported, name)
            close = None if value is None else pytest.approx(value, abs=0.0011)
            assert hits[computer][f"{name}_score"] == close, name
        assert hits[computer]["connections"] == connections


def test_each_pair_of_process_and_destination_is_one() -> None:
    """Two processes, ports and computers in the same rhythm are distinguished; a null process is one, too."""
    made = [
        *rows(times(jittered(0.1))),
        *rows(times(jittered(0.1)), dst_port=8443),
        *rows(times(jittered(0.1)), process_name=None),
        *rows(times(jittered(0.1)), computer_name=None),
    ]
    hits = found("beacons", made)
    assert len(hits) == 4
    assert {(hit["computer_name"], hit["process_name"], hit["dst_port"]) for hit in hits} == {
        ("WS-1.corp.example", "C:\\Program Files\\App\\app.exe", 443),
        ("WS-1.corp.example", "C:\\Program Files\\App\\app.exe", 8443),
        ("WS-1.corp.example", None, 443),
        (None, "C:\\Program Files\\App\\app.exe", 443),
    }


def test_noise_is_not_found() -> None:
    """Browsing by day, inbound calls, loopback, ends, and what was open at the start."""
    chance = random.Random(3)
    browsing = [9 * 3600 + start * 1800 + chance.random() * 600 for start in (0, 3, 4, 9) for _ in range(30)]
    regular = times(jittered(0))
    made = [
        *WATCHED,
        *rows(browsing, process_name="C:\\browser.exe"),
        *rows(regular, network_connection_initiated=False),
        *rows(regular, dst_ip="127.0.0.1"),
        *rows(regular, record_kind="close", sent_bytes=10),
        *rows(regular, record_kind="existing"),
        *rows([100, 160, 220], process_name="C:\\three.exe"),
    ]
    assert found("beacons", made) == []


def test_failed_attempts_are_a_beacon_as_well() -> None:
    assert only(WATCHED + rows(times(jittered(0)), record_kind="attempt", outcome="refused"))["timing_score"] == 1


def test_a_beacon_of_one_day_is_found_in_a_month() -> None:
    """Windows of a day: the rest of the month does not dilute it. Its best window is shown."""
    made = [*WATCHED, row(30 * DAY_S, process_name="C:\\watch.exe")]
    made += rows([at_s + 7 * DAY_S for at_s in times(jittered(0.2))])
    hit = only(made)
    assert hit["beacon_score"] > 0.95
    assert hit["first_time"] == START + timedelta(days=7, seconds=1)
    assert only(made, window_hours=24 * 30, min_score=0, min_bars=1)["beacon_score"] < 0.5


def test_of_many_windows_the_luckiest_is_not_shown() -> None:
    """A clock on one day of 16, chance on the others: it counts as the third best of them."""
    chance = [
        at_s + day * DAY_S
        for day in range(16)
        if day != 5
        for at_s in times(lambda chance: chance.expovariate(1 / 1800), seed=day)
    ]
    clock = [at_s + 5 * DAY_S for at_s in times(jittered(0, 1800))]
    made = [*WATCHED, row(16 * DAY_S - 1e-3, process_name="C:\\watch.exe")]
    hit = only(made + rows(chance + clock))
    assert (hit["windows"], hit["timing_score"] < 0.8) == (16, True)
    assert only(made + rows(clock))["timing_score"] == 1


def test_as_many_as_a_strobe_makes_are_left_out() -> None:
    made = WATCHED + rows(times(jittered(0)))
    assert only(made, max_connections=1441)["connections"] == 1440
    assert found("beacons", made, max_connections=1440) == []


def fleet(computers: int, days: int = 1) -> list[Row]:
    """Computers that all talk to one update server now and then."""
    return [
        row(at_s, computer_name=f"PC-{number}", process_name="C:\\up.exe", dst_ip="203.0.113.200", dst_host_name="up")
        for number in range(computers)
        for at_s in (0, days * DAY_S - 1)
    ]


def test_rare_new_and_nameless_destinations_score_higher() -> None:
    """One of 60 computers, first seen on the last of 40 days, without a name: +0.15 +0.15 +0.10."""
    beacon = [row(at_s + 39 * DAY_S, computer_name="PC-7") for at_s in times(jittered(0.5))]
    [hit] = found("beacons", fleet(60, days=40) + beacon)
    base = 0.2 + hit["beacon_score"] - 0.5 if hit["beacon_score"] < 0.9 else 0.6 + (hit["beacon_score"] - 0.9) * 2
    assert hit["score"] == pytest.approx(min(1, base + 0.40), abs=0.003)
    assert "1 of 60 computers talk to it (+0.15)" in hit["why"]
    assert "first seen 0 days before the end (+0.15)" in hit["why"]
    assert "no host name (+0.10)" in hit["why"]
    assert "not comparable with RITA" in hit["why"]


def test_common_and_old_destinations_score_lower() -> None:
    """By the file's name, wherever it lies and however it is written."""
    changes = {"process_name": "D:\\UP.EXE", "dst_ip": "203.0.113.200", "dst_host_name": "up"}
    [hit] = found("beacons", fleet(60, days=40) + rows(times(jittered(0)), **changes))
    assert (hit["beacon_score"], hit["score"]) == (1, 0.5)
    assert "61 of 61 computers talk to it (-0.15); first seen 39 days before the end (-0.15)" in hit["why"]


def test_what_other_programs_talk_to_is_no_excuse() -> None:
    """Neither common nor old by this program, nor rare or new by any: no points either way."""
    changes = {"dst_ip": "203.0.113.200", "dst_host_name": "up"}
    beacon = rows((at_s + 38 * DAY_S for at_s in times(jittered(0))), **changes)
    [hit] = found("beacons", fleet(60, days=40) + beacon)
    assert (hit["beacon_score"], hit["score"]) == (1, 0.8)
    assert "61 of 61 computers talk to it, 1 by this program; first seen 39 days before the end" in hit["why"]
    [nameless] = found("beacons", fleet(60, days=40) + [each | {"process_name": None} for each in beacon])
    assert (nameless["score"], nameless["why"]) == (0.8, hit["why"])


def test_modifiers_wait_until_the_data_can_tell() -> None:
    """One computer, one day, no name anywhere: neither rare nor new nor nameless means anything."""
    hit = only(rows(times(jittered(0))))
    assert (hit["beacon_score"], hit["score"]) == (1, 0.8)


def test_since_scores_what_is_later_and_knows_what_was_before() -> None:
    made = fleet(60, days=40) + [row(at_s, computer_name="PC-7") for at_s in times(jittered(0))]
    assert len(found("beacons", made)) == 1
    assert found("beacons", made, since="2024-05-20") == []
    late = [row(at_s + 38 * DAY_S, computer_name="PC-7") for at_s in times(jittered(0))]
    [hit] = found("beacons", made + late, since="2024-06-08")
    assert "first seen 39 days before the end (-0.15)" in hit["why"]


def test_regular_sizes_count_where_closes_tell_them() -> None:
    made = WATCHED + rows(times(jittered(0)))
    alike = [row(at, record_kind="close", sent_bytes=500) for at in range(0, 40_000, 60)]
    chance = random.Random(5)
    unlike = [{**close, "sent_bytes": int(chance.lognormvariate(8, 2))} for close in alike]
    assert only(made + alike)["size_score"] == 1
    assert only(made + unlike)["size_score"] < 0.6
    assert only(made + unlike)["beacon_score"] < only(made)["beacon_score"]
    assert "sizes alike (1.0)" in only(made + alike)["why"]


def test_best_comes_first() -> None:
    made = [
        *WATCHED,
        *rows(times(jittered(0)), dst_ip="203.0.113.1"),
        *rows(times(jittered(0.9)), dst_ip="203.0.113.2"),
    ]
    assert [hit["dst_ip"] for hit in found("beacons", made)] == ["203.0.113.1", "203.0.113.2"]


def test_nothing_is_found_in_nothing() -> None:
    result = find("beacons", load()).run(connection([])).read_all()
    assert (result.num_rows, result.schema.names[0]) == (0, "score")
