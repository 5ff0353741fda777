"""Rules and elements that together always or never match: what is said is so, and what is so is said."""

from __future__ import annotations

import random
from itertools import product

import pytest

from procwire.errors import ConfigurationError
from procwire.sysmon.check import check
from procwire.sysmon.checks.sets import failing, holding, refutation
from procwire.sysmon.evaluate import decide
from procwire.sysmon.manifest import CONDITIONS
from procwire.sysmon.model import Configuration, Element, Filter, Operand, Place, Rule
from procwire.sysmon.parse import parse

FIELDS = ("Image", "User", "Initiated")
TEXTS = {
    "Image": ["".join(each) for length in (1, 2, 3) for each in product("ab\\", repeat=length)],
    "User": ["a", "b", "ab", "ba", "aba"],
    "Initiated": ["true", "false"],
}
EVENTS = [dict(zip(FIELDS, each, strict=True)) for each in product(*TEXTS.values())]


def random_element(choose: random.Random) -> Element:
    lines = iter(range(1, 1_000))

    def a_filter() -> Filter:
        field = choose.choice(("Image", "Image", "User", "Initiated"))
        value = (
            choose.choice(("true", "false")) if field == "Initiated" else choose.choice(("a", "b", "ab", "a;b", "b\\"))
        )
        condition = choose.choice(("is", "is not")) if field == "Initiated" else choose.choice(list(CONDITIONS))
        return Filter(field, condition, value, "", Place(next(lines), 1))

    def operand() -> Operand:
        if choose.random() < 0.6:
            return a_filter()
        filters = tuple(a_filter() for _ in range(choose.randint(1, 3)))
        return Rule(choose.choice(("and", "or")), filters, "", Place(next(lines), 1))

    operands = tuple(operand() for _ in range(choose.randint(1, 4)))
    return Element("NetworkConnect", "include", choose.choice(("and", "or")), True, "", operands, Place(1, 1))


def matched(element: Element) -> set[bool]:
    configuration = Configuration("x", (4, 90), (element,), True, {}, ())
    return {decide(configuration, event).logged for event in EVENTS}


@pytest.mark.parametrize("seed", range(8))
def test_refutation_is_sound(seed: int) -> None:
    """Of random elements, over all events of short texts: what cannot hold never does, what cannot fail never does."""
    choose = random.Random(seed)
    told = 0
    for _ in range(60):
        element = random_element(choose)
        outcomes = None
        for clauses, outcome in ((holding(element), True), (failing(element), False)):
            if clauses is not None and refutation(clauses):
                outcomes = matched(element) if outcomes is None else outcomes
                told += 1
                assert outcome not in outcomes, element
    assert told


def findings(text: str) -> list[str]:
    document = f'<Sysmon schemaversion="4.90"><EventFiltering>{text}</EventFiltering></Sysmon>'
    return [finding.text for finding in check(parse(document.encode())) if finding.severity == "warning"]


def element(filters: str, onmatch: str = "include", relation: str = "or") -> str:
    inside = f'<NetworkConnect onmatch="{onmatch}">{filters}</NetworkConnect>'
    return f'<RuleGroup name="" groupRelation="{relation}">{inside}</RuleGroup>'


def is_(field: str, value: str, condition: str = "is") -> str:
    return f'<{field} condition="{condition}">{value}</{field}>'


def rule(relation: str, *filters: str) -> str:
    return f'<Rule groupRelation="{relation}">{"".join(filters)}</Rule>'


A, B = is_("Image", "C:\\a.exe"), is_("Image", "C:\\b.exe")
NOT_A, NOT_B = is_("Image", "C:\\a.exe", "is not"), is_("Image", "C:\\b.exe", "is not")
PORT, NOT_PORT = is_("DestinationPort", "443"), is_("DestinationPort", "443", "is not")

ALWAYS = {
    "two Rules": element(rule("or", NOT_A, PORT) + rule("or", NOT_B, is_("ProcessId", "4"))),
    "a Rule and a filter": element(rule("or", NOT_A, PORT) + NOT_B),
    "one Rule": element(rule("or", NOT_A, NOT_B) + PORT),
    "a filter and its negation apart": element(A + PORT + NOT_A),
    "both flags": element(is_("Initiated", "true") + is_("Initiated", "false")),
    "both protocols": element(is_("Protocol", "tcp") + is_("Protocol", "UDP")),
    "the three parts of a Rule's negation": element(rule("and", NOT_A, NOT_PORT) + A + PORT),
    "two Rules that are each other's negation": element(rule("and", A, PORT) + rule("or", NOT_A, NOT_PORT)),
    "a negation beside a list": element(is_("Image", "C:\\a.exe;C:\\b.exe", "is any") + NOT_A),
    "prefixes": element(is_("DestinationIp", "10.", "not begin with") + is_("DestinationIp", "192.", "not begin with")),
    "suffixes": element(is_("Image", "\\a.exe", "not end with") + is_("Image", "\\b.exe", "not end with")),
    "bounds": element(is_("DestinationPort", "5", "less than") + is_("DestinationPort", "40", "more than")),
    "an AND element with one field": element(NOT_A + NOT_B, relation="and"),
}


