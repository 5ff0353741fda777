"""What `check` says of a configuration is so, of every event: what does nothing can go, what never matches never does.

Texts are short and of few letters, so that filters meet, imply and contradict each other often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import combinations, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from procwire.sysmon.check import check
from procwire.sysmon.checks.implication import contradicts, fills, implies
from procwire.sysmon.checks.verdicts import outcome
from procwire.sysmon.conditions import matches
from procwire.sysmon.evaluate import decide
from procwire.sysmon.manifest import CONDITIONS, NETWORK_FIELDS
from procwire.sysmon.model import Configuration, Element, Filter, OnMatch, Operand, Place, Relation, Rule

texts = st.text("aB\\", min_size=1, max_size=5)
conditions = st.sampled_from(sorted(CONDITIONS))
SETTINGS = settings(deadline=None, max_examples=300)


def filter_of(field: str, condition: str, value: str, name: str = "", line: int = 1) -> Filter:
    return Filter(field, condition, value, name, Place(line, 1))


def every_text(letters: str, longest: int) -> list[str]:
    return ["".join(each) for length in range(longest + 1) for each in product(letters, repeat=length)]


def test_logic_of_two_filters_holds_for_every_text() -> None:
    """Of all pairs of filters with short values, over all short texts."""
    some = every_text("ab\\", 4)[1:]
    some_filters = [filter_of("Image", *each) for each in product(CONDITIONS, every_text("Ab\\;", 2))]
    matched = {
        filter_: sum(matches(filter_.condition, filter_.value, text) << bit for bit, text in enumerate(some))
        for filter_ in some_filters
    }
    every = (1 << len(some)) - 1
    for (one, by_one), (other, by_other) in product(matched.items(), repeat=2):
        assert not (by_one & ~by_other and implies(one, other)), (one, other)
        assert not (by_one & by_other and contradicts(one, other)), (one, other)
        assert (by_one | by_other) == every or not fills(one, other), (one, other)


def test_logic_sees_what_there_is_to_see() -> None:
    """Nothing said would be right as well."""
    contains, begins = filter_of("Image", "contains", "a"), filter_of("Image", "begin with", "AB")
    assert implies(begins, contains)
    assert not implies(contains, begins)
    assert contradicts(begins, filter_of("Image", "excludes", "b"))
    assert fills(filter_of("Image", "is not", "a"), filter_of("Image", "is not", "b"))


EVENTS = st.fixed_dictionaries(
    {
        "RuleName": st.just("-"),
        "UtcTime": st.datetimes(datetime(2012, 1, 1)).map(
            lambda time: f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03}"
        ),
        "ProcessGuid": st.uuids().map(lambda guid: "{" + str(guid).upper() + "}"),
        "ProcessId": st.integers(0, 0xFFFF_FFFF).map(str),
        "Image": st.sampled_from(["-", "System", "<unknown process>", r"C:\a b\c.exe", "/usr/bin/wget", r"\\s\x.exe"]),
        "User": st.sampled_from(["-", r"NT AUTHORITY\SYSTEM", "root"]),
        "Protocol": st.sampled_from(["tcp", "udp", "-"]),
        **dict.fromkeys(("Initiated", "SourceIsIpv6", "DestinationIsIpv6"), st.sampled_from(["true", "false"])),
        **dict.fromkeys(
            ("SourceIp", "DestinationIp"),
            st.ip_addresses(v=4).map(str)
            | st.lists(st.sampled_from(["0", "1", "10", "fe80", "a0b"]), min_size=8, max_size=8).map(":".join)
            | st.just("-"),
        ),
        **dict.fromkeys(("SourceHostname", "DestinationHostname"), st.sampled_from(["-", "a.example.com", "h-1"])),
        **dict.fromkeys(("SourcePort", "DestinationPort"), st.integers(0, 0xFFFF).map(str)),
        **dict.fromkeys(("SourcePortName", "DestinationPortName"), st.sampled_from(["-", "https", "ms-wbt-server"])),
    }
)


@st.composite
def filters_near_events(draw: st.DrawFn) -> tuple[Filter, Mapping[str, str]]:
    """A filter whose value is a part of the event's own text, or that with something put in."""
    event = draw(EVENTS)
    field = draw(st.sampled_from(NETWORK_FIELDS))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(event[field]))] * 2)))
    value = draw(st.sampled_from([event[field], event[field][start:end]]))
    put_in = draw(st.sampled_from(["", "", " ", ";", "0", "::", "*", "/"]))
    return filter_of(field, draw(conditions), draw(st.sampled_from([value + put_in, put_in + value]))), event


NO_RULES = Configuration("x", (4, 90), (), True, {}, ())


@SETTINGS
@given(filters_near_events())
def test_what_never_or_always_matches_does(drawn: tuple[Filter, Mapping[str, str]]) -> None:
    filter_, event = drawn
    if result := outcome(filter_, NO_RULES):
        assert matches(filter_.condition, filter_.value, event[filter_.field]) == (result == "always")


