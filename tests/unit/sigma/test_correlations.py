"""Correlation rules: what they count, over a time that slides, and when they are reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from procwire.engine import connect
from procwire.sigma import SigmaStream, detect
from sigma_cases import Event, batch_of, document, loaded

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
BASE = document("Image: 'a'").replace("title: A", "title: A\nname: base")


def after(seconds: float, **fields: Any) -> Event:
    return {"UtcTime": START + timedelta(seconds=seconds), "Image": "a", "Computer": "PC", **fields}


def rule(correlation: str) -> str:
    body = "\n".join(f"    {line}" for line in correlation.strip().splitlines())
    return f"title: C\nlevel: high\ncorrelation:\n{body}"


def counted(kind: str, condition: str, more: str = "group-by: [Computer]") -> str:
    return rule(f"type: {kind}\nrules: [base]\ntimespan: 1m\n{more}\ncondition:\n{condition}")


def live(text: str, events: Sequence[Event]) -> list[dict[str, Any]]:
    """What a stream reports, event by event."""
    found = loaded(BASE, text)
    assert not found.problems
    stream = SigmaStream(found)
    return [match for event in events for match in stream.matches(batch_of([event])).to_pylist()]


def at_rest(text: str, events: Sequence[Event], *documents: str) -> list[dict[str, Any]]:
    """What a log reports, in any order of its rows."""
    found = loaded(*(documents or (BASE,)), text)
    assert not found.problems
    with connect() as connection:
        connection.register("connections", pa.Table.from_batches([batch_of([*events][::-1])]))
        matches: list[dict[str, Any]] = detect(connection, found).read_all().to_pylist()
    return matches


def seconds(match: dict[str, Any]) -> tuple[float, float]:
    first, last = match["first_seen"] - START, match["last_seen"] - START
    return first.total_seconds(), last.total_seconds()


def shown_text(matches: Sequence[dict[str, Any]]) -> list[tuple[int, float, tuple[float, float]]]:
    return [(match["correlated_events"], match["correlated_value"], seconds(match)) for match in matches]


def test_count_over_a_time_that_slides() -> None:
    """Three within a minute, whenever it begins; buckets of a minute would hold two each."""
    text = counted("event_count", "  gte: 3")
    events = [after(second) for second in (50, 58, 65, 200, 262, 324)]
    assert shown_text(live(text, events)) == [(3, 3, (50, 65))]
    assert shown_text(at_rest(text, events)) == [(3, 3, (50, 65))]


def test_end_of_the_time_belongs_to_it() -> None:
    text = counted("event_count", "  gte: 2")
    assert len(at_rest(text, [after(0), after(60)])) == 1
    assert len(at_rest(text, [after(0), after(60.000001)])) == 0


def test_stream_is_reported_once_until_it_is_over() -> None:
    """When it begins; a log reports how many there were, and until when."""
    text = counted("event_count", "  gt: 1")
    events = [after(second) for second in (0, 10, 20, 30, 200, 210)]
    assert shown_text(live(text, events)) == [(2, 2, (0, 10)), (2, 2, (200, 210))]
    assert shown_text(at_rest(text, events)) == [(4, 4, (0, 30)), (2, 2, (200, 210))]


def test_streams_of_one_rule_set_remember_nothing_of_each_other() -> None:
    """Rules are data: what correlations have seen is the stream's, and a set can be run any number of times."""
    found = loaded(BASE, counted("event_count", "  gt: 1"))
    first, second = batch_of([after(0)]), batch_of([after(10)])
    stream = SigmaStream(found)
    stream.matches(first)
    assert [match["rule_title"] for match in stream.matches(second).to_pylist()] == ["C"]
    assert SigmaStream(found).matches(second).num_rows == 0
    assert SigmaStream(found).matches(pa.concat_batches([first, second])).num_rows == 1


