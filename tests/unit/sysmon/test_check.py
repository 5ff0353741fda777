"""What `check` says of a configuration, finding by finding: a table of mistakes, and of what is none."""

from __future__ import annotations

import pytest

from procwire.sysmon.check import check
from procwire.sysmon.parse import parse

INCLUDE = '<RuleGroup groupRelation="or"><NetworkConnect onmatch="include">\n{}\n</NetworkConnect></RuleGroup>'


def found(elements: str, *, schema: str = "4.90", options: str = "", notes: bool = False) -> list[str]:
    """The findings' texts, as `LINE: text`; elements begin on line 2."""
    text = f'<Sysmon schemaversion="{schema}">{options}<EventFiltering>\n{elements}\n</EventFiltering></Sysmon>'
    findings = check(parse(text.encode()))
    return [f"{place.line}: {text}" for place, severity, text in
            ((finding.place, finding.severity, finding.text) for finding in findings)
            if notes or severity != "note"]  # fmt: skip


def of_filters(filters: str, **how: str) -> list[str]:
    """The findings in an including OR element with these filters, which begin on line 3."""
    return found(INCLUDE.format(filters), **how)  # type: ignore[arg-type]


def filter_xml(field: str, condition: str, value: str) -> str:
    return f'<{field} condition="{condition}">{value}</{field}>'


def test_good_filters_are_silent() -> None:
    """What people write, and what works: upper case, IPv6 in eight groups, System, parts of paths."""
    filters = [
        ("Initiated", "is", "True"),
        ("Protocol", "is", "TCP"),
        ("DestinationPort", "is any", "443;80"),
        ("SourcePort", "is", "0"),
        ("ProcessId", "is", "4"),
        ("Image", "is", "System"),
        ("Image", "contains", "unknown process"),
        ("Image", "image", "svchost.exe"),
        ("Image", "image", r"C:\Windows\explorer.exe"),
        ("Image", "begin with", "\\\\server\\"),
        ("Image", "end with", "/usr/bin/wget"),
        ("DestinationIp", "is", "0:0:0:0:0:0:0:1"),
        ("SourceIp", "begin with", "FE80:0:0:0"),
        ("SourceIp", "begin with", "10."),
        ("DestinationIp", "begin with", "172.2"),
        ("DestinationHostname", "is", "-"),
        ("SourceHostname", "end with", ".example.com"),
        ("DestinationPortName", "is", "https"),
        ("User", "is", r"NT AUTHORITY\SYSTEM"),
        ("UtcTime", "begin with", "2024-01-01 0"),
        ("ProcessGuid", "is", "{a98268c1-957f-5acd-0000-0010eb030000}"),
        ("RuleName", "is", "-"),
    ]
    assert of_filters("\n".join(filter_xml(*each) for each in filters)) == []


