"""Configurations as people read them, line for line."""

from __future__ import annotations

import textwrap

import pytest

from procwire.errors import UsageError
from procwire.sysmon.evaluate import Decision, decide
from procwire.sysmon.explaining.given import given_texts
from procwire.sysmon.explaining.logic import (
    Line,
    default_text,
    described,
    element_lines,
    finding_lines,
    head_lines,
    markup,
)
from procwire.sysmon.explaining.story import asked_without, story_lines, to_dict, verdict_lines
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse

EXPLAINED = """\
<Sysmon schemaversion="4.90">
<DnsLookup>False</DnsLookup>
<FieldSizes>Image:20</FieldSizes>
<HashAlgorithms>*</HashAlgorithms>
<EventFiltering>
<RuleGroup name="G" groupRelation="or">
<NetworkConnect onmatch="include">
<Image condition="image">a.exe</Image>
<Image condition="image" name="B">b.exe</Image>
<Image condition="image">c.exe</Image>
<DestinationPort>443</DestinationPort>
<Rule name="R" groupRelation="and">
<Protocol>tcp</Protocol>
<DestinationPort name="P">22</DestinationPort>
</Rule>
</NetworkConnect>
</RuleGroup>
<NetworkConnect onmatch="exclude">
<Image condition="contains">x</Image>
<User>root</User>
<Image condition="contains">y</Image>
</NetworkConnect>
<NetworkConnect onmatch="exclude"/>
</EventFiltering>
</Sysmon>
"""


def elements(*texts: str, version: str = "4.90") -> Configuration:
    """A configuration with elements of these contents, each on a line of its own, from line 2 on."""
    lines = "\n".join(texts)
    return parse(
        f'<Sysmon schemaversion="{version}"><EventFiltering>\n{lines}\n</EventFiltering></Sysmon>'.encode(), "a.xml"
    )


def include(operands: str, relation: str = "or", name: str = "") -> str:
    return (
        f'<RuleGroup groupRelation="{relation}" name="{name}"><NetworkConnect onmatch="include">{operands}'
        "</NetworkConnect></RuleGroup>"
    )


def page(lines: list[Line]) -> str:
    """The lines as a listing, without emphasis."""
    return "".join(f"{line.number or '':>2} {'  ' * line.depth}{line.text}\n" for line in lines)


def test_head_tells_order_default_and_options() -> None:
    assert list(head_lines(parse(EXPLAINED.encode(), "a.xml"))) == [
        "a.xml: Sysmon configuration, schema 4.90: 3 elements of NetworkConnect, 9 filters",
        "",
        "The first element that matches decides; those that exclude come first, of each kind from last to first.",
        "  1. what matches the exclude element of line 23 is not logged",
        "  2. what matches the exclude element of line 18 is not logged",
        "  3. what matches the include element of line 7 is logged",
        "  4. the rest is not logged, as always with two or more elements",
        "",
        "DnsLookup is False: host names and port names stay empty, and rules see - for them.",
        "FieldSizes: Image is cut to 20 characters, after the rules have seen it in full.",
    ]


def test_elements_are_reported_in_the_order_of_asking_with_every_filter() -> None:
    """Alternatives of one field stand together in an AND element; a run shares a heading; names where they differ."""
    configuration = parse(EXPLAINED.encode())
    lines = [line for element in configuration.evaluation_order for line in element_lines(element)]
    assert page(lines) == textwrap.dedent(
        """\
        23 exclude: empty, which never matches
        18 exclude, if ALL of, the default of this schema:
             ANY of, as they are of one field:
        19     Image contains "x"
        21     Image contains "y"
        20   User is "root"
         7 include, if ANY of   [G]:
             Image image
         8     "a.exe"
         9     "b.exe"   [B]
        10     "c.exe"
        11   DestinationPort is "443"
        12   ALL of   [R]:
        13     Protocol is "tcp"
        14     DestinationPort is "22"   [P]
        """
    )
    reported_lines = {line.number for line in lines}
    assert reported_lines >= {part.place.line for element in configuration.elements for part in element.filters}


def test_findings_stand_at_their_lines() -> None:
    [line] = finding_lines(parse(EXPLAINED.encode()))
    assert line == Line("note: option HashAlgorithms is not applied: it has nothing to do with network connections", 4)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], "nothing is logged: there is no element of NetworkConnect"),
        (['<NetworkConnect onmatch="exclude"/>'], "the rest is logged, without a RuleName"),
        (['<NetworkConnect onmatch="include"/>'], "the rest is not logged: the only element is one that includes"),
        (['<NetworkConnect onmatch="exclude"/>'] * 2, "the rest is not logged, as always"),
    ],
)
def test_default_says_why(texts: list[str], expected: str) -> None:
    """And says what the reference does with an event that nothing matches."""
    configuration = elements(*texts)
    assert default_text(configuration).startswith(expected)
    assert decide(configuration, {}).logged == ("is logged, " in default_text(configuration))


def test_values_are_shown_as_they_are_on_one_line() -> None:
    [element] = elements(include("<Image> a\n\tb </Image>")).elements
    assert [line.text for line in element_lines(element)][1] == 'Image is " a\\n\\tb "'