def test_groups_do_not_mix() -> None:
    """Values of `group-by` are reported, and stand in the event's columns; what is missing is a value of its own."""
    text = counted("event_count", "  gte: 2", "group-by: [Computer, DestinationIp]")
    ends = (("PC", "10.0.0.1"), ("PC", "10.0.0.2"), (None, None), ("PC", "10.0.0.1"), (None, None))
    events = [after(second, Computer=name, DestinationIp=ip) for second, (name, ip) in enumerate(ends)]
    one, two = at_rest(text, events)
    assert json.loads(one["matched"]) == {"Computer": "PC", "DestinationIp": "10.0.0.1"}
    assert (one["computer_name"], one["dst_ip"], one["process_name"]) == ("PC", "10.0.0.1", None)
    assert (one["rule_title"], one["rule_level"]) == ("C", "high")
    assert json.loads(two["matched"]) == {"Computer": None, "DestinationIp": None}


def test_without_groups() -> None:
    assert len(at_rest(counted("event_count", "  gte: 2", ""), [after(0), after(1, Computer="X")])) == 1


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("  eq: 2", [2]),
        ("  neq: 2", [1, 3]),
        ("  lt: 2", [1]),
        ("  lte: 2", [1]),
        ("  gte: 2\n  lte: 3", [2]),
        ("  gt: 3", []),
    ],
)
def test_conditions(condition: str, counts: list[int]) -> None:
    """Of three events, the counts at which it begins to hold."""
    matches = live(counted("event_count", condition), [after(0), after(1), after(2)])
    assert [match["correlated_value"] for match in matches] == counts


def test_distinct_values() -> None:
    """As a scan of ports has them; what is missing is none."""
    text = counted("value_count", "  field: DestinationPort\n  gte: 3")
    ports = (1, 2, 2, None, 1, 3)
    events = [after(second, DestinationPort=port) for second, port in enumerate(ports)]
    assert shown_text(at_rest(text, events)) == [(6, 3, (0, 5))]
    spread = [after(40 * place, DestinationPort=port) for place, port in enumerate((1, 2, 3))]
    assert at_rest(text, spread) == []


@pytest.mark.parametrize(
    ("kind", "condition", "figure"),
    [
        ("value_sum", "  gte: 60", 60),
        ("value_avg", "  gte: 20", 20),
        ("value_median", "  gte: 20", 20),
        ("value_percentile", "  percentile: 75\n  gte: 25", 25),
    ],
)
def test_numbers(kind: str, condition: str, figure: float) -> None:
    """Over 10, 20 and 30, which came within the time."""
    text = counted(kind, f"  field: SourcePort\n{condition}")
    events = [after(0, SourcePort=1), *(after(100 + port, SourcePort=port) for port in (10, 20, 30)), after(131)]
    [match] = live(text, events)
    assert match["correlated_value"] == figure


TWO = (BASE, document("Image: 'b'").replace("title: A", "title: B\nname: second"))


def two(kind: str, more: str = "") -> str:
    return rule(f"type: {kind}\nrules: [base, second]\ntimespan: 1m\ngroup-by: [Computer]\n{more}")


def test_temporal() -> None:
    """Each of the rules, in whatever order, of one group."""
    text = two("temporal")
    a, b = after(0), after(30, Image="b")
    assert shown_text(at_rest(text, [a, b], *TWO)) == [(2, 2, (0, 30))]
    assert shown_text(at_rest(text, [after(0, Image="b"), after(30)], *TWO)) == [(2, 2, (0, 30))]
    assert at_rest(text, [a, after(61, Image="b")], *TWO) == []
    assert at_rest(text, [a, after(30, Image="b", Computer="X")], *TWO) == []
    assert at_rest(text, [a, after(5)], *TWO) == []


