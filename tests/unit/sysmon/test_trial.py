"""What `config test` counts, against the plain way: each configuration again without the rule, each event asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import procwire
from event_rows import Row, full_row
from procwire.event import SCHEMA
from procwire.sysmon.evaluate import decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.measuring.trial import Report, Trial
from procwire.sysmon.model import Configuration, Element, Filter, Operand, Place
from procwire.sysmon.parse import load, parse

CONFIGS = Path(__file__).parents[3] / "examples" / "configs"

IMAGES = ("C:\\Windows\\System32\\svchost.exe", "C:\\a.exe", "C:\\b\\a.exe", None)
PORTS = (80, 443, None)
TESTS = (
    ("Image", "image", "a.exe"), ("Image", "is not", "C:\\a.exe"), ("Image", "contains", "windows"),
    ("Image", "end with", "a.exe"), ("DestinationPort", "is", "443"), ("DestinationPort", "is not", "443"),
    ("DestinationPort", "is any", "80;443"), ("SourcePort", "is", "80"), ("SourcePort", "less than", "9"),
    ("Protocol", "is", "tcp"), ("DestinationHostname", "is", "-"), ("RuleName", "is", "-"), ("RuleName", "is", "x"),
)  # fmt: skip

Texts = dict[str, str | None]


def reported(configuration: Configuration, *batches: pa.RecordBatch) -> Report:
    trial = Trial(configuration)
    for batch in batches:
        trial.add(batch)
    return trial.report()


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([full_row(row) for row in rows], schema=SCHEMA)


def without(configuration: Configuration, place: Place) -> Configuration:
    """The configuration without the element, Rule or filter at a place."""

    def cut(element: Element) -> Element:
        return replace(element, operands=tuple(kept for operand in element.operands for kept in left(operand)))

    def left(operand: Operand) -> list[Operand]:
        if operand.place == place:
            return []
        if isinstance(operand, Filter):
            return [operand]
        filters = tuple(filter_ for filter_ in operand.filters if filter_.place != place)
        return [replace(operand, filters=filters)] if filters else []

    return replace(
        configuration, elements=tuple(cut(element) for element in configuration.elements if element.place != place)
    )


def places(configuration: Configuration) -> list[Place]:
    parts: list[Place] = []
    for element in configuration.network_connect:
        parts += [element.place, *(operand.place for operand in element.operands)]
        parts += [filter_.place for filter_ in element.filters]
    return list(dict.fromkeys(parts))


def sole(configuration: Configuration, place: Place) -> Configuration:
    """A configuration that logs what the part at a place matches: that part alone, in an element that includes."""
    for element in configuration.network_connect:
        if element.place == place:
            return replace(configuration, elements=(replace(element, onmatch="include"),))
        for part in (*element.operands, *element.filters):
            if part.place == place:
                alone = replace(element, onmatch="include", relation="or", operands=(part,))
                return replace(configuration, elements=(alone,))
    raise AssertionError(place)


def decided_places(configuration: Configuration, event: Texts) -> set[Place]:
    """The element that decided, and what in it was asked and matched; of a Rule that matched, its filters too."""
    decision = decide(configuration, event)
    if decision.element is None:
        return set()
    found = {decision.element.place}
    steps = [step for step in decision.steps if step.element is decision.element and step.outcome == "match"]
    matched = {step.operand.place for step in steps if step.operand and step.filter in (None, step.operand)}
    for step in steps:
        if step.operand and step.operand.place in matched:
            found |= {step.operand.place} | ({step.filter.place} if step.filter else set())
    return found


def assert_figures_are_the_plain_ones(configuration: Configuration, batch: pa.RecordBatch) -> None:
    report = reported(configuration, batch.slice(0, 2), batch.slice(2))
    events = [sysmon_texts(row, dns_lookup=configuration.dns_lookup) for row in batch.to_pylist()]
    fates = [decide(configuration, event).logged for event in events]
    decided = Counter(place for event in events for place in decided_places(configuration, event))
    assert (report.events, report.logged) == (len(events), sum(fates))
    assert report.undecided == sum(decide(configuration, event).element is None for event in events)
    assert set(report.figures) == set(places(configuration))
    for place, figures in report.figures.items():
        cut, alone = without(configuration, place), sole(configuration, place)
        fates_without = [decide(cut, event).logged for event in events]
        changes = Counter(zip(fates, fates_without, strict=True))
        assert figures.matched == sum(decide(alone, event).logged for event in events), place
        assert figures.decided == decided[place], place
        assert (figures.more_without, figures.fewer_without) == (changes[False, True], changes[True, False]), place
        assert report.logged_without(place) == sum(fates_without)


@st.composite
def filter_xml(draw: st.DrawFn) -> str:
    field, condition, value = draw(st.sampled_from(TESTS))
    return f'<{field} condition="{condition}">{value}</{field}>'


@st.composite
def rule_xml(draw: st.DrawFn) -> str:
    filters = "".join(draw(st.lists(filter_xml(), min_size=1, max_size=3)))
    return f'<Rule groupRelation="{draw(st.sampled_from(("and", "or")))}">{filters}</Rule>'


@st.composite
def element_xml(draw: st.DrawFn) -> str:
    onmatch, relation = draw(st.sampled_from(("include", "exclude"))), draw(st.sampled_from(("and", "or")))
    operands = "".join(draw(st.lists(st.one_of(filter_xml(), filter_xml(), rule_xml()), max_size=5)))
    return (
        f'<RuleGroup groupRelation="{relation}"><NetworkConnect onmatch="{onmatch}">{operands}</NetworkConnect>'
        "</RuleGroup>"
    )


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    elements = "".join(draw(st.lists(element_xml(), max_size=3)))
    options = draw(st.sampled_from(("", "<DnsLookup>False</DnsLookup>")))
    text = f'<Sysmon schemaversion="4.90">{options}<EventFiltering>{elements}</EventFiltering></Sysmon>'
    return parse(text.encode())


ROWS = st.fixed_dictionaries(
    {
        "process_name": st.sampled_from(IMAGES),
        "src_port": st.sampled_from(PORTS),
        "dst_port": st.sampled_from(PORTS),
        "network_protocol": st.sampled_from(("tcp", "udp", None)),
        "dst_host_name": st.sampled_from(("host", None)),
    }
)


@settings(max_examples=150, deadline=None)
@given(configurations(), st.lists(ROWS, min_size=1, max_size=8))
def test_figures_are_those_of_a_configuration_without_the_rule(configuration: Configuration, rows: list[Row]) -> None:
    """Every figure of every element, Rule and filter, of random configurations, some events lacking a port."""
    assert_figures_are_the_plain_ones(configuration, batch_of(rows))


CONFIGURATION = parse(
    b"""<Sysmon schemaversion="4.90"><EventFiltering>
