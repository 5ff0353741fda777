"""The texts that Sysmon compares, field by field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from rule_cases import NO, UNNAMED, Case, Changes, case


def text(field: str, condition: str, value: str, logged: bool, changes: Changes | None = None) -> Case:
    """An include with one filter."""
    reported = ", ".join(f"{name}={value!r}" for name, value in (changes or {}).items())
    return case(
        f"{field} {condition} {value!r} {reported}",
        f'<include><{field} condition="{condition}">{value}</{field}></include>',
        (changes or {}, UNNAMED if logged else NO),
    )


AT = {"UtcTime": datetime(2024, 2, 29, 23, 5, 9, 7_999, UTC)}
IN_TOKYO = {"UtcTime": datetime(2024, 3, 1, 8, 0, 0, 0, timezone(timedelta(hours=9)))}
GUID = "{A98268C1-957F-5ACD-0000-0010EB030000}"
MAPPED = {"DestinationIp": "::ffff:1.2.3.4"}
LOOPBACK = {"SourceIp": "::1"}
LONG = {"SourceIp": "2001:db8::a0b:c"}

TEXTS = (
    text("Initiated", "is", "true", True),
    text("Initiated", "is", "1", False),
    text("Initiated", "is", "false", True, {"Initiated": False}),
    text("Initiated", "is not", "true", True, {"Initiated": False}),
    text("Initiated", "is", "true ", False),
    text("SourceIsIpv6", "is", "FALSE", True),
    text("DestinationIsIpv6", "contains", "ru", True, {"DestinationIsIpv6": True}),
    text("DestinationPort", "is", "443", True),
    text("DestinationPort", "is", "0443", False),
    text("DestinationPort", "contains", "44", True),
    text("DestinationPort", "contains any", "443;80", True, {"DestinationPort": 8080}),
    text("DestinationPort", "is any", "443;80", False, {"DestinationPort": 8080}),
    text("SourcePort", "is", "0", True, {"SourcePort": 0}),
    text("SourcePort", "more than", "49152", True),
    text("ProcessId", "is", "4", True, {"ProcessId": 4}),
    text("ProcessId", "is", "4294967295", True, {"ProcessId": 4294967295}),
    text("UtcTime", "is", "2018-04-11 05:29:35.394", True),
    text("UtcTime", "begin with", "2018-04-11T", False),
    text("UtcTime", "is", "2024-02-29 23:05:09.007", True, AT),
    text("UtcTime", "is", "2024-02-29 23:00:00.000", True, IN_TOKYO),
    text("UtcTime", "is", "-", True, {"UtcTime": None}),
    text("UtcTime", "less than", "2019", True),
    text("ProcessGuid", "is", GUID, True),
    text("ProcessGuid", "is", GUID.lower(), True),
    text("ProcessGuid", "is", GUID[1:-1], False),
    text("ProcessGuid", "begin with", "{a98268c1", True),
    text("Image", "is", "-", True, {"Image": None}),
    text("Image", "is not", "svchost.exe", True, {"Image": None}),
    text("User", "end with", "\\system", True),
    text("User", "is", "-", True, {"User": None}),
    text("Protocol", "is", "TCP", True),
    text("SourceHostname", "excludes", "corp", True),
    text("SourceHostname", "end with", ".corp", True, {"SourceHostname": "HOST.CORP"}),
    text("SourcePortName", "is", "-", True),
    text("DestinationPortName", "is", "https", True),
    text("SourceIp", "begin with", "10.", True),
    text("SourceIp", "is", "-", True, {"SourceIp": None}),
    text("SourceIp", "is", "::1", False, LOOPBACK),
    text("SourceIp", "is", "0:0:0:0:0:0:0:1", True, LOOPBACK),
    text("SourceIp", "is", "2001:db8:0:0:0:0:a0b:c", True, LONG),
    text("SourceIp", "is", "2001:DB8:0:0:0:0:A0B:C", True, LONG),
    text("SourceIp", "is", "2001:0db8:0:0:0:0:0a0b:000c", False, LONG),
    text("SourceIp", "is", "0:0:0:0:0:0:0:0", True, {"SourceIp": "::"}),
    text("DestinationIp", "is", "0:0:0:0:0:ffff:102:304", True, MAPPED),
    text("DestinationIp", "contains", "1.2.3.4", False, MAPPED),
    text("DestinationIp", "is", "1.2.3.4", True),
    text("RuleName", "is", "-", True),
    text("RuleName", "is", "x", False, {"RuleName": "x"}),
    text("RuleName", "is", "-", True, {"RuleName": "x"}),
)

NAMES = {"SourceHostname": "a.corp", "SourcePortName": "smtp", "DestinationHostname": "b.corp"}


def unresolved(field: str, lookup: str, verdict: str | None) -> Case:
    snippet = f"<DnsLookup>{lookup}</DnsLookup><EventFiltering><include><{field}>-</{field}></include></EventFiltering>"
    return case(f"DnsLookup {lookup}: {field} is -", snippet, (NAMES, verdict))


LOOKUPS = (
    *(unresolved(field, "False", UNNAMED) for field in (*NAMES, "DestinationPortName")),
    *(unresolved(field, "True", NO) for field in (*NAMES, "DestinationPortName")),
    unresolved("DestinationHostname", "false", UNNAMED),
    unresolved("DestinationIp", "False", NO),
)