@pytest.mark.parametrize(
    ("field", "condition", "value", "reason"),
    [
        ("Initiated", "is", "yes", "never matches: it holds true or false"),
        ("SourceIsIpv6", "is", "0", "never matches: it holds true or false"),
        ("Protocol", "is", "icmp", "never matches: it holds tcp or udp"),
        ("Protocol", "is", "TCP ", "never matches: the white space after it counts, and Protocol has none there; "
         "write 'TCP'"),
        ("DestinationPort", "is", " 443", "never matches: the white space before it counts, and DestinationPort has "
         "none there; write '443'"),
        ("DestinationPort", "is", "0443", "never matches: ports are numbers from 0 to 65535, without leading zeros"),
        ("DestinationPort", "is", "65536", "never matches: ports are numbers from 0 to 65535, without leading zeros"),
        ("DestinationPort", "is", "80;443", "never matches: ports are numbers from 0 to 65535, without leading zeros; "
         "for a list write is any '80;443'"),
        ("DestinationPort", "is any", "80,443", "never matches: ports are numbers from 0 to 65535, without leading "
         "zeros; for a list write is any '80;443'"),
        ("DestinationPort", "is not", "https", "always matches: ports are numbers from 0 to 65535, without leading "
         "zeros; so everything is included"),
        ("ProcessId", "is", "0x4", "never matches: process ids are decimal numbers, without leading zeros"),
        ("ProcessId", "is", "4294967296", "never matches: process ids are decimal numbers, without leading zeros"),
        ("UtcTime", "is", "2024-01-01T00:00:00Z", "never matches: times are written as 2018-04-11 05:29:35.394"),
        ("ProcessGuid", "is", "A98268C1-957F-5ACD-0000-0010EB030000", "never matches: GUIDs are written as "
         "{A98268C1-957F-5ACD-0000-0010EB030000}"),
        ("RuleName", "contains", "T1", "never matches: while rules are evaluated RuleName is still '-'"),
        ("Image", "is", "cmd.exe", "never matches: it holds the full path; write image 'cmd.exe'"),
        ("Image", "is not", "Cmd.exe", r"always matches: it holds the full path; write not end with '\Cmd.exe'; so "
         "everything is included"),
        ("Image", "image", r"System32\cmd.exe", r"never matches: the full path is compared; write end with "
         r"'\System32\cmd.exe'"),
        ("Image", "image", "C:\\Temp\\", "never matches: it holds the path of a program, not of a folder; write begin "
         "with 'C:\\Temp\\'"),
        ("Image", "image", "C:/Temp/a.exe", "never matches: image compares what follows the last \\, which has no '/'"),
        ("Image", "contains", r"C:\Users\*\x.exe", r"never matches: Sysmon has no wildcards; write contains all "
         r"'C:\Users\;\x.exe'"),
        ("Image", "is", '"C:\\a.exe"', "never matches: a path has no quotes; write it without"),
        ("Image", "begin with", "Program Files", "never matches: a path begins with a drive or a \\"),
        ("DestinationIp", "is", "::1", "never matches: IPv6 addresses are compared in eight groups, without '::'; "
         "write '0:0:0:0:0:0:0:1'"),
        ("DestinationIp", "begin with", "fe80::", "never matches: IPv6 addresses are compared in eight groups, "
         "without '::'; write begin with 'fe80:0:0:0:'"),
        ("DestinationIp", "begin with", "fd00:0001:", "never matches: IPv6 groups are compared without leading zeros; "
         "write 'fd00:1:'"),
        ("DestinationIp", "is", "10.0.0.0/8", "never matches: addresses are compared as text, without ranges; write "
         "begin with '10.'"),
        ("DestinationIp", "excludes", "172.16.0.0/12", "always matches: addresses are compared as text, without "
         "ranges; write not begin with, one filter each from '172.16.' to '172.31.'; so everything is included"),
        ("SourceIp", "is", "192.168.", "never matches: addresses are compared in full; write begin with '192.168.', if "
         "it is the first part of one"),
        ("DestinationHostname", "is", "*.example.com", "never matches: Sysmon has no wildcards; write end with "
         "'.example.com'"),
        ("DestinationHostname", "contains", "example.com/a", "never matches: a host name has no URL, path or space in "
         "it"),
        ("DestinationPortName", "is", "443", "never matches: it holds a service's name, such as https; ask SourcePort "
         "or DestinationPort for the number"),
        ("User", "is", "system", r"never matches: on Windows it holds DOMAIN\name; write 'NT AUTHORITY\SYSTEM'"),
        ("Image", "is", "", "never matches: no text is empty, what is missing is compared as '-'"),
        ("Image", "contains", "", "always matches: no text is empty, what is missing is compared as '-'; so everything "
         "is included"),
    ],
)  # fmt: skip
def test_value_that_no_event_has_is_reported_with_what_to_write(
    field: str, condition: str, value: str, reason: str
) -> None:
    assert of_filters(filter_xml(field, condition, value)) == [
        f"3: found {field} {condition} '{value}', which {reason}"
    ]


def test_one_impossible_token_is_named() -> None:
    """The other tokens of the list do their work."""
    [text] = of_filters(filter_xml("DestinationPort", "is any", "443; 80;8080"))
    assert text.startswith("3: found the token ' 80' in DestinationPort is any '443; 80;8080', which no event has")


@pytest.mark.parametrize(
    ("condition", "value", "shown_text"),
    [
        ("contains any", "foo;", "found a ';' at the end of {}, which always matches: every text contains the empty "
         "token behind it; write 'foo'; so everything is included"),
        ("excludes any", "foo;", "found a ';' at the end of {}, which never matches: every text contains the empty "
         "token behind it; write 'foo'"),
        ("contains all", "foo;;bar", "found an empty token in {}, which as good as never matches: Sysmon takes it for "
         "';bar'; write 'foo;bar'"),
        ("excludes all", ";foo", "found an empty token in {}, which as good as always matches: Sysmon takes it for "
         "';foo'; write 'foo'; so everything is included"),
        ("contains any", "foo; bar", "found white space after the ';' of {}, which counts: a token is ' bar'; write "
         "the list without"),
        ("contains any", " foo; bar", None),
        ("contains all", "foo;", None),
        ("is any", ";C:\\a.exe", None),
    ],
)  # fmt: skip
def test_token_list_says_what_its_separators_do(condition: str, value: str, shown_text: str | None) -> None:
    """At the end, doubled, with white space; where they do nothing there is no more than a note."""
    shown = f"Image {condition} '{value}'"
    assert of_filters(filter_xml("Image", condition, value)) == (
        [f"3: {shown_text.format(shown)}"] if shown_text else []
    )


