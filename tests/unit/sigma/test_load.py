"""What is known of a rule, and what documents of a file do to each other."""

from __future__ import annotations

import json
from pathlib import Path

from procwire.sigma import LogSource, SigmaStream, load
from sigma_cases import batch_of, by_matches, document, loaded

RULE = r"""
title: Beacon of a script
id: 1f21ec3f-810d-4b0e-8045-322202e22b4b
status: test
level: high
author: Somebody, Somebody Else
tags: [attack.command-and-control, attack.t1071]
description: |
    Tells of scripts.
references: ['https://example.com/a']
logsource: {category: network_connection, product: windows}
detection:
    selection:
        Image|endswith: ['\wscript.exe', '\cscript.exe']
        Initiated: 'true'
    filter:
        DestinationIp|cidr: ['10.0.0.0/8', '::1/128']
    condition: selection and not filter
"""

SQL = r"""
((provider_name = 'Linux-Sysmon') IS NOT TRUE
  AND (ends_with(lower(process_name), '\wscript.exe')
    OR ends_with(lower(process_name), '\cscript.exe'))
  AND network_connection_initiated
  AND (dst_ip_bytes BETWEEN unhex('00000000000000000000ffff0a000000') AND unhex('00000000000000000000ffff0affffff') /* 10.0.0.0/8 */
    OR dst_ip_bytes = unhex('00000000000000000000000000000001') /* ::1/128 */) IS NOT TRUE)
""".strip()  # noqa: E501


def test_what_is_known_of_a_rule() -> None:
    [rule] = loaded(RULE).rules
    assert rule.id == "1f21ec3f-810d-4b0e-8045-322202e22b4b"
    assert (rule.title, rule.level, rule.status) == ("Beacon of a script", "high", "test")
    assert rule.author == "Somebody, Somebody Else"
    assert rule.tags == ("attack.command-and-control", "attack.t1071")
    assert rule.description == "Tells of scripts.\n"
    assert rule.references == ("https://example.com/a",)
    assert rule.logsource == LogSource("network_connection", "windows")
    assert rule.fields == ("Image", "Initiated", "DestinationIp")
    assert rule.columns == ("provider_name", "process_name", "network_connection_initiated", "dst_ip_bytes")
    assert not rule.needs_processes


def test_sql_is_readable() -> None:
    [rule] = loaded(RULE).rules
    assert rule.sql == SQL


def test_match_tells_the_rule_the_reason_and_the_event() -> None:
    found = loaded(RULE)
    event = {"Image": r"C:\WScript.exe", "Initiated": True, "DestinationIp": "1.2.3.4", "DestinationPort": 443}
    [match] = SigmaStream(found).matches(batch_of([event])).to_pylist()
    assert match["rule_id"] == found.rules[0].id
    assert (match["rule_title"], match["rule_level"]) == ("Beacon of a script", "high")
    assert match["rule_tags"] == ["attack.command-and-control", "attack.t1071"]
    # The rules' licence asks for it.
    assert match["rule_author"] == "Somebody, Somebody Else"
    assert json.loads(match["matched"]) == {"Image": r"C:\WScript.exe", "Initiated": True}
    assert (match["dst_ip"], match["dst_port"], match["record_id"]) == ("1.2.3.4", 443, 0)


def test_rule_without_a_level_or_an_id() -> None:
    """It is informational, and its id is made of where it stands."""
    one, two = loaded(document("Image: 'a'"), document("Image: 'a'")).rules
    assert one.level == "informational"
    assert one.id != two.id


def test_rules_below_a_level() -> None:
    found = loaded(RULE, document("Image: 'a'"))
    assert [rule.title for rule in found.at_least("medium").rules] == ["Beacon of a script"]
    assert len(found.at_least("informational").rules) == 2


def test_global_document() -> None:
    """Legacy files: what they share stands first."""
    shared = "action: global\ntitle: A\nlogsource: {category: network_connection}\n"
    found = loaded(shared, "detection: {a: {Image: 'a'}, condition: a}", "detection: {a: {Image: 'b'}, condition: a}")
    assert [rule.title for rule in found.rules] == ["A", "A"]
    matches = SigmaStream(found).matches(batch_of([{"Image": "a"}, {"Image": "b"}]))
    assert matches["record_id"].to_pylist() == [0, 1]


