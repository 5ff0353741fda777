"""What `check` says of a configuration, finding by finding: a table of mistakes, and of what is none."""

from __future__ import annotations

import pytest

from procwire.rules.check import check
from procwire.rules.parse import parse

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
        ("RuleName", "contains", "T1", "never matches: while rules are asked RuleName is still '-'"),
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
        ("SourceIp", "is", "192.168.", "never matches: addresses are compared whole; write begin with '192.168.', if "
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
def test_value_that_no_event_has_is_told_with_what_to_write(
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
    ("condition", "value", "told"),
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
def test_token_list_says_what_its_separators_do(condition: str, value: str, told: str | None) -> None:
    """At the end, doubled, with white space; where they do nothing there is no more than a note."""
    shown = f"Image {condition} '{value}'"
    assert of_filters(filter_xml("Image", condition, value)) == ([f"3: {told.format(shown)}"] if told else [])


@pytest.mark.parametrize(
    ("field", "condition", "value", "told"),
    [
        ("DestinationPort", "less than", "1024", "compares text and not numbers: it matches 10000 and it does not "
         "match 443; list the numbers with is any"),
        ("DestinationPort", "more than", "49151", "compares text and not numbers: it matches 80; list the numbers with "
         "is any"),
        ("DestinationPort", "contains any", "443;80", "also matches 4430: it looks for a part of the number; write is "
         "any '443;80'"),
        ("DestinationPort", "begin with", "44", "also matches 440: it looks for a part of the number; write is '44'"),
        ("SourcePort", "end with", "22", "also matches 122: it looks for a part of the number; write is '22'"),
        ("SourcePort", "excludes", "22", "also leaves out 220: it looks for a part of the number; write is not '22'"),
        ("SourcePort", "excludes any", "22;23", "also leaves out 220: it looks for a part of the number; write is not "
         'for each in a <Rule groupRelation="and">'),
        ("DestinationIp", "begin with", "10", "also matches 100.0.0.1: addresses are compared as text; write begin "
         "with '10.'"),
    ],
)  # fmt: skip
def test_number_compared_as_text_is_told_with_an_example(field: str, condition: str, value: str, told: str) -> None:
    assert of_filters(filter_xml(field, condition, value)) == [f"3: found {field} {condition} '{value}', which {told}"]


def test_part_of_a_number_that_is_all_of_it_is_silent() -> None:
    """No other port holds five digits."""
    assert of_filters(filter_xml("DestinationPort", "contains", "65535")) == []


def test_names_without_dns_look_up_are_told_once() -> None:
    hosts = "\n".join(filter_xml("DestinationHostname", "end with", f"{name}.com") for name in "abcd")
    assert of_filters(hosts, options="<DnsLookup>False</DnsLookup>") == [
        "3: found DestinationHostname end with 'a.com', which never matches: DnsLookup is False, so "
        "DestinationHostname is always '-'; write True, or leave it out; likewise 3 more, lines 4-6"
    ]
    assert of_filters(hosts) == []


def test_variable_is_told_to_be_none() -> None:
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