@pytest.mark.parametrize(
    ("field", "condition", "value", "shown_text"),
    [
        ("DestinationPort", "less than", "1024", "compares text and not numbers: it matches 10000 and it does not "
         "match 443; list the numbers with is any"),
        ("DestinationPort", "more than", "49151", "compares text and not numbers: it matches 80; list the numbers with "
         "is any"),
        ("DestinationPort", "contains any", "443;80", "also matches 4430: it searches for part of the number; write is "
         "any '443;80'"),
        ("DestinationPort", "begin with", "44", "also matches 440: it searches for part of the number; write is '44'"),
        ("SourcePort", "end with", "22", "also matches 122: it searches for part of the number; write is '22'"),
        ("SourcePort", "excludes", "22", "also leaves out 220: it searches for part of the number; write is not '22'"),
        ("SourcePort", "excludes any", "22;23", "also leaves out 220: it searches for part of the number; write is not "
         'for each in a <Rule groupRelation="and">'),
        ("DestinationIp", "begin with", "10", "also matches 100.0.0.1: addresses are compared as text; write begin "
         "with '10.'"),
    ],
)  # fmt: skip
def test_number_compared_as_text_is_reported_with_an_example(
    field: str, condition: str, value: str, shown_text: str
) -> None:
    assert of_filters(filter_xml(field, condition, value)) == [
        f"3: found {field} {condition} '{value}', which {shown_text}"
    ]


def test_program_without_a_path_is_reported() -> None:
    """Not as what never matches: real logs of Linux have it, where the path was not known."""
    assert of_filters(filter_xml("Image", "is not", "java")) == [
        r"3: found Image is not 'java', expected a full path; write not end with '\java.exe', on Linux '/java'"
    ]


def test_part_of_a_number_that_is_all_of_it_is_silent() -> None:
    """No other port holds five digits."""
    assert of_filters(filter_xml("DestinationPort", "contains", "65535")) == []


def test_names_without_dns_look_up_are_reported_once() -> None:
    hosts = "\n".join(filter_xml("DestinationHostname", "end with", f"{name}.com") for name in "abcd")
    assert of_filters(hosts, options="<DnsLookup>False</DnsLookup>") == [
        "3: found DestinationHostname end with 'a.com', which never matches: DnsLookup is False, so "
        "DestinationHostname is always '-'; write True, or leave it out; likewise 3 more, lines 4-6"
    ]
    assert of_filters(hosts) == []


def test_variable_is_reported_to_be_none() -> None:
    [text] = of_filters(filter_xml("Image", "begin with", r"%TEMP%\a"))
    assert "%TEMP%" in text
    assert "as it stands" in text


def test_image_does_not_part_linux_paths() -> None:
    """Only where the file's paths are Linux's."""
    wget = filter_xml("Image", "image", "wget")
    assert of_filters(wget) == []
    [text] = of_filters(f"{wget}\n{filter_xml('Image', 'is', '/usr/bin/curl')}")
    assert text == (
        "3: found Image image 'wget', which never matches on Linux: image parts a path at \\ only; "
        "write end with '/wget'"
    )


PORT, IMAGE = "DestinationPort", "Image"


def test_repeat_is_reported_with_its_line_and_the_name_that_is_lost() -> None:
    """Whatever the case, and of any event; the first of an OR element gives its name."""
    filters = (
        f'{filter_xml(IMAGE, "image", "a.exe")}\n<Image condition="image" name="n">A.EXE</Image>\n'
        '<Rule groupRelation="and"><Image condition="image">b.exe</Image><Protocol>tcp</Protocol></Rule>\n'
        '<Rule groupRelation="and"><Protocol>tcp</Protocol><Image condition="image">b.exe</Image></Rule>'
    )
    shown_text = [
        "4: found Image image 'A.EXE' again: it is in line 3 already, so the name 'n' is never set",
        "6: found a <Rule> again: it is in line 5 already",
    ]
    assert of_filters(filters) == shown_text
    other_event = INCLUDE.format(filters.replace("Protocol", "User")).replace("NetworkConnect", "ProcessCreate")
    assert [text for text in found(other_event) if " again" in text] == shown_text


