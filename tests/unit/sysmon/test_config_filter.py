"""A configuration over batches: rows left out or marked, names written, options applied."""

from __future__ import annotations

import pyarrow as pa
import pytest

from event_rows import Row
from procwire.event import LIVE_SCHEMA, SCHEMA
from procwire.sysmon.config_filter import ConfigFilter
from rule_cases import batch_of, by_reference, configuration, row

PORTS = (
    '<RuleGroup groupRelation="or"><include><DestinationPort name="web">443</DestinationPort>'
    "<DestinationPort>80</DestinationPort></include></RuleGroup>"
)
NAMES = ("src_host_name", "src_port_name", "dst_host_name", "dst_port_name")


def ports(*numbers: int | None, **changes: object) -> pa.RecordBatch:
    return batch_of([row({"DestinationPort": number, **changes}) for number in numbers])


def test_rows_that_are_not_logged_are_left_out() -> None:
    """The others stay as they were, in their order, with the rule's name: null where there is none."""
    batch = ports(443, 22, 80, None, 443, RuleName="of another configuration")
    applied = ConfigFilter(configuration(PORTS))(batch)
    assert applied.schema == SCHEMA
    assert applied.column("dst_port").to_pylist() == [443, 80, 443]
    assert applied.column("rule_name").to_pylist() == ["web", None, "web"]
    unchanged = [name for name in SCHEMA.names if name != "rule_name"]
    assert applied.select(unchanged) == batch.take(pa.array([0, 2, 4])).select(unchanged)


def test_rows_may_be_kept_and_marked() -> None:
    """What is not logged has no rule's name, either."""
    batch = ports(443, 22, 80, RuleName="of another configuration")
    kept = ConfigFilter(configuration(PORTS), keep=True)(batch)
    assert kept.schema.names == [*SCHEMA.names, "logged"]
    assert kept.column("logged").to_pylist() == [True, False, True]
    assert kept.column("rule_name").to_pylist() == ["web", None, None]
    assert kept.column("dst_port").to_pylist() == [443, 22, 80]


def test_unlogged_rows_are_counted() -> None:
    for keep in (False, True):
        rules = ConfigFilter(configuration(PORTS), keep=keep)
        for batch in (ports(443, 22), ports(80), ports(22, 22)):
            rules(batch)
        assert rules.unlogged == 3


@pytest.mark.parametrize("snippet", ["", "<include/>", "<exclude/>", PORTS])
@pytest.mark.parametrize("keep", [False, True])
def test_empty_batches(snippet: str, keep: bool) -> None:
    applied = ConfigFilter(configuration(snippet), keep=keep)(batch_of([]))
    assert applied.num_rows == 0
    assert applied.schema.names == [*SCHEMA.names, *(["logged"] if keep else [])]


def test_configurations_without_filters() -> None:
    batch = ports(443, 22)
    for snippet, count in (("", 0), ("<include/>", 0), ("<exclude/>", 2), ("<exclude/><exclude/>", 0)):
        assert ConfigFilter(configuration(snippet))(batch).num_rows == count


@pytest.mark.parametrize("keep", [False, True])
def test_batches_of_a_recording(keep: bool) -> None:
    """Their other columns stay; host names that were not looked up have no origin."""
    live = pa.RecordBatch.from_pylist(
        [row({"DestinationHostname": "a"}) | {"dst_host_name_origin": "dns", "record_kind": "connection"}],
        schema=LIVE_SCHEMA,
    )
    applied = ConfigFilter(configuration("<exclude/>"), keep=keep)(live)
    others = [name for name in LIVE_SCHEMA.names if name != "logged"]
    assert applied.select(others) == live.select(others)
    assert applied.column("logged").to_pylist() == [True if keep else None]
    silent = ConfigFilter(
        configuration("<DnsLookup>False</DnsLookup><EventFiltering><exclude/></EventFiltering>"), keep=keep
    )
    [found] = silent(live).to_pylist()
    assert (found["dst_host_name"], found["dst_host_name_origin"], found["record_kind"]) == (None, None, "connection")


