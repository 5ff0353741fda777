"""Twenty cases that show whether somebody understands Sysmon, and the trap of white space and case."""

from __future__ import annotations

from rule_cases import NO, UNNAMED, case

# What olafhartong/sysmon-modular (MIT) has in 3_network_connection_initiated/include_relaying.xml.
RELAYING = (
    '<RuleGroup groupRelation="or"><include><Rule groupRelation="and" name="technique_id=T1557,technique_name=x">'
    '<SourcePort condition="is">445</SourcePort><ProcessId condition="is not">4</ProcessId></Rule></include>'
    "</RuleGroup>"
)
TWO_PORTS = "".join(f'<DestinationPort condition="is not">{port}</DestinationPort>' for port in (80, 443))
HTTP_OR_TCP = "<DestinationPort>80</DestinationPort><Protocol>tcp</Protocol>"
SVCHOST_443 = '<include><Image condition="image">svchost.exe</Image><DestinationPort>443</DestinationPort></include>'
STALE = (
    '<RuleGroup groupRelation="or"><include><Protocol>tcp</Protocol></include></RuleGroup>'
    '<RuleGroup groupRelation="and"><include><Image name="stale" condition="image">svchost.exe</Image>'
    "<DestinationPort>80</DestinationPort></include></RuleGroup>"
)


def named(group: str, image: str, port: str) -> str:
    return (
        f'<RuleGroup groupRelation="and" name="{group}"><include><Image name="{image}" condition="image">svchost.exe'
        f'</Image><DestinationPort name="{port}">443</DestinationPort></include></RuleGroup>'
    )


def host(condition: str, value: str) -> str:
    return f'<include><DestinationHostname condition="{condition}">{value}</DestinationHostname></include>'


def image(condition: str, value: str) -> str:
    return f'<include><Image condition="{condition}">{value}</Image></include>'


FACTS = (
    case("1 no NetworkConnect", "", ({}, NO)),
    case("2 an empty exclude", "<exclude/>", ({}, UNNAMED)),
    case("3 an empty include", "<include/>", ({}, NO)),
    case("4 both empty", "<include/><exclude/>", ({}, NO)),
    case(
        "5 include, but exclude",
        "<include><DestinationPort>443</DestinationPort><DestinationPort>80</DestinationPort></include>"
        '<exclude><Image condition="end with">iexplore.exe</Image></exclude>',
        ({}, UNNAMED), ({"Image": "C:\\P\\iexplore.exe"}, NO), ({"DestinationPort": 22}, NO),
    ),
    case(
        "6 two excludes and no match",
        "<RuleGroup><exclude><DestinationPort>53</DestinationPort></exclude></RuleGroup>"
        "<RuleGroup><exclude><DestinationPort>80</DestinationPort></exclude></RuleGroup>",
        ({}, NO),
    ),
    case("7 OR without a group in 4.1", SVCHOST_443, ({"DestinationPort": 80}, UNNAMED), schema="4.1"),
    case("7 AND without a group in 4.2", SVCHOST_443, ({"DestinationPort": 80}, NO), schema="4.2"),
    case("7 AND without a group in 4.90", SVCHOST_443, ({"DestinationPort": 80}, NO)),
    case(
        "8 one field's filters are alternatives in AND, negatives too",
        f'<RuleGroup groupRelation="and" name="g"><include>{TWO_PORTS}</include></RuleGroup>',
        ({}, "g"),
    ),
    case(
        "9 but not in a Rule",
        f'<RuleGroup groupRelation="or"><include><Rule groupRelation="and">{TWO_PORTS}</Rule></include></RuleGroup>',
        ({}, NO),
    ),
    case("10 a Rule without a relation is OR", f'<include><Rule name="r">{HTTP_OR_TCP}</Rule></include>', ({}, "r")),
    case(
        "11 less than compares text",
        '<include><DestinationPort condition="less than">1024</DestinationPort></include>',
        ({}, NO), ({"DestinationPort": 10000}, UNNAMED),
    ),
    case("12 excludes any", image("excludes any", "svchost;foo"), ({}, NO)),
    case("12 excludes all", image("excludes all", "svchost;foo"), ({}, UNNAMED)),
    case("13 a trailing ; matches all", image("contains any", "foo;"), ({}, UNNAMED)),
    case("13 a leading ; is literal", image("contains any", ";foo"), ({}, NO)),
    case(
        "14 the last element in the document is asked first",
        '<RuleGroup name="A"><include><DestinationPort>443</DestinationPort></include></RuleGroup>'
        '<RuleGroup name="B"><include><Protocol>tcp</Protocol></include></RuleGroup>',
        ({}, "B"), ({"Protocol": "udp"}, "A"),
    ),
    case("15 AND reports its last named filter", named("G", "n1", "n2"), ({}, "n2")),
    case("15 or the group's name, inherited", named("G", "n1", ""), ({}, "G")),
    case("15 or the last that has one", named("", "n1", ""), ({}, "n1")),
    case("16 a stale name is Sysmon's bug", STALE, ({}, UNNAMED, "stale")),
    case("17 a Rule of two", RELAYING, ({"SourcePort": 445}, "technique_id=T1557,technique_name=x"),
         ({"SourcePort": 445, "ProcessId": 4}, NO)),
    case("18 what is missing is -", host("is", "-"), ({}, UNNAMED), ({"DestinationHostname": "a"}, NO)),
    case("18 and not empty", host("is", ""), ({}, NO)),
    case("18 but everything contains nothing", host("contains", ""), ({}, UNNAMED)),
    case("19 image: a path", image("image", "C:\\WINDOWS\\system32\\SVCHOST.EXE"), ({}, UNNAMED)),
    case("19 image: a part of a path", image("image", "System32\\svchost.exe"), ({}, NO)),
    case("19 image: / does not part", image("image", "wget"), ({"Image": "/usr/bin/wget"}, NO)),
    case("20 IPv6 is written in eight groups", "<include><DestinationIp>::1</DestinationIp></include>",
         ({"DestinationIp": "::1"}, NO)),
    case(
        "20 and so it begins",
        '<include><DestinationIp condition="begin with">fe80:0:0:0</DestinationIp></include>',
        ({"DestinationIp": "fe80::1:2:3:4"}, UNNAMED),
    ),
    case("nothing is trimmed", "<include><DestinationPort> 443</DestinationPort></include>", ({}, NO)),
    case("case does not matter", "<include><Initiated>True</Initiated></include>", ({}, UNNAMED)),
)  # fmt: skip