def test_filter_document() -> None:
    """Sigma's filters change the rules that they name."""
    filtering = (
        "title: F\nlogsource: {category: network_connection, product: windows}\n"
        "filter:\n  rules: [1f21ec3f-810d-4b0e-8045-322202e22b4b]\n"
        "  ours:\n    User: 'trusted'\n  condition: not ours"
    )
    events = [{"Image": r"\wscript.exe", "Initiated": True, "User": user} for user in ("trusted", "other")]
    assert by_matches(loaded(RULE, filtering), events) == [False, True]


def test_processes_are_needed() -> None:
    """Where event 3 does not have the field."""
    rules = loaded(document("CommandLine: 'a'"), document("OriginalFileName: 'a'"), document("QueryName: 'a'")).rules
    assert [rule.needs_processes for rule in rules] == [True, True, False]
    assert [rule.view for rule in rules] == ["enriched", "enriched", "enriched"]
    [dns] = loaded(document("QueryName: 'a'", category="dns_query")).rules
    assert dns.view == "dns_queries"


def test_dns_rule_on_connections_of_a_recording() -> None:
    """By the name that the process itself looked up; one that comes from elsewhere was not asked for."""
    found = loaded(document("QueryName|endswith: '.evil'", category="dns_query"))
    events = [
        {"DestinationHostname": "a.evil", "DestinationHostnameOrigin": "dns"},
        {"DestinationHostname": "a.evil", "DestinationHostnameOrigin": "reverse"},
        {"DestinationHostname": "a.evil"},
        {"DestinationHostname": "b", "DestinationHostnameOrigin": "dns"},
    ]
    assert by_matches(found, events) == [True, False, False, False]


def test_firewall_rule() -> None:
    """By the names of that category; what was let through is a connection, what was not an attempt."""
    found = loaded(document("dst_port: 445\naction: [drop, block]\nsrc_ip|cidr: '10.0.0.0/8'", category="firewall"))
    events = [
        {"DestinationPort": 445, "SourceIp": "10.0.0.1", "RecordKind": kind} for kind in ("attempt", "connection")
    ]
    assert by_matches(found, events) == [True, False]


def test_kinds_of_records() -> None:
    """An attempt to reach what is forbidden is a match; the end of a connection is reported already."""
    found = loaded(document("Image: 'a'"))
    kinds = ("connection", "existing", "attempt", "close", "loss", None)
    events = [{"Image": "a", "RecordKind": kind} for kind in kinds]
    assert by_matches(found, events) == [True, True, True, False, False, True]


def test_service_sysmon() -> None:
    """Older rules name the service and the event."""
    text = document("EventID: 3\nImage: 'a'").replace("category: network_connection", "service: sysmon")
    assert by_matches(loaded(text), [{"Image": "a", "EventID": 3}]) == [True]


def test_names_of_ecs() -> None:
    text = document(
        "process.executable: 'a'\ndestination.ip: '10.0.0.1'\ndestination.port: 443\nnetwork.direction: outbound"
    )
    event = {"Image": "A", "DestinationIp": "10.0.0.1", "DestinationPort": 443}
    assert by_matches(loaded(text), [{**event, "Initiated": True}, {**event, "Initiated": False}]) == [True, False]


def test_examples_beside_a_rule_are_no_rules(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    (tmp_path / "rule.test.yml").write_text("- {match: true, event: {Image: x}}")
    found = load([tmp_path])
    assert ([rule.path for rule in found.rules], found.problems) == ([str(tmp_path / "rule.yml")], ())


def test_rules_about_other_events_are_distinguished(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(RULE.replace("network_connection", "image_load"))
    (tmp_path / "bad.yml").write_text(RULE.replace("Initiated", "Nowhere"))
    assert [problem.kind for problem in load([tmp_path]).problems] == ["mistake", "other events"]