@pytest.mark.parametrize(
    ("snippet", "logged"),
    [
        ('<include><Initiated condition="is">true</Initiated></include>', False),
        ('<include><Initiated condition="is">false</Initiated></include>', False),
        ('<include><Initiated condition="is not">true</Initiated></include>', False),
        ('<exclude><Initiated condition="is">true</Initiated></exclude>', True),
        ('<exclude><Initiated condition="is">false</Initiated></exclude>', True),
    ],
)
def test_direction_that_is_not_known_meets_no_filter(snippet: str, logged: bool) -> None:
    """Of a recording that began in the middle of a flow: only a rule that does not ask for it decides."""
    assert ConfigFilter(configuration(snippet))(batch_of([row({"Initiated": None})])).num_rows == logged


def test_names_are_not_looked_up() -> None:
    """Host and port names are empty before rules see them, and in what is logged."""
    text = (
        "<DnsLookup>False</DnsLookup><EventFiltering><include><DestinationHostname>-</DestinationHostname></include>"
        "</EventFiltering>"
    )
    named = dict.fromkeys(("SourceHostname", "SourcePortName", "DestinationHostname", "DestinationPortName"), "x")
    [found] = ConfigFilter(configuration(text))(ports(443, **named)).to_pylist()
    assert {name: found[name] for name in NAMES} == dict.fromkeys(NAMES)


SVCHOST = "C:\\Windows\\System32\\svchost.exe"


@pytest.mark.parametrize(
    ("size", "image", "written"),
    [
        (5, "ABCDEFGHIJKLMN", "AB..."),
        (14, "ABCDEFGHIJKLMN", "ABCDEFGHIJKLMN"),
        (13, "ABCDEFGHIJKLMN", "ABCDEFGHIJ..."),
        (3, "ABCD", "..."),
        (2, "ABC", None),
        (1, "ABC", None),
        (2, "AB", "AB"),
        (5, "ÄÖÜ😀ßß", "ÄÖ..."),
        (5, None, None),
    ],
)
def test_field_sizes_cut_what_is_written(size: int, image: str | None, written: str | None) -> None:
    """As Sysmon's own tests have it; `-`, which Sysmon writes where no text has place, is null here."""
    text = f"<FieldSizes>Image:{size}</FieldSizes><EventFiltering><exclude/></EventFiltering>"
    [found] = ConfigFilter(configuration(text))(ports(443, Image=image)).to_pylist()
    assert found["process_name"] == written


def test_field_sizes_cut_after_the_rules() -> None:
    """Rules see the complete text; a rule's name is cut, too."""
    text = (
        '<FieldSizes>Image:6,RuleName:7,ProcessId:1</FieldSizes><EventFiltering><RuleGroup name="a long name"><include>'
        f"<Image>{SVCHOST}</Image></include></RuleGroup></EventFiltering>"
    )
    [found] = ConfigFilter(configuration(text))(ports(443)).to_pylist()
    assert (found["process_name"], found["rule_name"], found["process_id"]) == ("C:\\...", "a lo...", 1000)


def test_stale_names_only_if_strict() -> None:
    text = (
        "<include><Protocol>tcp</Protocol></include>"
        '<include><Protocol name="stale">tcp</Protocol><Initiated>false</Initiated></include>'
    )
    batch = ports(443)
    assert ConfigFilter(configuration(text))(batch).column("rule_name").to_pylist() == [None]
    assert ConfigFilter(configuration(text), strict=True)(batch).column("rule_name").to_pylist() == ["stale"]


def test_many_values_and_combinations() -> None:
    """More than are remembered of a field, over several batches."""
    config = configuration(
        '<RuleGroup groupRelation="or"><include><DestinationPort condition="contains" name="7s">77</DestinationPort>'
        '<SourcePort condition="end with">00</SourcePort><Image condition="contains any">9;1</Image></include>'
        "</RuleGroup>"
    )
    rules = ConfigFilter(config)
    for start in range(0, 6000, 1500):
        rows: list[Row] = [
            row({"DestinationPort": n % 2111, "SourcePort": n, "Image": f"i{n % 13}"})
            for n in range(start, start + 1500)
        ]
        assert rules.names(batch_of(rows)).to_pylist() == by_reference(config, rows)