@pytest.mark.parametrize("field", NETWORK_FIELDS)
@given(EVENTS)
@settings(deadline=None, max_examples=10)
def test_no_part_of_a_real_text_is_called_impossible(field: str, event: Mapping[str, str]) -> None:
    """Every part of what an event holds, asked for as a part."""
    text = event[field]
    assert outcome(filter_of(field, "is", text), NO_RULES) is None
    for start, end in combinations(range(len(text) + 1), 2):
        wanted = ["contains"] + ["begin with"] * (start == 0) + ["end with"] * (end == len(text))
        for condition in wanted:
            assert outcome(filter_of(field, condition, text[start:end]), NO_RULES) is None, text[start:end]


@SETTINGS
@given(st.sampled_from(NETWORK_FIELDS), conditions, st.text("0123456789.:/*;%\\-{} aéİ٣\n", max_size=12), st.booleans())
@example("ProcessId", "is", "9" * 5_000, True)
@example("DestinationPort", "less than", "9" * 5_000, True)
@example("DestinationIp", "is", f"10.0.0.0/{'9' * 5_000}", True)
@example("Image", "contains any", ";", True)
def test_any_value_can_be_checked(field: str, condition: str, value: str, dns_lookup: bool) -> None:
    """Findings are lines, whatever is in a value."""
    operand = filter_of(field, condition, value)
    element = Element("NetworkConnect", "include", "or", True, "", (operand,), Place(1, 1))
    for finding in check(replace(NO_RULES, elements=(element,), dns_lookup=dns_lookup)):
        assert finding.text.startswith("found ")
        assert "\n" not in finding.text


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """A few elements with a few operands each, every one on a line of its own."""
    lines = iter(range(1, 10_000))
    names = st.sampled_from(["", "n", "m"])
    relations: st.SearchStrategy[Relation] = st.sampled_from(["and", "or"])
    kinds: st.SearchStrategy[OnMatch] = st.sampled_from(["include", "exclude"])

    def filter_() -> Filter:
        field = draw(st.sampled_from(["Image", "User"]))
        return filter_of(field, draw(conditions), draw(st.text("Ab\\", max_size=3)), draw(names), next(lines))

    def operand() -> Operand:
        if draw(st.integers(0, 3)):
            return filter_()
        line = next(lines)
        rule_filters = tuple(filter_() for _ in range(draw(st.integers(1, 3))))
        return Rule(draw(relations), rule_filters, "", Place(line, 1))

    def element() -> Element:
        line = next(lines)
        operands = tuple(operand() for _ in range(draw(st.integers(0, 4))))
        return Element("NetworkConnect", draw(kinds), draw(relations), True, "", operands, Place(line, 1))

    return replace(NO_RULES, elements=tuple(element() for _ in range(draw(st.integers(1, 3)))))


def without(configuration: Configuration, place: Place) -> Configuration:
    """A configuration without what stands at a place; an element stays, with nothing in it."""

    def cut(element: Element) -> Element:
        if element.place == place:
            return replace(element, operands=())
        kept = [operand for operand in element.operands if operand.place != place]
        rules = [
            replace(operand, filters=tuple(filter_ for filter_ in operand.filters if filter_.place != place))
            if isinstance(operand, Rule)
            else operand
            for operand in kept
        ]
        return replace(element, operands=tuple(rules))

    return replace(configuration, elements=tuple(map(cut, configuration.elements)))


IMAGES_AND_USERS = st.fixed_dictionaries({"Image": texts, "User": texts})


CLAIMS = (" again: ", "does nothing: ", "never includes", "> that never matches")


@settings(deadline=None, max_examples=150)
@given(configurations(), st.lists(IMAGES_AND_USERS, min_size=5, max_size=10))
def test_what_does_nothing_can_go(configuration: Configuration, events: list[dict[str, str]]) -> None:
    """The same is logged without it, and but for repeats under the same name."""
    # A Rule that never matches makes its AND element never match, so that cannot go.
    needed = {
        each.place for element in configuration.elements if element.relation == "and" for each in element.operands
    }
    for finding in check(configuration):
        never = CLAIMS[-1] in finding.text
        if not any(claim in finding.text for claim in CLAIMS) or (never and finding.place in needed):
            continue
        rest = without(configuration, finding.place)
        for event in events:
            before, after = (decide(each, event) for each in (configuration, rest))
            assert before.logged == after.logged, finding
            assert before.rule_name == after.rule_name or CLAIMS[0] in finding.text, finding


@SETTINGS
@given(configurations(), IMAGES_AND_USERS)
def test_what_includes_or_excludes_everything_does(configuration: Configuration, event: dict[str, str]) -> None:
    reported = [finding.text for finding in check(configuration)]
    decision = decide(configuration, event)
    if any("so everything is excluded" in text for text in reported):
        assert not decision.logged
    if any("so no network connection is logged" in text for text in reported):
        assert not decision.logged
    if any("so everything is included" in text for text in reported) and not decision.logged:
        assert decision.element is not None
        assert decision.element.onmatch == "exclude"
