"""Whatever the bytes: a configuration, or an error with places inside the file; no other exception, no endless loop."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scanning import DATA

from event_rows import full_row
from procwire.errors import ConfigurationError
from procwire.sysmon.document import MAX_BYTES
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse
from rule_cases import by_reference, by_rules, by_sql, document

SMALL = document(
    '<RuleGroup name="é" groupRelation="or"><include><Image condition="image">a&amp;b</Image><!-- x -->'
    '<Rule groupRelation="and"><DestinationPort name="n">443</DestinationPort></Rule></include></RuleGroup>'
)
REAL = (DATA / "configs" / "microsoft_MSTIC-Sysmon" / "linux" / "configs" / "main.xml").read_bytes()
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
many = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
PIECES = (
    b"<Sysmon>", b"</Sysmon>", b"<EventFiltering>", b"<NetworkConnect>", b"<RuleGroup", b"<Rule>", b'onmatch="', b">",
    b"/>", b"<Image>", b"&#0;", b"&#xD800;", b"&x;",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml ", b"<!DOCTYPE a [", b"\0",
    b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b"\r", b"\n", b'schemaversion="9"', b"443;",
)  # fmt: skip


def check(data: bytes) -> list[Configuration | ConfigurationError]:
    """Both readings; fails on any other exception, and on places outside of the file."""
    outcomes: list[Configuration | ConfigurationError] = []
    for lenient in (False, True):
        try:
            outcomes.append(parse(data, "file", lenient=lenient))
        except ConfigurationError as error:
            outcomes.append(error)
    [strict, lenient_outcome] = outcomes
    if isinstance(strict, Configuration):
        assert strict == lenient_outcome
    for outcome in outcomes:
        assert outcome.findings or isinstance(outcome, Configuration)
        check_places(data, outcome)
    return outcomes


def check_places(data: bytes, outcome: Configuration | ConfigurationError) -> None:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le" if data[1:2] == b"\0" else "utf-8"
    text = data.decode(encoding, "replace")
    lines = len(re.findall(r"\r\n|\r|\n", text)) + 1
    for found in outcome.findings:
        assert 1 <= found.place.line <= lines
        assert 1 <= found.place.column <= len(text) + 1
        assert found.text
        assert "\n" not in found.text


def test_truncated_at_every_offset() -> None:
    """Only the complete text is a configuration; what is cut off within it is said to be so, where the file ends."""
    for encoding in ENCODINGS:
        data = SMALL.encode(encoding)
        refused = [
            size for size in range(len(data)) if all(isinstance(found, Exception) for found in check(data[:size]))
        ]
        assert refused == list(range(len(data)))
        if encoding == "utf-16-be":
            # Without a mark Sysmon does not recognise it either.
            continue
        [whole, _] = check(data)
        assert isinstance(whole, Configuration)
        [element] = whole.network_connect
        assert element.name == "é"


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real configuration after a few mishaps."""
    raw = bytearray(REAL if draw(st.booleans()) else SMALL.encode(draw(st.sampled_from(ENCODINGS))))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(raw)))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(("flip", "cut", "double", "write", "insert"))):
            case "flip" if at < len(raw):
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del raw[at : at + length]
            case "double":
                raw[at:at] = raw[at : at + length]
            case "write":
                piece = draw(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=8))
                raw[at : at + len(piece)] = piece
            case "insert":
                raw[at:at] = draw(st.sampled_from(PIECES))
    return bytes(raw)


@many
@given(mutated())
def test_mutated_configurations(data: bytes) -> None:
    """What is still read can be asked, and all ways still agree."""
    for outcome in check(data):
        if isinstance(outcome, Configuration):
            rows = [full_row({})]
            assert by_sql(outcome, rows) == by_rules(outcome, rows) == by_reference(outcome, rows)


@many
@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_any_bytes(data: bytes) -> None:
    check(data)


@many
@given(st.text(max_size=60), st.sampled_from(ENCODINGS))
def test_any_text_as_value_and_name(text: str, encoding: str) -> None:
    """Characters that XML has arrive; others are refused."""
    quoted = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("]]>", "]]&gt;")
    name = re.sub(r"\s", "_", quoted)
    data = document(f'<include><Image name="{name}">{quoted}</Image></include>').encode(encoding)
    for outcome in check(data):
        if isinstance(outcome, Configuration):
            [filter_] = outcome.network_connect[0].filters
            assert filter_.value == (text.replace("\r\n", "\n").replace("\r", "\n") if text.strip(" \t\r\n") else "")
        else:
            assert (
                re.search("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
                or encoding == "utf-16-be"
                or (len(name.encode()) > 255)
            )


FILTERING = '<Sysmon schemaversion="4.90"><EventFiltering>{}</EventFiltering></Sysmon>'
INCLUDE = FILTERING.format('<NetworkConnect onmatch="include">{}</NetworkConnect>')
BOMB = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
HARD = {
    "deep": FILTERING.format("<a>" * 100_000 + "</a>" * 100_000),
    "deep, and open": "<a>" * 100_000,
    "deep within a field": INCLUDE.format("<Image>" * 100_000 + "</Image>" * 100_000),
    "deep within a Rule": INCLUDE.format("<Rule>" * 100_000 + "</Rule>" * 100_000),
    "a long name": INCLUDE.format(f'<Image name="{"x" * 10_000_000}">a</Image>'),
    "a long condition": INCLUDE.format(f'<Image condition="{"x" * 10_000_000}">a</Image>'),
    "a long tag": FILTERING.format(f"<{'x' * 10_000_000}/>"),
    "a long value": INCLUDE.format(f"<Image>{'x' * 10_000_000}</Image>"),
    "a value of many lines": INCLUDE.format("<Image>" + "x\n" * 5_000_000 + "</Image>"),
    "many filters": INCLUDE.format("<Image>a</Image>" * 20_000),
    "many mistakes": INCLUDE.format("<Imge>a</Imge>" * 20_000),
    "many pieces": INCLUDE.format("<Image>" + "a<![CDATA[b]]>" * 50_000 + "</Image>"),
    "a long version": f'<Sysmon schemaversion="{"9" * 1_000_000}"/>',
    "entities of entities": f'<!DOCTYPE a [<!ENTITY e0 "a">{BOMB}]><Sysmon schemaversion="4.90">&e9;</Sysmon>',
    "a parameter entity": '<!DOCTYPE a [<!ENTITY % e "a"> %e;]><Sysmon schemaversion="4.90"/>',
    "an outer entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><Sysmon>&e;</Sysmon>',
}


@pytest.mark.parametrize("title", HARD)
def test_hard_configurations(title: str) -> None:
    """Deep, long and many: read or refused, well within the time that a test has."""
    check(HARD[title].encode())


@pytest.mark.parametrize("title", [title for title in HARD if "entit" in title])
def test_entities_of_its_own_are_refused(title: str) -> None:
    for outcome in check(HARD[title].encode()):
        assert isinstance(outcome, ConfigurationError)
        assert "found the declaration of entity" in str(outcome)


def test_attributes_of_a_document_type_are_not_added() -> None:
    """A parser that reads document types would find `onmatch` here; Sysmon's does not."""
    text = f'<!DOCTYPE a [<!ATTLIST NetworkConnect onmatch CDATA "exclude">]>{FILTERING.format("<NetworkConnect/>")}'
    [strict, _] = check(text.encode())
    assert "without onmatch" in str(strict)


def test_files_without_end_are_refused() -> None:
    [outcome, _] = check(b" " * (MAX_BYTES + 1))
    assert f"{MAX_BYTES + 1:,} bytes, expected {MAX_BYTES:,} at most" in str(outcome)
