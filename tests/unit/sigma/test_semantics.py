"""What every modifier and value means: the rule, events that it matches, and events that it does not.

Each case holds for the SQL, for the matcher of streams, and for the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from sigma_cases import LINUX, Event, by_matches, by_reference, by_sql, document, loaded


@dataclass(frozen=True)
class Case:
    """A detection, and events. product: of the rule's log source."""

    says: str
    detection: str
    yes: tuple[Event, ...]
    no: tuple[Event, ...]
    product: str = "windows"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOTHING: Event = {}
CASES = (
    # Texts
    Case("case is folded, beyond ASCII too", r"Image: 'c:\ÄRGER\Σs.EXE'",
         ({"Image": r"C:\ärger\ΣS.exe"}, {"Image": r"c:\Ärger\σs.exe"}), ({"Image": r"c:\arger\σs.exe"}, NOTHING)),
    Case("a dotted capital I is an i", "Image: 'İ'", ({"Image": "i"}, {"Image": "İ"}, {"Image": "I"}),
         ({"Image": "ı"},)),
    Case("sharp s is not ss", "Image: 'STRASSE'", ({"Image": "strasse"},), ({"Image": "straße"},)),
    Case("cased is not folded", "Image|cased: 'A.exe'", ({"Image": "A.exe"},), ({"Image": "a.exe"}, NOTHING)),
    Case("cased is not folded within wildcards", "Image|contains|cased: 'Ab'", ({"Image": "xAbx"},),
         ({"Image": "xabx"},)),
    Case("the whole text", "Image: 'a'", ({"Image": "a"},), ({"Image": "ab"}, {"Image": " a"}, NOTHING)),
    Case("values of a list are alternatives", "Image: ['a', 'b*']", ({"Image": "a"}, {"Image": "bc"}),
         ({"Image": "ab"},)),
    Case("fields of a map belong together", "Image: 'a'\nUser: 'b'", ({"Image": "a", "User": "b"},),
         ({"Image": "a"}, {"User": "b"}, {"Image": "b", "User": "a"})),
    Case("maps of a list are alternatives", "- Image: 'a'\n- User: 'b'", ({"Image": "a"}, {"User": "b"}),
         ({"Image": "b"}, NOTHING)),
    Case("a number for a text", "Image: 4", ({"Image": "4"},), ({"Image": "44"}, {"Image": "04"})),
    Case("quotes and what SQL's LIKE takes for wildcards", "Image: \"it's_100%*!\"", ({"Image": "It's_100%x!"},),
         ({"Image": "it'sx100%x!"}, {"Image": "it's_1000x!"})),
    # Wildcards and escapes
    Case("* is any text, ? any one character", r"Image: 'a?c*e'", ({"Image": "abce"}, {"Image": "aéc\n\ne"}),
         ({"Image": "ace"}, {"Image": "abbce"}, {"Image": "abcef"})),
    Case("? is one character beyond 16 bits", "Image: 'a?b'", ({"Image": "a\U0001f600b"},), ({"Image": "ab"},)),
    Case("an escaped wildcard is itself", r"Image: 'a\*b\?c'", ({"Image": "a*b?c"},), ({"Image": "axb?c"},)),
    Case("an escaped backslash before a wildcard", r"Image: 'a\\*b'", ({"Image": r"a\xb"}, {"Image": r"a\b"}),
         ({"Image": "a*b"}, {"Image": r"axb"})),
    Case("an escaped backslash, and an escaped wildcard", r"Image: 'a\\\*b'", ({"Image": r"a\*b"},),
         ({"Image": r"a\xb"},)),
    Case("a backslash before anything else is itself", r"Image: 'C:\Users\\x'",
         ({"Image": "C:\\Users\\x"},), ({"Image": r"C:\Users\\x"},)),
    Case("two backslashes of a share are written four", r"Image: '\\\\srv\\share\\*'", ({"Image": r"\\srv\share\a"},),
         ({"Image": r"\srv\share\a"},)),
    Case("a backslash at the end is itself", "Image|startswith: 'C:\\Temp\\'", ({"Image": "C:\\Temp\\a"},),
         ({"Image": "C:\\Temp"},)),
    Case("* alone is any text but none", "Image: '*'", ({"Image": "x"},), (NOTHING,)),
    Case("many * at their first places", "Image: '*a*b*a'", ({"Image": "xaybza"}, {"Image": "aba"}),
         ({"Image": "ab"}, {"Image": "abab"})),
    # contains, startswith, endswith, all, windash
    Case("contains", "Image|contains: 'B'", ({"Image": "abc"}, {"Image": "b"}), ({"Image": "ac"}, NOTHING)),
    Case("startswith", "Image|startswith: 'A'", ({"Image": "abc"},), ({"Image": "ba"}, NOTHING)),
    Case("endswith", r"Image|endswith: '\A.exe'", ({"Image": r"C:\a.EXE"},), ({"Image": r"C:\ba.exe"}, NOTHING)),
    Case("contains with a wildcard in it", "Image|contains: 'a*c'", ({"Image": "xabcx"},), ({"Image": "cxa"},)),
    Case("contains all", "Image|contains|all: ['a', 'B']", ({"Image": "xbxa"},), ({"Image": "a"}, {"Image": "b"})),
    Case("windash is any dash before a word", "CommandLine|windash|contains: ' -e '",
         ({"CommandLine": "p /e x"}, {"CommandLine": "p -e x"}, {"CommandLine": "p \u2013e x"}),
         ({"CommandLine": "p e x"}, NOTHING)),
    Case("of all values, each in one of its dashes", "CommandLine|windash|contains|all: [' -a', ' -b']",
         ({"CommandLine": "x /a -b"},), ({"CommandLine": "x /a"},)),
    Case("neq", "Image|neq: 'a'", ({"Image": "b"}, NOTHING), ({"Image": "A"},)),
    # Encodings
    Case("base64", "CommandLine|base64|contains: 'http'", ({"CommandLine": "x aHR0cA== y"},),
         ({"CommandLine": "http"},)),
    Case("base64offset", "CommandLine|base64offset|contains: 'http://'",
         ({"CommandLine": "aHR0cDovL"}, {"CommandLine": "xodHRwOi8v"}, {"CommandLine": "zIGh0dHA6Ly"}),
         ({"CommandLine": "http://"},)),
    Case("wide text in base64", "CommandLine|wide|base64offset|contains: 'ping'",
         ({"CommandLine": "xcABpAG4AZw"},), ({"CommandLine": "ping"},)),
    Case("UTF-16 with its mark in base64", "CommandLine|utf16|base64|contains: 'a'", ({"CommandLine": "//5hAA=="},),
         ({"CommandLine": "YQA="},)),
    Case("big-endian UTF-16 in base64", "CommandLine|utf16be|base64|contains: 'a'", ({"CommandLine": "AGE="},),
         ({"CommandLine": "YQA="},)),
    # Regular expressions
    Case("re finds, with regard to case", "Image|re: 'b.d$'", ({"Image": "abcd"},), ({"Image": "abCD"}, NOTHING)),
    Case("re with i", "Image|re|i: '^B'", ({"Image": "bc"}, {"Image": "BC"}), ({"Image": "ab"},)),
    Case("re with m: lines", "Image|re|m: '^b$'", ({"Image": "a\nb\nc"},), ({"Image": "a b"},)),
    Case("re with s: dot is a line's end, too", "Image|re|s: 'a.b'", ({"Image": "a\nb"},), ({"Image": "ab"},)),
    Case("re without s", "Image|re: 'a.b'", ({"Image": "axb"},), ({"Image": "a\nb"},)),
    Case("re of a number", "DestinationPort|re: '^44'", ({"DestinationPort": 443},), ({"DestinationPort": 8443},)),
    Case("re with quotes and backslashes", r"""Image|re: '^\\\\it''s'""", ({"Image": r"\\it's"},),
         ({"Image": r"\it's"},)),
    # Missing values: Sysmon's `-`, empty and absent are one
    Case("null", "Image: null", (NOTHING,), ({"Image": "a"},)),
    Case("an empty text", "Image: ''", (NOTHING,), ({"Image": "a"}, {"Image": " "})),
    Case("Sysmon's dash", "DestinationHostname: '-'", (NOTHING,), ({"DestinationHostname": "a"},)),
    Case("null among other values", "Image: [null, 'a']", (NOTHING, {"Image": "a"}), ({"Image": "b"},)),
    Case("a number that is missing", "DestinationPort: null", (NOTHING,), ({"DestinationPort": 0},)),
    Case("a flag that is missing", "Initiated: null", (NOTHING,), ({"Initiated": False},)),
    Case("exists", "Image|exists: true", ({"Image": "a"},), (NOTHING,)),
    Case("does not exist", "Image|exists: false", (NOTHING,), ({"Image": "a"},)),
    # Numbers
    Case("a number", "DestinationPort: 443", ({"DestinationPort": 443},), ({"DestinationPort": 4430}, NOTHING)),
    Case("a number as text", "DestinationPort: ['443', 80]", ({"DestinationPort": 443}, {"DestinationPort": 80}),
         ({"DestinationPort": 8080},)),
    Case("a number with wildcards", "DestinationPort: '44*'", ({"DestinationPort": 443}, {"DestinationPort": 44}),
         ({"DestinationPort": 844}, NOTHING)),
    Case("what is no number", "DestinationPort: 'https'", (), ({"DestinationPort": 443}, NOTHING)),
    Case("more than", "DestinationPort|gt: 1023", ({"DestinationPort": 1024},), ({"DestinationPort": 1023}, NOTHING)),
    Case("at least", "DestinationPort|gte: 1024", ({"DestinationPort": 1024},), ({"DestinationPort": 1023},)),
    Case("less than", "DestinationPort|lt: 1024", ({"DestinationPort": 0},), ({"DestinationPort": 1024}, NOTHING)),
    Case("at most", "DestinationPort|lte: 22.5", ({"DestinationPort": 22},), ({"DestinationPort": 23},)),
    Case("numbers, not texts, are compared", "DestinationPort|gt: 9", ({"DestinationPort": 10},),
         ({"DestinationPort": 8},)),
    # Flags
    Case("a flag as text", "Initiated: 'true'", ({"Initiated": True},), ({"Initiated": False}, NOTHING)),
    Case("a flag in capitals", "Initiated: 'True'", ({"Initiated": True},), ({"Initiated": False},)),
    Case("a flag as itself", "Initiated: false", ({"Initiated": False},), ({"Initiated": True}, NOTHING)),
    Case("a flag as a number", "Initiated: 1", ({"Initiated": True},), ({"Initiated": False}, NOTHING)),
    Case("a flag with a wildcard", "Initiated: 't*'", ({"Initiated": True},), ({"Initiated": False},)),
    Case("what is no flag", "Initiated: 'yes'", (), ({"Initiated": True}, {"Initiated": False}, NOTHING)),
    # Addresses
    Case("IPv4", "DestinationIp: '10.0.0.1'", ({"DestinationIp": "10.0.0.1"}, {"DestinationIp": "::ffff:10.0.0.1"}),
         ({"DestinationIp": "10.0.0.10"}, NOTHING)),
    Case("IPv6 as Sysmon writes it", "DestinationIp: '2607:7700:0:24:0:1:287e:1894'",
         ({"DestinationIp": "2607:7700:0:24:0:1:287e:1894"},), ({"DestinationIp": "2607:7700:0:24:0:1:287e:1895"},)),
    Case("IPv6 without ::", "DestinationIp: '0:0:0:0:0:0:0:1'", ({"DestinationIp": "::1"},),
         ({"DestinationIp": "::2"},)),
    Case("IPv6 with zeros and capitals", "DestinationIp: 'FE80:0000::A'", ({"DestinationIp": "fe80::a"},), (NOTHING,)),
    Case("an address with a wildcard", "DestinationIp: '10.*'", ({"DestinationIp": "10.1.2.3"},),
         ({"DestinationIp": "110.1.2.3"}, NOTHING)),
    Case("the beginning of an IPv6 address in either form", "DestinationIp|startswith: ['fe80:0:', '::1']",
         ({"DestinationIp": "fe80::1"}, {"DestinationIp": "::1"}), ({"DestinationIp": "fe81::1"}, NOTHING)),
    Case("what is no address", "DestinationIp: 'LOCAL'", ({"DestinationIp": "local"},), ({"DestinationIp": "::1"},)),
    Case("cidr of IPv4", "DestinationIp|cidr: '10.0.0.0/8'",
         ({"DestinationIp": "10.0.0.0"}, {"DestinationIp": "10.255.255.255"}, {"DestinationIp": "::ffff:10.1.1.1"}),
         ({"DestinationIp": "11.0.0.0"}, {"DestinationIp": "a00::"}, {"DestinationIp": "local"}, NOTHING)),
    Case("cidr that does not end at a byte", "DestinationIp|cidr: '172.16.0.0/12'",
         ({"DestinationIp": "172.31.255.255"},), ({"DestinationIp": "172.32.0.0"}, {"DestinationIp": "172.15.0.0"})),
    Case("cidr of one IPv6 address", "DestinationIp|cidr: '::1/128'", ({"DestinationIp": "::1"},),
         ({"DestinationIp": "::2"}, {"DestinationIp": "127.0.0.1"})),
    Case("cidr of IPv6", "DestinationIp|cidr: '2603:1006::/40'",
         ({"DestinationIp": "2603:1006:ff:ffff::"}, {"DestinationIp": "2603:1006::1"}),
         ({"DestinationIp": "2603:1006:100::"}, {"DestinationIp": "2603:1007::"})),
    Case("cidr of all IPv6 holds no IPv4", "DestinationIp|cidr: '::/0'", ({"DestinationIp": "fe80::1"},),
         ({"DestinationIp": "10.0.0.1"}, {"DestinationIp": "::ffff:10.0.0.1"})),
    Case("cidr of all IPv4 holds no IPv6", "DestinationIp|cidr: '0.0.0.0/0'", ({"DestinationIp": "10.0.0.1"},),
         ({"DestinationIp": "fe80::1"},)),
    Case("cidr of IPv4 in IPv6", "DestinationIp|cidr: '::ffff:10.0.0.0/104'", ({"DestinationIp": "10.1.2.3"},),
         ({"DestinationIp": "11.1.2.3"},)),
    # Times
    Case("the hour of a time", "UtcTime|hour: 3", ({"UtcTime": at("2018-04-11T03:59:59.999")},),
         ({"UtcTime": at("2018-04-11T04:00:00")}, NOTHING)),
    Case("the ISO week of a time", "UtcTime|week: 53", ({"UtcTime": at("2021-01-03T00:00:00")},),
         ({"UtcTime": at("2021-01-04T00:00:00")},)),
    Case("a time as Sysmon writes it", "UtcTime|startswith: '2018-04-11 05:29'",
         ({"UtcTime": at("2018-04-11T05:29:35.394")},), ({"UtcTime": at("2018-04-11T05:30:00")},)),
    # Fields compared with fields
    Case("the same as another", "Image|fieldref: ParentImage", ({"Image": "a", "ParentImage": "A"},),
         ({"Image": "a", "ParentImage": "b"}, {"Image": "a"}, NOTHING)),
    Case("begins with another", "CommandLine|fieldref|startswith: Image",
         ({"CommandLine": "A.exe x", "Image": "a.exe"},), ({"CommandLine": "x a.exe", "Image": "a.exe"},)),
    Case("ends with another", "Image|fieldref|endswith: CommandLine",
         ({"CommandLine": "A.exe", "Image": r"c:\a.exe"},), ({"CommandLine": "b", "Image": "a"},)),
    Case("contains another", "CommandLine|fieldref|contains: Image",
         ({"CommandLine": "x A.exe y", "Image": "a.exe"},), ({"CommandLine": "x", "Image": "a.exe"},)),
    Case("the same number", "SourcePort|fieldref: DestinationPort", ({"SourcePort": 1, "DestinationPort": 1},),
         ({"SourcePort": 1, "DestinationPort": 2}, {"SourcePort": 1})),
    Case("the same address", "SourceIp|fieldref: DestinationIp",
         ({"SourceIp": "::ffff:10.0.0.1", "DestinationIp": "10.0.0.1"},),
         ({"SourceIp": "10.0.0.1", "DestinationIp": "10.0.0.2"}, {"SourceIp": "10.0.0.1"})),
    # Conditions
    Case("not of what is missing", "a:\n  Image: 'a'\nb:\n  User: 'b'\ncondition: a and not b",
         ({"Image": "a"}, {"Image": "a", "User": "c"}), ({"Image": "a", "User": "B"}, NOTHING)),
    Case("not of not", "a:\n  Image: 'a'\ncondition: not not a", ({"Image": "a"},), (NOTHING,)),
    Case("not of both", "a:\n  Image: 'a'\nb:\n  User: 'b'\ncondition: not (a and b)", (NOTHING, {"Image": "a"}),
         ({"Image": "a", "User": "b"},)),
    Case("not of either", "a:\n  Image: 'a'\nb:\n  User: 'b'\ncondition: not (a or b)", (NOTHING, {"Image": "b"}),
         ({"Image": "a"}, {"User": "b"})),
    Case("1 of", "s_a:\n  Image: 'a'\ns_b:\n  User: 'b'\nt:\n  Image: 'x'\ncondition: 1 of s_*",
         ({"Image": "a"}, {"User": "b"}), ({"Image": "x"}, NOTHING)),
    Case("all of", "s_a:\n  Image: 'a'\ns_b:\n  User: 'b'\ncondition: all of s_*", ({"Image": "a", "User": "b"},),
         ({"Image": "a"}, {"User": "b"})),
    Case("1 of them", "a:\n  Image: 'a'\nb:\n  User: 'b'\ncondition: 1 of them", ({"Image": "a"},), (NOTHING,)),
    Case("and binds before or", "a:\n  Image: 'a'\nb:\n  User: 'b'\nc:\n  Protocol: 'tcp'\ncondition: a or b and c",
         ({"Image": "a"}, {"User": "b", "Protocol": "tcp"}), ({"User": "b"}, {"Protocol": "tcp"})),
    Case("several conditions are alternatives", "a:\n  Image: 'a'\nb:\n  User: 'b'\ncondition: [a, b]",
         ({"Image": "a"}, {"User": "b"}), (NOTHING,)),
    Case("words without a field", "a: ['EVIL', 'e?il2']\ncondition: a",
         ({"Image": "x evil.exe"}, {"DestinationHostname": "wevil2.net"}), ({"CommandLine": "evil"}, NOTHING)),
    Case("all words without a field", "a:\n  '|all': ['x', 'y']\ncondition: a", ({"Image": "x", "User": "y"},),
         ({"Image": "x"},)),
    # Log sources
    Case("rules for Windows", "Image: '*'", ({"Image": "a"}, {"Image": "a", "ProviderName": None}),
         ({"Image": "a", "ProviderName": LINUX},)),
    Case("rules for Linux", "Image: '*'", ({"Image": "a", "ProviderName": LINUX},),
         ({"Image": "a"}, {"Image": "a", "ProviderName": None}), product="linux"),
    Case("rules for either", "Image: '*'", ({"Image": "a", "ProviderName": LINUX}, {"Image": "a"}), (NOTHING,),
         product=""),
    # Others' words
    Case("protocols by number", "Protocol: 6", ({"Protocol": "tcp"},), ({"Protocol": "udp"}, NOTHING)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_semantics(case: Case) -> None:
    text = document(case.detection, product=case.product)
    rules = loaded(text)
    assert not rules.problems
    events = [*case.yes, *case.no]
    expected = [True] * len(case.yes) + [False] * len(case.no)
    assert by_sql(rules, events) == expected
    assert by_matches(rules, events) == expected
    assert by_reference(text, events) == expected


def test_every_modifier_has_a_case() -> None:
    """But for those under test_problems, none of pySigma's is left out."""
    from sigma.modifiers import modifier_mapping

    used = {
        word for case in CASES for line in case.detection.splitlines() for word in line.split(":")[0].split("|")[1:]
    }
    used = {word.strip("'\" ") for word in used}
    same = {"ignorecase", "multiline", "dotall", "minute", "day", "month", "year"}
    assert set(modifier_mapping) - used - same == {"expand"}
