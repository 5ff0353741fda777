"""On random rules and events the SQL and the matcher say what the specification says, and matches come with reasons."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from procwire.sigma import SigmaStream
from sigma_cases import LINUX, WINDOWS, Event, batch_of, by_matches, by_reference, by_sql, loaded

many = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])

TEXT_FIELDS = ("Image", "CommandLine", "DestinationHostname")
ADDRESSES = ("10.0.0.1", "10.0.1.0", "::1", "fe80::a:0:1", "::ffff:10.0.0.1", "2603:1006::ff", "local")
NETWORKS = ("10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "::/0", "::1/128", "fe80::/10", "::ffff:0:0/96", "2603:1006::/40")
ADDRESS_VALUES = (*ADDRESSES, "0:0:0:0:0:0:0:1", "10.*", "fe80:0:*", "*:1", "*", "?", "FE80::A:0:1", "0*")
REGEXES = ("a", "^A", "b$", "a.b", "[ab]+b", "(a|\\*)c?", "^$", "\\\\")
PIECES = ("a", "A", "b", "é", "É", "Σ", "ς", "\\", "*", "?", ".", "_", "%", "!", "'", "-", " /a", " –a")

texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join).filter(lambda text: text != "-")
patterns = st.lists(st.sampled_from((*PIECES, "\\*", "\\?", "\\\\", "*", "?")), max_size=4).map("".join)
modifiers = st.sampled_from(
    ("", "", "contains", "startswith", "endswith", "cased", "contains|cased", "neq", "windash|contains")
)
lists = st.sampled_from(("", "", "|all"))


def one_or_more(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


@st.composite
def text_items(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(TEXT_FIELDS))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f"{name}|re{draw(st.sampled_from(('', '|i')))}", draw(one_or_more(st.sampled_from(REGEXES)))
    if kind == 1:
        return f"{name}|exists", draw(st.booleans())
    if kind == 2:
        way = draw(st.sampled_from(("", "|startswith", "|endswith", "|contains")))
        return f"{name}|fieldref{way}", draw(st.sampled_from(TEXT_FIELDS))
    if kind == 3:
        return name, draw(one_or_more(st.sampled_from((None, "", "-", 4))))
    return f"{name}|{draw(modifiers)}{draw(lists)}".replace("||", "|").rstrip("|"), draw(one_or_more(patterns))


ports = st.sampled_from((80, 443, 8080, "80", "443", "4*", "?0", "https", None, "08*", 22.5))
port_items = st.tuples(st.just("DestinationPort"), one_or_more(ports)) | st.tuples(
    st.sampled_from(("lt", "lte", "gt", "gte")).map("DestinationPort|{}".format), st.sampled_from((79, 80, 443, 442.5))
)
flag_items = st.tuples(st.just("Initiated"), st.sampled_from(("true", "False", True, False, 1, 0, "t*", None, "no")))
address_items = st.tuples(st.just("DestinationIp"), one_or_more(st.sampled_from((*ADDRESS_VALUES, None)))) | st.tuples(
    st.just("DestinationIp|cidr"), one_or_more(st.sampled_from(NETWORKS))
)
items = text_items() | text_items() | port_items | flag_items | address_items
maps = st.lists(items, min_size=1, max_size=3).map(dict)
words = st.lists(st.sampled_from(("a", "é", "b*", 10, "\\?")), min_size=1, max_size=2)
selections = maps | maps | st.lists(maps, min_size=1, max_size=2) | words
names = ("one", "two", "three")
conditions = st.recursive(
    st.sampled_from((*names, "1 of t*", "all of t*", "all of them", "1 of them")),
    lambda inner: (
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map("not ({})".format)
    ),
    max_leaves=4,
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule's text."""
    detection = {name: draw(selections) for name in names}
    source = {"category": "network_connection", **draw(st.sampled_from(({}, {"product": "windows"})))}
    return yaml.safe_dump(
        {"title": "A", "logsource": source, "detection": {**detection, "condition": draw(conditions)}},
        allow_unicode=True,
    )


events = st.fixed_dictionaries(
    {
        "Image": texts | st.none(),
        "CommandLine": texts | st.none(),
        "DestinationHostname": texts | st.none(),
        "DestinationPort": st.sampled_from((80, 443, 8080, None)),
        "Initiated": st.sampled_from((True, False, None)),
        "DestinationIp": st.sampled_from((*ADDRESSES, None)),
        "ProviderName": st.sampled_from((WINDOWS, WINDOWS, LINUX)),
    }
)
rows = st.lists(events, min_size=1, max_size=12)


@many
@given(rules(), rows)
def test_sql_and_matcher_are_the_reference(text: str, rows: list[Event]) -> None:
    found = loaded(text)
    assert not found.problems
    expected = by_reference(text, rows)
    assert by_sql(found, rows) == expected
    assert by_matches(found, rows) == expected


@many
@given(rules(), rows)
def test_reasons_are_what_it_asked_for(text: str, rows: list[Event]) -> None:
    """Each is a field of the rule, or a column that has a word, with the event's own value."""
    found = loaded(text)
    [rule] = found.rules
    for match in SigmaStream(found).matches(batch_of(rows)).to_pylist():
        event = rows[match["record_id"]]
        reasons = json.loads(match["matched"])
        assert set(reasons) <= set(rule.fields)
        assert {name: event[name] for name in reasons if name in event} == {
            name: value for name, value in reasons.items() if name in event
        }


@many
@given(st.lists(rules(), min_size=2, max_size=4), rows)
def test_many_rules_are_as_one(texts: list[str], rows: list[Event]) -> None:
    """Rules that are asked together do not know of each other."""
    together = loaded(*texts)
    matches = SigmaStream(together).matches(batch_of(rows)).to_pylist()
    for text, rule in zip(texts, together.rules, strict=True):
        mine = {match["record_id"] for match in matches if match["rule_id"] == rule.id}
        assert [number in mine for number in range(len(rows))] == by_reference(text, rows)