def test_temporal_ordered() -> None:
    """One after the other, within the time from the first to the last."""
    text = two("temporal_ordered")
    assert len(at_rest(text, [after(0), after(30, Image="b")], *TWO)) == 1
    assert at_rest(text, [after(0, Image="b"), after(30)], *TWO) == []
    assert at_rest(text, [after(0), after(61, Image="b")], *TWO) == []
    # The second `a` is the one that counts.
    assert len(at_rest(text, [after(0), after(50), after(70, Image="b")], *TWO)) == 1


def test_one_event_is_not_two_steps() -> None:
    """Though both rules match it."""
    same = (BASE, document("Image: 'a'").replace("title: A", "title: B\nname: second"))
    assert at_rest(two("temporal_ordered"), [after(0)], *same) == []
    assert len(at_rest(two("temporal_ordered"), [after(0), after(1)], *same)) == 1
    assert len(at_rest(two("temporal"), [after(0)], *same)) == 1


def test_condition_of_rules() -> None:
    text = rule("type: temporal\ntimespan: 1m\ngroup-by: [Computer]\ncondition: base and not second")
    assert len(at_rest(text, [after(0)], *TWO)) == 1
    assert at_rest(text, [after(0, Image="b"), after(1)], *TWO) == []
    assert len(at_rest(text, [after(0, Image="b"), after(100)], *TWO)) == 1


def test_aliases() -> None:
    """What one rule calls the source is the destination of another."""
    text = two("temporal", "aliases:\n  peer:\n    base: DestinationIp\n    second: SourceIp").replace(
        "[Computer]", "[peer]"
    )
    events = [after(0, DestinationIp="10.0.0.1"), after(1, Image="b", SourceIp="10.0.0.1", DestinationIp="10.0.0.2")]
    [match] = at_rest(text, events, *TWO)
    assert json.loads(match["matched"]) == {"peer": "10.0.0.1"}
    assert at_rest(text, [events[0], {**events[1], "SourceIp": "10.0.0.3"}], *TWO) == []


def test_own_matches_of_its_rules() -> None:
    """They are reported only where `generate` says so."""
    text = counted("event_count", "  gte: 2")
    events = [after(0), after(1)]
    assert [match["rule_title"] for match in at_rest(text, events)] == ["C"]
    generating = text.replace("timespan", "generate: true\n    timespan")
    assert sorted(match["rule_title"] for match in at_rest(generating, events)) == ["A", "A", "C"]
    assert [match["rule_title"] for match in live(generating, events)] == ["A", "A", "C"]


def test_time_of_the_log_where_the_event_has_none() -> None:
    text = counted("event_count", "  gte: 2")
    events = [{**after(0), "UtcTime": None, "TimeCreated": START}, after(1)]
    assert len(at_rest(text, events)) == 1
    assert at_rest(text, [{**event, "UtcTime": None} for event in (after(0), after(1))]) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (counted("event_count", "  gte: 2").replace("[base]", "[other]"), "found no rule other, to which it refers"),
        (counted("event_count", "  gte: 2").replace("1m", "1x"), "Timespan '1x' is invalid."),
        (counted("value_count", "  gte: 2"), "Value count correlation rule without field reference"),
        (counted("value_sum", "  field: Image\n  gte: 2"), "found value_sum of Image, expected a field of numbers"),
        (counted("event_count", "  gte: 2", "group-by: [Colour]"), "found field Colour, which connections do not have"),
        (counted("event_count", "  atleast: 2"), "Sigma correlation condition must have exactly one condition item"),
        (counted("sometimes", "  gte: 2"), "'sometimes' is no valid Sigma correlation type"),
    ],
)
def test_correlation_with_a_problem(text: str, reason: str) -> None:
    found = loaded(BASE, text)
    assert [rule.title for rule in found.rules] == ["A"]
    assert [problem.reason for problem in found.problems] == [reason]


def test_correlation_of_a_rule_with_a_problem() -> None:
    found = loaded(BASE.replace("Image", "Colour"), counted("event_count", "  gte: 2"))
    assert found.rules == ()
    assert found.problems[1].reason == (
        "refers to base, which does not run: found field Colour, which connections do not have"
    )