<RuleGroup groupRelation="or"><NetworkConnect onmatch="include">
<Image condition="image">a.exe</Image>
<Rule groupRelation="and">
<DestinationPort>443</DestinationPort>
<Protocol>tcp</Protocol>
</Rule>
<DestinationPort>443</DestinationPort>
<User>nobody</User>
</NetworkConnect></RuleGroup>
<RuleGroup groupRelation="or"><NetworkConnect onmatch="exclude">
<DestinationPort>53</DestinationPort>
</NetworkConnect></RuleGroup>
</EventFiltering></Sysmon>"""
)


def figures(report: Report, line: int) -> tuple[int, int, int, int]:
    [found] = [found for place, found in report.figures.items() if place.line == line]
    return found.matched, found.decided, found.more_without, found.fewer_without


def test_figures_counted_by_hand() -> None:
    """Of 10 connections: 4 of a.exe (2 to port 53), 3 to 443 by tcp, 1 by udp, 2 that nothing matches."""
    web: Row = {"process_name": "C:\\b.exe", "dst_port": 443, "network_protocol": "tcp"}
    rows: list[Row] = [{"process_name": "C:\\a.exe", "dst_port": port} for port in (80, 80, 53, 53)]
    rows += [web] * 3 + [web | {"network_protocol": "udp"}] + [web | {"dst_port": 80}] * 2
    report = reported(CONFIGURATION, batch_of(rows[:5]), batch_of([]), batch_of(rows[5:]))
    assert (report.events, report.logged, report.undecided) == (10, 6, 2)
    assert figures(report, 2) == (8, 6, 2, 0)  # without it, what line 12 does not exclude is logged by default
    assert figures(report, 3) == (4, 2, 0, 2)
    assert figures(report, 4) == (3, 3, 0, 0)  # line 8 matches the same
    assert figures(report, 5) == (4, 3, 2, 0)
    assert figures(report, 6) == (5, 3, 0, 0)
    assert figures(report, 8) == (4, 1, 0, 1)
    assert figures(report, 9) == (0, 0, 0, 0)
    assert figures(report, 11) == (2, 2, 2, 0)
    assert figures(report, 12) == (2, 2, 2, 0)


def test_nothing_counted_gives_zeros() -> None:
    report = reported(CONFIGURATION)
    assert (report.events, report.logged, report.undecided) == (0, 0, 0)
    assert {figures(report, line) for line in (2, 3, 4, 5, 6, 8, 9, 11, 12)} == {(0, 0, 0, 0)}


@pytest.mark.parametrize("config", sorted(path.name for path in CONFIGS.glob("*.xml")))
def test_figures_of_the_starters_over_a_real_log_are_the_plain_ones(config: str, example_log: Path) -> None:
    batch = procwire.read(example_log, limit=40).combine_chunks().to_batches()[0]
    assert_figures_are_the_plain_ones(load(CONFIGS / config), batch)