def test_relations_that_are_not_given_are_reported_as_defaults() -> None:
    """An AND of schema 4.11 and later, an OR before; a Rule's own is OR in any."""
    text = '<NetworkConnect onmatch="include"><Rule><User>a</User><Image>b</Image></Rule></NetworkConnect>'
    for version, quantity in (("4.90", "ALL"), ("4.1", "ANY")):
        [element] = elements(text, version=version).elements
        assert [line.text for line in element_lines(element)][:2] == [
            f"include, if {quantity} of, the default of this schema:",
            "ANY of, the default of a Rule:",
        ]


def test_markup_is_that_of_the_file() -> None:
    [element] = elements(include('<Image condition="IS NOT">a&lt;b</Image><Rule><User>u</User></Rule>')).elements
    assert [markup(part) for part in (element, *element.operands)] == [
        '<NetworkConnect onmatch="include">',
        '<Image condition="is not">a&lt;b</Image>',
        '<Rule groupRelation="or">',
    ]


def test_description_for_machines_has_every_part() -> None:
    description = described(parse(EXPLAINED.encode(), "a.xml"))
    assert description["schema_version"] == "4.90"
    assert (description["dns_lookup"], description["field_sizes"]) == (False, {"Image": 20})
    assert [element["line"] for element in description["elements"]] == [23, 18, 7]
    rule = description["elements"][2]["operands"][-1]
    assert (rule["relation"], rule["name"], [part["name"] for part in rule["filters"]]) == ("and", "R", ["R", "P"])


# The story of a decision


def decided(configuration: Configuration, given: str, *, strict: bool = False) -> tuple[Decision, set[str]]:
    """With the fields that were not given seen as `-`."""
    texts: dict[str, str | None] = dict.fromkeys(sysmon_texts({}), "-")
    texts |= given_texts(given)
    return decide(configuration, texts, strict=strict), set(texts) - set(given_texts(given))


def story(configuration: Configuration, given: str, *, verbose: bool = False) -> str:
    decision, missing = decided(configuration, given)
    lines = page(list(story_lines(configuration, decision, missing, verbose=verbose)))
    return lines + "".join(f"{text}\n" for text in verdict_lines(configuration, decision, missing))


def test_story_shows_what_matched_and_near_misses_only() -> None:
    """Line 20 stops the AND element although line 19 matches; of the OR element only what decides is shown."""
    configuration = parse(EXPLAINED.encode())
    reported_story = story(configuration, "Image=C:\\x\\b.exe,User=me,DestinationPort=1")
    assert reported_story == textwrap.dedent(
        """\
        23 exclude: empty, which never matches
        18 exclude: ALL of 3 filters (ANY of those of one field): they do not match
        19   match     Image contains "x"   saw "C:\\x\\b.exe"
        20   no match  User is "root"   saw "me"
         7 include: ANY of 6 filters: one matches
         9   match     Image image "b.exe"   saw "C:\\x\\b.exe"
        => logged, RuleName B
           decided by line 9: <Image condition="image">b.exe</Image>
        """
    )


def test_story_of_a_rule_shows_how_far_it_came() -> None:
    configuration = parse(EXPLAINED.encode())
    assert textwrap.dedent(
        """\
            12   no match  Rule, ALL of 2 filters
            13     match     Protocol is "tcp"   saw "tcp"
            14     no match  DestinationPort is "22"   saw "80"
            => not logged
               decided by no element: the rest is not logged, as always with two or more elements
               tested but not given: Image, User; with them the decision may differ
            """
    ) in story(configuration, "Protocol=tcp,DestinationPort=80")


def test_verbose_story_shows_every_filter_asked() -> None:
    configuration = parse(EXPLAINED.encode())
    given = "Image=C:\\x\\b.exe,User=me"
    brief, whole = story(configuration, given), story(configuration, given, verbose=True)
    assert '8   no match  Image image "a.exe"' in whole
    assert '8   no match  Image image "a.exe"' not in brief
    decision, _ = decided(configuration, given)
    asked = {step.filter.place.line for step in decision.steps if step.filter}
    assert asked <= {int(line.split()[0]) for line in whole.splitlines() if line.split()[0].isdigit()}


def test_story_sums_up_many_alternatives_that_stop_an_element() -> None:
    images = "".join(f"<Image>{number}</Image>" for number in range(5))
    lines = story(elements(include(f"<User>me</User>{images}", "and")), "User=me,Image=a")
    assert 'none of 5 filters of Image matches   saw "a"' in lines
    assert 'Image is "0"' not in lines


def test_story_tells_of_a_field_without_a_text() -> None:
    """An event of a log that has no port: the entire element is stopped, though its next filter would match."""
    configuration = elements(include("<SourcePort>1</SourcePort><Protocol>tcp</Protocol>"))
    decision = decide(configuration, sysmon_texts({"network_protocol": "tcp"}))
    assert page(list(story_lines(configuration, decision))) == (
        ' 2 include: 2 filters, a field without a text stops it\n 2   failed    SourcePort is "1"   has no text\n'
    )