@pytest.mark.parametrize("case", ALWAYS, ids=str)
@pytest.mark.parametrize("onmatch", ["include", "exclude"])
def test_what_always_matches_is_found(case: str, onmatch: str) -> None:
    text = ALWAYS[case].replace("include", onmatch)
    assert any(f"so everything is {onmatch}d" in found for found in findings(text)), findings(text)


@pytest.mark.parametrize("onmatch", ["include", "exclude"])
def test_elements_that_together_always_match(onmatch: str) -> None:
    text = element(NOT_A + PORT, onmatch) + element(NOT_B, onmatch)
    found = [one for one in findings(text) if "which together with that of" in one]
    assert len(found) == 1
    assert f"so everything is {onmatch}d: Image is not 'C:\\a.exe'" in found[0]


def test_includes_beside_excludes_of_everything() -> None:
    found = findings(element(PORT) + element(NOT_A + NOT_B, "exclude"))
    assert any("never includes anything: everything is excluded" in one for one in found)


NEVER = {
    "two values": element(rule("and", A, B)),
    "a value and its negation": element(rule("and", A, PORT, NOT_A)),
    "a list without what is left": element(rule("and", is_("Image", "C:\\a.exe;C:\\b.exe", "is any"), NOT_A, NOT_B)),
    "parts without parts": element(rule("and", is_("Image", "a;b", "contains any"), is_("Image", "a", "excludes"),
                                        is_("Image", "b", "excludes"))),
    "an element of two Rules": element(rule("or", A, B) + rule("and", NOT_A, NOT_B), relation="and"),
    "an element of a field and a Rule": element(A + B + rule("and", NOT_A, NOT_B), relation="and"),
    "neither flag": element(rule("and", is_("Initiated", "true", "is not"), is_("Initiated", "false", "is not"))),
    "bounds": element(rule("and", is_("DestinationPort", "5", "more than"), is_("DestinationPort", "4", "less than"))),
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER, ids=str)
def test_what_never_matches_is_found(case: str) -> None:
    assert any("that never matches: " in found for found in findings(NEVER[case])), findings(NEVER[case])


NEARLY = {
    "substrings": element(is_("Image", "chrome", "excludes") + is_("Image", "firefox", "excludes")),
    "a Rule": element(rule("or", is_("Image", "chrome", "excludes"), is_("Image", "firefox", "excludes"))),
    "an AND element": element(is_("User", "x", "excludes") + is_("User", "y", "excludes") + PORT, relation="and"),
    "a prefix and a part": element(is_("Image", "C:\\W", "not begin with") + is_("Image", "chrome", "excludes")),
    "lists": element(is_("Image", "a;b", "excludes any") + is_("Image", "c;d", "excludes any")),
}


@pytest.mark.parametrize("case", NEARLY, ids=str)
def test_negations_side_by_side_are_found(case: str) -> None:
    assert any("is enough" in found and "so only a text that " in found for found in findings(NEARLY[case]))


SILENT = {
    "a negation beside another field": element(NOT_A + PORT),
    "two negations of two fields": element(NOT_A + NOT_PORT),
    "negations in an and Rule": element(rule("and", NOT_A, NOT_B)),
    "values": element(A + B),
    "Rules": element(rule("and", NOT_A, PORT) + rule("and", NOT_B, PORT)),
    "an AND element with another field": element(NOT_A + PORT, relation="and"),
    "a part of a part": element(rule("and", is_("Image", "chrome", "excludes"), is_("Image", "chr", "excludes"))),
}


@pytest.mark.parametrize("case", SILENT, ids=str)
def test_what_may_match_and_may_not_is_silent(case: str) -> None:
    assert not [one for one in findings(SILENT[case]) if "always" in one or "never" in one or "only a text" in one]


@pytest.mark.parametrize("condition", ["is", "excludes"])
def test_search_ends_however_many_rules_there_are(condition: str) -> None:
    """What is too much to decide is not said."""
    rules = (rule("and", is_("Image", f"C:\\{n}.exe", condition), is_("User", f"u{n}", condition)) for n in range(300))
    many = "".join(rules)
    assert not [one for one in findings(element(many)) if "always" in one]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("starts with", "begin with"),
        ("endswith", "end with"),
        ("Equals", "is"),
        ("not_contains", "excludes"),
        ("in", "is any"),
    ],
)
def test_conditions_of_other_languages_are_translated(given: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean '{expected}'"):
        findings(element(is_("Image", "a", given)))


def test_rules_where_sysmon_reads_none_are_found() -> None:
    rules = '<NetworkConnect onmatch="exclude"/>'
    text = f'<Sysmon schemaversion="4.90">{rules}<EventFiltering/></Sysmon>'
    told = [finding.text for finding in parse(text.encode(), lenient=True).findings]
    assert "found <NetworkConnect onmatch> outside of <EventFiltering>, where Sysmon does not look for rules" in told


def test_rule_in_a_rule_is_named() -> None:
    with pytest.raises(ConfigurationError, match="found a <Rule> in a <Rule>, expected fields: Sysmon knows one level"):
        findings(element(rule("or", rule("and", A))))
