"""Random configurations and events, of few words, so that they meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from event_rows import Row
from procwire.sysmon.manifest import CONDITIONS
from procwire.sysmon.model import Configuration, Element, Filter, OnMatch, Place, Relation, Rule
from rule_cases import row

VALUES: dict[str, tuple[object, ...]] = {
    "Image": ("C:\\a.exe", "C:\\b\\A.EXE", "a.exe", "C:\\", "Äσ\n'", None),
    "DestinationHostname": ("a.corp", "b", None),
    "DestinationPort": (80, 443, 8080, None),
    "SourcePort": (80, None),
    "Initiated": (True, False, None),
    "DestinationIp": ("::1", "10.0.0.1", "fe80::a:0:1", "::ffff:1.2.3.4", None),
    "ProcessId": (4, 443, None),
    "ProcessGuid": ("{A98268C1-957F-5ACD-0000-0010EB030000}", None),
    "UtcTime": (datetime(2018, 4, 11, 5, 29, 35, 394_999, UTC), None),
    "RuleName": ("a", None),
}
TEXTS = (
    "", "-", "a", "A.exe", "a.exe", "c:\\A.EXE", "\\", "ä", "Σ\n'", "corp", "80", "443", "44", "0:0", "0:0:0:0:0:0:0:1",
    "10.0.0.1", "::1", "true", "FALSE", "4", "{a98268c1", "2018-04-11 05:29:35.394", " ", "x", ";", "80;443", "443;",
    ";80", "a;;c", "x;y", "e;x", "%", "_",
)  # fmt: skip
# Those that match often, so that what stands behind them is reached.
OFTEN = (("contains", ""), ("is not", "x"), ("excludes", "x"), ("contains", "8"), ("contains", "a"))
HERE = Place(1, 1)


@dataclass(frozen=True)
class Sample:
    """A configuration, and the text that it must be parsed from."""

    configuration: Configuration
    xml: str


names = st.sampled_from(("", "", "a", "b", "c&'\"<é"))
relations: st.SearchStrategy[Relation] = st.sampled_from(("and", "or"))
fields = st.sampled_from(sorted(VALUES)) | st.sampled_from(("Image", "SourcePort", "DestinationPort"))
often = st.sampled_from(OFTEN)
asked = often | st.tuples(st.sampled_from(sorted(CONDITIONS)), st.sampled_from(TEXTS))


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    condition, value = draw(asked)
    return Filter(draw(fields), condition, value, draw(names), HERE)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    return Rule(draw(relations), tuple(draw(st.lists(filters(), min_size=1, max_size=4))), draw(names), HERE)


@st.composite
def elements(draw: st.DrawFn) -> Element:
    """One whose filters have only the names that are their own."""
    onmatch: OnMatch = draw(st.sampled_from(("include", "include", "exclude")))
    operands = draw(st.lists(filters() | filters() | rules(), max_size=5))
    return Element("NetworkConnect", onmatch, draw(relations), True, draw(names), tuple(operands), HERE)


@st.composite
def _leaving_names(draw: st.DrawFn) -> list[Element]:
    """An include without names that matches often, asked after elements that match in part."""
    condition, value = draw(often)
    unnamed = Filter(draw(fields), condition, value, "", HERE)
    last = Element("NetworkConnect", "include", draw(relations), True, "", (unnamed,), HERE)
    parts = filters() | st.builds(
        Rule, relations, st.lists(filters(), min_size=2, max_size=4).map(tuple), names, st.just(HERE)
    )
    never = Filter("Image", "is", "", "", HERE)
    before = []
    for _ in range(draw(st.integers(1, 3))):
        operands = (*draw(st.lists(parts, min_size=1, max_size=4)), never)
        kind: OnMatch = draw(st.sampled_from(("include", "exclude")))
        before.append(Element("NetworkConnect", kind, draw(relations), True, "", operands, HERE))
    return [last, *before]


@st.composite
def samples(draw: st.DrawFn, *, leaving_names: bool = False) -> Sample:
    """A configuration, whose filters have the names that they inherit, and its text.

    leaving_names: one in which names stay behind where elements match in part.
    """
    own = draw(_leaving_names() if leaving_names else st.lists(elements(), max_size=4))
    lookup = draw(st.booleans())
    inside = "".join(map(_element_xml, own))
    filtering = f"<EventFiltering>{inside}</EventFiltering>"
    xml = f'<Sysmon schemaversion="4.90"><DnsLookup>{lookup}</DnsLookup>{filtering}</Sysmon>'
    inherited = tuple(map(_inheriting, own))
    return Sample(Configuration("configuration", (4, 90), inherited, lookup, {}, ()), xml)


def _inheriting(element: Element) -> Element:
    def named(filter_: Filter, name: str) -> Filter:
        return replace(filter_, name=filter_.name or name)

    operands = (
        replace(operand, filters=tuple(named(inner, operand.name or element.name) for inner in operand.filters))
        if isinstance(operand, Rule)
        else named(operand, element.name)
        for operand in element.operands
    )
    return replace(element, operands=tuple(operands))


def _element_xml(element: Element) -> str:
    inside = "".join(
        f'<Rule groupRelation="{operand.relation}" name={quoteattr(operand.name)}>'
        f"{''.join(map(_filter_xml, operand.filters))}</Rule>"
        if isinstance(operand, Rule)
        else _filter_xml(operand)
        for operand in element.operands
    )
    return (
        f'<RuleGroup groupRelation="{element.relation}" name={quoteattr(element.name)}>'
        f'<NetworkConnect onmatch="{element.onmatch}">{inside}</NetworkConnect></RuleGroup>'
    )


def _filter_xml(filter_: Filter) -> str:
    value = escape(filter_.value) if filter_.value.strip() else f"<![CDATA[{filter_.value}]]>"
    attributes = f'condition="{filter_.condition}" name={quoteattr(filter_.name)}'
    return f"<{filter_.field} {attributes}>{value}</{filter_.field}>"


def placeless(element: Element) -> Element:
    """The element without where it stands."""
    operands = (
        replace(operand, place=HERE, filters=tuple(replace(inner, place=HERE) for inner in operand.filters))
        if isinstance(operand, Rule)
        else replace(operand, place=HERE)
        for operand in element.operands
    )
    return replace(element, operands=tuple(operands), place=HERE, group=None)


def _events(*, complete: bool) -> st.SearchStrategy[Row]:
    choices = {
        name: [value for value in values if value is not None or not complete] for name, values in VALUES.items()
    }
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in choices.items()}).map(row)


# One field without a text suffices for the slower way.
events = _events(complete=True) | _events(complete=False)
