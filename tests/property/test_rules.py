"""On random configurations and events the SQL and `ConfigFilter` say what the slow, obvious reference says."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_rules import Sample, events, placeless, samples

from event_rows import Row
from procwire.event import SCHEMA
from procwire.matching import combinations, value_classes
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse
from rule_cases import Verdict, batch_of, by_reference, by_rules, by_sql

rows = st.lists(events, min_size=1, max_size=12)
many = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@many
@given(samples())
def test_parsing_gives_what_was_written(sample: Sample) -> None:
    """Relations, conditions, values, the names that are inherited, and their order."""
    parsed = parse(sample.xml.encode())
    assert tuple(map(placeless, parsed.elements)) == sample.configuration.elements
    assert parsed.dns_lookup == sample.configuration.dns_lookup
    # An element with an empty CDATA, or a Rule of one field, is nothing to complain of.
    assert parsed.findings == ()


@many
@given(samples(), rows, st.booleans())
def test_sql_and_rules_are_the_reference(sample: Sample, rows: list[Row], strict: bool) -> None:
    """The compiled expression, and what `read` and `record` use, give what each row's steps give."""
    expected = by_reference(sample.configuration, rows, strict=strict)
    assert by_sql(sample.configuration, rows, strict=strict) == expected
    assert by_rules(sample.configuration, rows, strict=strict) == expected


@many
@given(samples(leaving_names=True), rows)
def test_stale_names_are_the_reference(sample: Sample, rows: list[Row]) -> None:
    """The same with Sysmon's bug, on configurations that show it often."""
    expected = by_reference(sample.configuration, rows, strict=True)
    assert by_sql(sample.configuration, rows, strict=True) == expected
    assert by_rules(sample.configuration, rows, strict=True) == expected


@many
@given(samples(), st.lists(rows, max_size=4), st.booleans())
def test_rules_forget_nothing_between_batches(sample: Sample, batches: list[list[Row]], strict: bool) -> None:
    """What is learnt of one batch is right for the next."""
    rules = ConfigFilter(sample.configuration, strict=strict)
    for rows in batches:
        expected = by_reference(sample.configuration, rows, strict=strict)
        assert rules.names(batch_of(rows)).to_pylist() == expected


@pytest.mark.parametrize(
    ("module", "limit", "value"),
    [
        (value_classes, "_KNOWN_VALUES", 0),
        (value_classes, "_KNOWN_VALUES", 2),
        (combinations, "_KNOWN_COMBINATIONS", 0),
        (combinations, "_KNOWN_COMBINATIONS", 2),
        (combinations, "_LARGEST_CODE", 3),
        (combinations, "_LARGEST_CODE", 40),
    ],
)
@settings(many, max_examples=40)
@given(samples(), st.lists(rows, min_size=2, max_size=3))
def test_rules_beyond_their_limits(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    limit: str,
    value: int,
    sample: Sample,
    batches: list[list[Row]],
) -> None:
    """Full memory starts over, and large numbers are renumbered."""
    monkeypatch.setattr(module, limit, value)
    rules = ConfigFilter(sample.configuration)
    for rows in batches:
        assert rules.names(batch_of(rows)).to_pylist() == by_reference(sample.configuration, rows)


@many
@given(samples(), rows)
def test_rows_are_kept_or_left_out(sample: Sample, rows: list[Row]) -> None:
    """The rows that are logged stay, in their order and with the rule's name; or all do, marked."""
    verdicts = by_reference(sample.configuration, rows)
    logged = [row | {"rule_name": _reported(verdict)} for row, verdict in zip(rows, verdicts, strict=True) if verdict]
    marked = [row | {"rule_name": _reported(verdict)} for row, verdict in zip(rows, verdicts, strict=True)]
    batch = batch_of(rows)
    assert ConfigFilter(sample.configuration)(batch).to_pylist() == _written(sample.configuration, logged)
    kept = ConfigFilter(sample.configuration, keep=True)(batch)
    assert kept.column("logged").to_pylist() == [verdict is not None for verdict in verdicts]
    assert kept.select(SCHEMA.names).to_pylist() == _written(sample.configuration, marked)


def _reported(verdict: Verdict) -> str | None:
    return None if verdict == "-" else verdict


def _written(configuration: Configuration, rows: list[Row]) -> list[Row]:
    names = ("src_host_name", "src_port_name", "dst_host_name", "dst_port_name")
    blank: Row = {} if configuration.dns_lookup else dict.fromkeys(names)
    return cast(list[Row], batch_of([row | blank for row in rows]).to_pylist())