def test_story_ends_where_something_decided() -> None:
    configuration = elements(include("<User>a</User>"), include("<User>me</User>"))
    assert " 2 include: no longer evaluated\n" in story(configuration, "User=me")


def test_fields_that_were_not_given_are_reported_where_they_were_asked_for() -> None:
    """A negated filter matches what was not given: the story says so, and the verdict that the answer hangs on it."""
    configuration = elements(include("<DestinationPort condition='is not'>80</DestinationPort><User>me</User>"))
    lines = story(configuration, "Image=a.exe")
    assert 'match     DestinationPort is not "80"   saw "-", as it was not given' in lines
    assert "tested but not given: DestinationPort; with them" in lines
    assert asked_without(*decided(configuration, "Image=a.exe")) == ["DestinationPort"]
    assert "not given" not in story(configuration, "DestinationPort=443")


@pytest.mark.parametrize(
    ("operands", "relation", "reason"),
    [
        ("<User name='n'>me</User>", "or", 'decided by line 2: <User condition="is">me</User>'),
        ("<Rule name='n'>\n<User>me</User></Rule>", "or", 'decided by line 3: <User condition="is">me</User>'),
        (
            "<Rule groupRelation='and'>\n<User name='n'>me</User>\n<Image>a</Image></Rule>",
            "or",
            'decided by line 2: <Rule groupRelation="and">; named by line 3',
        ),
        (
            "<User name='n'>me</User>\n<Image>a</Image>",
            "and",
            'decided by line 2: <NetworkConnect onmatch="include">; named by line 2',
        ),
    ],
)
def test_verdict_names_what_decided_and_what_gave_the_name(operands: str, relation: str, reason: str) -> None:
    configuration = elements(include(operands, relation))
    decision, missing = decided(configuration, "User=me,Image=a")
    assert list(verdict_lines(configuration, decision, missing)) == ["=> logged, RuleName n", f"   {reason}"]


def test_verdict_tells_of_a_name_left_behind() -> None:
    """Sysmon's bug, under the strict reading: the name of a filter whose element did not match."""
    configuration = elements(
        include("<User>me</User>"), include("<Image name='stale'>a</Image><Protocol>udp</Protocol>", "and")
    )
    decision, missing = decided(configuration, "User=me,Image=a,Protocol=tcp", strict=True)
    verdict, reason = verdict_lines(configuration, decision, missing)
    assert verdict == "=> logged, RuleName stale"
    assert reason.endswith("; named by line 3, although its element did not match")
    decision, missing = decided(configuration, "User=me,Image=a,Protocol=tcp")
    verdict, reason = verdict_lines(configuration, decision, missing)
    assert verdict == "=> logged, RuleName -"
    assert "named by" not in reason


def test_reported_has_every_step() -> None:
    configuration = parse(EXPLAINED.encode())
    decision, missing = decided(configuration, "Protocol=tcp,DestinationPort=22,Image=z,User=me")
    account = to_dict(decision, missing)
    assert (account["logged"], account["rule_name"], account["asked_without"]) == (True, "P", [])
    assert account["decided_by"] == {"line": 12, "column": 1, "text": '<Rule groupRelation="and">'}
    assert len(account["steps"]) == len(decision.steps)
    assert account["steps"][-2] == {
        "kind": "rule", "line": 12, "test": '<Rule groupRelation="and">', "outcome": "match", "text": None,
    }  # fmt: skip


# An event that somebody describes


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("Image=C:\\a.exe,DestinationPort=443", {"Image": "C:\\a.exe", "DestinationPort": "443"}),
        ("process_name=C:\\a.exe, dst_port=0443", {"Image": "C:\\a.exe", "DestinationPort": "443"}),
        ("Image=C:\\a, b\\c.exe,Initiated=True", {"Image": "C:\\a, b\\c.exe", "Initiated": "true"}),
        ("DestinationIp=fe80::1,SourceIp=10.0.0.1", {"DestinationIp": "fe80:0:0:0:0:0:0:1", "SourceIp": "10.0.0.1"}),
        ("User=a=b,DestinationHostname=", {"User": "a=b", "DestinationHostname": "-"}),
    ],
)
def test_given_texts_are_in_sysmons_form(text: str, texts: dict[str, str]) -> None:
    assert given_texts(text) == texts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "found '', expected FIELD=VALUE"),
        ("Image", "found 'Image', expected FIELD=VALUE"),
        ("Imag=a", "did you mean 'Image'"),
        ("dst_prt=1", "did you mean 'dst_port'"),
        ("record_id=1", "found column 'record_id'"),
        ("RuleName=a", "no name yet"),
        ("DestinationPort=http", "found DestinationPort=http, expected a number"),
        ("ProcessId=", "expected a number"),
        ("Initiated=yes", "expected true or false"),
        ("Image=a,process_name=b", "found Image twice"),
    ],
)
def test_given_texts_that_cannot_be_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match="found") as raised:
        given_texts(text)
    assert complaint in str(raised.value)