def test_name_in_an_and_rule_is_not_lost_by_a_repeat() -> None:
    """There the last one that matches gives its name."""
    rule = '<Rule groupRelation="and"><Protocol name="a">tcp</Protocol>\n<Protocol name="b">tcp</Protocol></Rule>'
    assert of_filters(rule) == ["4: found Protocol is 'tcp' again: it is in line 3 already"]


@pytest.mark.parametrize(
    ("first", "second", "shown_text"),
    [
        (("Image", "end with", r"\nc.exe"), ("Image", "contains", "c.ex"), 3),
        (("Image", "contains", "c.ex"), ("Image", "end with", r"\nc.exe"), 4),
        (("Image", "is", r"C:\a\nc.exe"), ("Image", "image", "nc.exe"), 3),
        (("DestinationPort", "is", "80"), ("DestinationPort", "is any", "443;80"), 3),
        (("DestinationPort", "is", "80"), ("DestinationPort", "is", "443"), None),
        (("DestinationPort", "is", "80"), ("SourcePort", "is", "80"), None),
    ],
)
def test_filter_that_another_one_covers_does_nothing(
    first: tuple[str, str, str], second: tuple[str, str, str], shown_text: int | None
) -> None:
    """Whichever comes first in the file, since none of them has a name."""
    texts = of_filters(f"{filter_xml(*first)}\n{filter_xml(*second)}")
    assert [text.partition(":")[0] for text in texts if "which does nothing" in text] == (
        [str(shown_text)] if shown_text else []
    )


def test_covered_filter_with_a_name_of_its_own_is_silent_where_it_is_asked_first() -> None:
    """It gives its name; asked second it gives none, and that is reported."""
    narrow = '<Image condition="end with" name="narrow">\\nc.exe</Image>'
    wide = '<Image condition="contains" name="wide">nc.</Image>'
    assert of_filters(f"{narrow}\n{wide}") == []
    assert of_filters(f"{wide}\n{narrow}") == [
        "4: found Image end with '\\nc.exe', which does nothing: Image contains 'nc.' in line 3 includes all that it "
        "matches and is evaluated first, so the name 'narrow' is never set"
    ]


def test_the_widest_filter_is_named() -> None:
    """Not one that does nothing itself."""
    hosts = [filter_xml("DestinationHostname", "end with", name) for name in ("a.b.c.com", "b.c.com", "c.com")]
    assert [text.partition(": DestinationHostname ")[2] for text in of_filters("\n".join(hosts))] == [
        "end with 'c.com' in line 5 includes all that it matches"
    ] * 2


EXCLUDE_EVIL = '\n<NetworkConnect onmatch="exclude"><Image condition="contains">evil</Image></NetworkConnect>'


@pytest.mark.parametrize(
    ("include", "what"),
    [
        (filter_xml("Image", "image", "evil.exe"), "Image image 'evil.exe'"),
        (filter_xml("Image", "contains any", "evil;devil"), "Image contains any 'evil;devil'"),
        ('<Rule groupRelation="and"><Protocol>tcp</Protocol><Image condition="image">evil.exe</Image></Rule>',
         "a <Rule>"),
        (filter_xml("Image", "contains any", "evil;good"), None),
    ],
)  # fmt: skip
def test_include_that_an_exclude_voids_is_reported(include: str, what: str | None) -> None:
    """Excludes are asked first, in every place."""
    shown_text = (
        f"3: found {what}, which never includes anything: Image contains 'evil' in line 5 excludes all that it matches"
    )
    assert found(INCLUDE.format(include) + EXCLUDE_EVIL) == ([shown_text] if what else [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (filter_xml(PORT, "is", "80"), filter_xml(PORT, "is", "443")),
        (filter_xml(IMAGE, "is", r"C:\a.exe"), filter_xml(IMAGE, "is not", r"c:\A.exe")),
        (filter_xml(IMAGE, "is", r"C:\a.exe"), filter_xml(IMAGE, "begin with", "D:\\")),
        (filter_xml(IMAGE, "image", "a.exe"), filter_xml(IMAGE, "image", "b.exe")),
        (filter_xml(IMAGE, "end with", r"\a.exe"), filter_xml(IMAGE, "excludes", ".exe")),
    ],
)
def test_rule_that_contradicts_itself_never_matches(one: str, other: str) -> None:
    [text] = of_filters(f'<Rule groupRelation="and">\n{one}\n{other}\n</Rule>')
    assert text.startswith("3: found a <Rule> that never matches: ")
    assert "(line 4)" in text
    assert "(line 5) are never both true" in text


def test_and_element_never_matches_where_each_of_its_choices_contradicts() -> None:
    """Filters on one field are alternatives there; its Rules are not."""
    element = INCLUDE.replace('"or"', '"and"')
    rule = f'<Rule groupRelation="or">{filter_xml(PORT, "is", "80")}</Rule>'
    ports = filter_xml(PORT, "is", "443") + filter_xml(PORT, "is", "22")
    [text] = found(element.format(rule + ports))
    assert text.startswith('2: found <NetworkConnect onmatch="include"> that never matches')
    with_a_way_out = found(element.format(rule + ports + filter_xml(PORT, "contains", "80")))
    assert not any("never matches" in text for text in with_a_way_out)


@pytest.mark.parametrize("relation", ["or", "and"])
def test_two_negatives_on_a_field_always_match(relation: str) -> None:
    """Even in an AND element, where filters on one field are alternatives."""
    filters = f"{filter_xml(PORT, 'is not', '80')}\n{filter_xml(PORT, 'is not', '443')}"
    enough = {
        "or": "one is enough",
        "and": "one filter of DestinationPort is enough, even under groupRelation and",
    }[relation]
    assert found(INCLUDE.replace('"or"', f'"{relation}"').format(filters)) == [
        f"4: found DestinationPort is not '443' beside DestinationPort is not '80' in line 3: {enough}, and one of "
        f'them always matches, so everything is included; for both at once put them into a <Rule groupRelation="and">'
    ]
    assert of_filters(f'<Rule groupRelation="and">{filters}</Rule>') == []


TWO_FIELDS = "<Protocol>tcp</Protocol><DestinationPort>443</DestinationPort>"
NONE, EXCLUDES, INCLUDES = "", '<NetworkConnect onmatch="exclude"/>', '<NetworkConnect onmatch="include"/>'


@pytest.mark.parametrize(
    ("elements", "shown_text"),
    [
        (NONE, "1: found no <NetworkConnect>, so no network connection is logged: by default Sysmon logs none"),
        (EXCLUDES, None),
        (INCLUDES, '2: found <NetworkConnect onmatch="include"> without rules, so no network connection is logged'),
        (EXCLUDES + INCLUDES, '2: found <NetworkConnect onmatch="include"> without rules, so no network connection is '
         "logged"),
        (f"{EXCLUDES}\n{EXCLUDES}", '3: found <NetworkConnect onmatch="exclude"> beside that of line 2, so no network '
         "connection is logged: only one that stands alone logs what it does not match; put the rules into one "
         "element"),
    ],
)  # fmt: skip
def test_configuration_that_logs_nothing_is_reported(elements: str, shown_text: str | None) -> None:
    assert found(elements) == ([shown_text] if shown_text else [])


def test_default_relation_is_reported_where_it_matters() -> None:
    """AND from schema 4.20 on, and before that OR, which is worth a note."""
    element = f'<NetworkConnect onmatch="include">{TWO_FIELDS}</NetworkConnect>'
    assert found(element) == [
        '2: found <NetworkConnect onmatch="include"> without a <RuleGroup groupRelation>: under schema 4.90 it matches '
        'what matches all of Protocol, DestinationPort; write <RuleGroup groupRelation="or">, or "and" if that is meant'
    ]
    assert found(element, schema="4.1") == []
    [note] = found(element, schema="4.1", notes=True)
    assert "of Protocol, DestinationPort one is enough" in note
    assert of_filters(TWO_FIELDS) == []


def test_rule_without_relation_is_reported() -> None:
    assert of_filters(f"<Rule>{TWO_FIELDS}</Rule>") == [
        "3: found a <Rule> without groupRelation: Sysmon takes or, though a text of Microsoft's says and; write which "
        "you mean"
    ]
    assert of_filters("<Rule><Protocol>tcp</Protocol></Rule>") == []


def test_condition_newer_than_the_schema_is_reported_once() -> None:
    """Of any event, since Sysmon refuses the entire file."""
    ports = "\n".join(filter_xml(PORT, "is any", port) for port in ("80", "443"))
    text = (
        "3: found condition 'is any' under schema 4.30: it came with 4.31, and Sysmon that is older refuses the file; "
        "write schemaversion='4.31'; likewise 1 more, line 4"
    )
    assert of_filters(ports, schema="4.30") == [text]
    assert of_filters(ports, schema="4.31") == []


def test_consequence_for_a_rule_is_reported() -> None:
    [text] = of_filters(f'<Rule groupRelation="and">{filter_xml(IMAGE, "is", "a.exe")}<Protocol>tcp</Protocol></Rule>')
    assert text.endswith("; so its <Rule> never matches")
