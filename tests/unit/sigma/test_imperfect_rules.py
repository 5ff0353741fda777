"""Rules with imperfect metadata run; what is wrong is a warning, and mistakes come all at once, with suggestions."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.sigma import Problem, RuleSet, load, summary
from sigma_cases import batch_of, by_matches, document, loaded

RULE = document("Image|endswith: '\\\\upd.exe'")
EVENT = {"Image": "C:\\upd.exe"}

METADATA = {
    "a tag without a namespace": (
        "tags: [attack.t1071, sysmon]",
        "found tag 'sysmon', expected a namespace and a name",
    ),
    "a tag as a text": ("tags: attack.t1071", "found tags 'attack.t1071', expected a list"),
    "a tag that is a number": ("tags: [5]", "found tag '5', expected a namespace"),
    "another status": ("status: production", "found status 'production', expected one of stable,"),
    "an id that is no UUID": ("id: win-net-1", "found id 'win-net-1', expected a UUID"),
    "an id that is a number": ("id: 17", "found id '17', expected a UUID"),
    "a date with dots": ("date: 2020.01.05", "found date '2020.01.05', expected a date, such as 2024-05-14"),
    "a date that there is not": ("date: 2024-13-45", "found date '2024-13-45', expected a date"),
    "a date in words": ("modified: 5 May 2020", "found modified '5 May 2020', expected a date"),
    "false positives as a text": ("falsepositives: none", "found falsepositives 'none', expected a list"),
    "fields as a text": ("fields: Image", "found fields 'Image', expected a list"),
    "references as a text": ("references: https://example.com", "found references 'https://example.com', expected a"),
    "several authors": ("author: [A, B]", "found author a list, expected a text"),
    "a description that is a mapping": ("description: {a: 1}", "found description a mapping, expected a text"),
    "a level that is misspelt": ("level: critcal", "found level 'critcal', expected one of informational, low,"),
    "a level with another name": ("level: info", "found level 'info', expected one of"),
    "a name that is a number": ("name: 5", "found name '5', expected a text"),
    "related otherwise": ("related: abc", "found related otherwise than as a list of id and type"),
    "related with an unknown type": ("related: [{id: 1, type: x}]", "found related otherwise"),
    "a license that is a list": ("license: [MIT]", "found license a list, expected a text"),
    "a scope as a text": ("scope: server", "found scope 'server', expected a list"),
    "a taxonomy that is a number": ("taxonomy: 2", "found taxonomy '2', expected a text"),
    "an author that is a mapping": ("author: {a: b}", "found author a mapping, expected a text"),
    "a name that is a date": ("name: 2024-01-01", "found name '2024-01-01', expected a text"),
    "a level that is a list": ("level: [high]", "found level a list, expected one of"),
    "tags in tags": ("tags: [[a]]", "found tag \"['a']\", expected a namespace"),
    "a key that is misspelt": ("refrences: [a]", "found key 'refrences'; did you mean 'references'?"),
}


@pytest.mark.parametrize("case", METADATA, ids=str)
def test_what_does_not_affect_matching_is_a_warning(case: str) -> None:
    line, expected = METADATA[case]
    found = loaded(f"{line}\n{RULE}")
    assert found.problems == ()
    [rule] = found.rules
    [warning] = rule.warnings
    assert warning.startswith(expected)
    assert by_matches(found, [EVENT]) == [True]


def test_rule_without_a_title_runs() -> None:
    [rule] = loaded(RULE.replace("title: A\n", "")).rules
    assert (rule.title, rule.warnings) == ("(without a title)", ("found no title",))
    [rule] = loaded(RULE.replace("title: A", f"title: {'a' * 300}")).rules
    assert (rule.title, rule.warnings) == ("a" * 300, ("found a title of 300 characters, expected 256 at most",))


def test_metadata_is_kept_as_far_as_it_can_be_read() -> None:
    [rule] = loaded(f"id: mine\nlevel: hihg\nauthor: [A, B]\ntags: x\nstatus: Production\n{RULE}").rules
    assert (rule.id, rule.level, rule.author, rule.tags, rule.status) == ("mine", "high", "A, B", ("x",), "production")


def test_metadata_as_specified_has_no_warning() -> None:
    whole = """\
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
status: test
level: HIGH
date: 2024/05/1
modified: 2024-05-14
related: [{id: 929a690e-bef0-4204-a928-ef5e620d6fcd, type: derived}]
tags: [attack.t1071, cve.2024-1]
falsepositives: [Unknown]
custom: {a: 1}
ruletype: Sigma
"""
    [rule] = loaded(whole + RULE).rules
    assert (rule.warnings, rule.level) == ((), "high")


def test_two_rules_with_one_id_run_and_the_second_has_a_warning() -> None:
    one, two = loaded(f"id: a\n{RULE}", f"id: a\n{RULE}").rules
    assert one.warnings[1:] == ()
    assert two.warnings[1].startswith("found id a again: it is that of the rule in ")


def test_selection_that_nothing_refers_to_is_a_warning() -> None:
    detection = "a:\n  Image: 'a'\nfilter_main:\n  Image: 'b'\ncondition: a"
    [rule] = loaded(document(detection)).rules
    assert rule.warnings == ("found filter_main, to which the condition does not refer",)
    [rule] = loaded(document(detection.replace("condition: a", "condition: a and not 1 of filter_*"))).rules
    assert rule.warnings == ()


def test_unknown_value_takes_nothing_from_the_others() -> None:
    """A firewall's number for an action is none of ours: the rule runs with the other words."""
    found = loaded(document("action: [accept, 2]\ndst_port: 23", category="firewall"))
    [rule] = found.rules
    assert by_matches(found, [{"DestinationPort": 23}, {"DestinationPort": 22}]) == [True, False]
    assert rule.warnings[0].startswith("found '2' for action, expected one of allow, allowed,")
    assert rule.void == ""


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ("action: 'reset'", "found 'reset' for action, expected one of allow, allowed,"),
        ("DestinationPort: https", "found 'https' for DestinationPort, expected a number"),
        ("Initiated: 'yes'", "found 'yes' for Initiated, expected true or false"),
        ("Direction: sideways", "found 'sideways' for Direction, expected one of outbound, egress,"),
    ],
)
def test_rule_that_can_never_match_says_so(detection: str, reason: str) -> None:
    found = loaded(document(detection))
    [rule] = found.rules
    assert rule.void.startswith(reason)
    assert rule.void.endswith("; so it can never match")
    assert "1 can never match (" in summary(found, "ran")


def test_network_without_cidr_is_a_warning() -> None:
    [rule] = loaded(document("DestinationIp: 10.0.0.0/8")).rules
    text = "found '10.0.0.0/8' for DestinationIp, expected an address; for a network write DestinationIp|cidr"
    assert rule.warnings == (text,)


@pytest.mark.parametrize("value", ["'True'", "true", "outbound", "'%%14593'", "out*"])
def test_direction_is_also_a_flag(value: str) -> None:
    """Rules that were made of Sysmon's by a program have Direction: 'True'."""
    found = loaded(document(f"Direction: {value}"))
    assert by_matches(found, [{"Initiated": True}, {"Initiated": False}]) == [True, False]


def sysmon(detection: str) -> str:
    return document(detection).replace("category: network_connection", "service: sysmon")


@pytest.mark.parametrize(
    "detection",
    [
        "EventID: 16",
        "EventID: '11'\nTargetFilename: 'a'",
        "EventID: [1, 11]\nImage: 'a'",
        "a:\n  EventID: 7\nb:\n  ImageLoaded: 'x'\ncondition: a and b",
        "a:\n  EventID: 1\nb:\n  Image|colour: 'x'\ncondition: a and b",
    ],
)
def test_sysmon_rule_for_another_event_is_not_ours(detection: str) -> None:
    found = loaded(sysmon(detection))
    assert found.rules == ()
    [problem] = found.problems
    assert problem.kind == "other events"


def test_sysmon_rules_for_connections_and_for_names_run() -> None:
    found = loaded(
        sysmon("EventID: [1, 3]\nImage: 'a'"), sysmon("Image: 'a'"), sysmon("EventID: 22\nQueryName: 'bad.example'")
    )
    assert found.problems == ()
    assert [rule.view for rule in found.rules] == ["connections", "connections", "dns_queries"]
    # A recording has names with its connections, under their number.
    assert "event_id" not in found.rules[2].columns


def test_network_category_of_specification_2_1() -> None:
    source = "category: network\n    service: connection"
    text = document("destination.port: 443\nnetwork.transport: tcp\nnetwork.type: ipv4", product="")
    found = loaded(text.replace("category: network_connection", source))
    events = [
        {"DestinationPort": 443, "Protocol": "tcp", "DestinationIsIpv6": False},
        {"DestinationPort": 443, "Protocol": "tcp", "DestinationIsIpv6": True},
    ]
    assert by_matches(found, events) == [True, False]
    dns = document("dns.question.name: bad.example", product="").replace(
        "network_connection", "network\n    service: dns"
    )
    assert [rule.view for rule in loaded(dns).rules] == ["dns_queries"]
    other = text.replace("category: network_connection", "category: network\n    service: http")
    assert [problem.kind for problem in loaded(other).problems] == ["other events"]


def reason(found: RuleSet) -> str:
    assert found.rules == ()
    [problem] = found.problems
    assert problem.kind == "mistake"
    return problem.reason


def test_all_mistakes_of_a_rule_come_at_once_with_suggestions() -> None:
    detection = """\
selection:
    Imagee|endswith: 'a'
    DestinationPrt: 443
    Image|contain: 'b'
    DestinationIp|cidr: '10.0.0.1/8'
filter:
    Image|re: '('
condition: selektion and not filter
"""
    assert reason(loaded(document(detection))).split("; found") == [
        "found field Imagee, which connections do not have; did you mean Image?",
        " field DestinationPrt, which connections do not have; did you mean DestinationPort?",
        " modifier contain in Image|contain; did you mean contains?"
        "; Invalid CIDR expression: 10.0.0.1/8 has host bits set"
        "; Regular expression '(' is invalid: missing ): (",
        " selektion in the condition, which is no selection; did you mean 'selection'?",
    ]


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ("a:\n  Image: x\nb:\n  Image: y\ncondition: a AND b", "; write and, in lower case"),
        ("a:\n  Image: x\ncondition: a and", "found a condition that goes wrong at its end, expected names with and,"),
        ("a:\n  Image: x\ncondition: ", "found no condition, expected one such as selection"),
        ("a:\n  Image: x\ncondition: 5", "found the condition '5', expected a text"),
        ("condition: a", "found a detection without a selection, expected one, such as"),
        ("a:\ncondition: a", "found selection a without anything in it"),
        ("a:\n  Image: x\ncondition: 2 of a*", "found '2 of' in the condition, expected 1 of, any of or all of"),
        ("a:\n  'Image ': x\ncondition: a", "found white space around field 'Image '; write it without"),
        ("a:\n  DestinationIp|cidr: [x, y]\ncondition: a", "'y' does not appear to be an IPv4 or IPv6 network"),
        ("a: {}\ncondition: a", "found selection a without anything in it"),
        ("a:\n  UtcTime: 2024-01-01\ncondition: a", "; write it in quotes"),
        ("a:\n  Image: {b: c}\ncondition: a", "found a mapping for Image, expected a text or a number"),
        ("a:\n  5: b\ncondition: a", "found the field '5', expected a name"),
    ],
)
def test_mistakes_are_named(detection: str, expected: str) -> None:
    assert expected in reason(loaded(document(detection)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("category: network_conection\n", "found category network_conection; did you mean network_connection?"),
        ("category: network_connection\n    product: windws\n", "found product windws; did you mean windows?"),
    ],
)
def test_misspelt_log_source_is_a_mistake(source: str, expected: str) -> None:
    text = document("Image: 'a'", product="").replace("category: network_connection\n", source)
    assert reason(loaded(text)) == expected


def test_keys_in_capitals_are_named() -> None:
    text = document("Image: 'a'").replace("title", "Title").replace("logsource", "Logsource")
    assert reason(loaded(text)) == "found key 'Logsource'; did you mean logsource?"


def test_condition_beside_the_detection_is_named() -> None:
    text = document("a:\n  Image: x\ncondition: a").replace("    condition: a", "condition: a")
    assert reason(loaded(text)) == "found the condition beside the detection, expected it in the detection"


def test_numbers_and_flags_as_texts_are_what_modifiers_take() -> None:
    found = loaded(document("DestinationPort|gt: '1023'\nImage|exists: 'true'"))
    events: list[dict[str, object]] = [
        {"Image": "a", "DestinationPort": 1024},
        {"Image": "a", "DestinationPort": 1023},
        {"DestinationPort": 1024},
    ]
    assert by_matches(found, events) == [True, False, False]


def test_port_that_there_is_not_can_never_match() -> None:
    [rule] = loaded(document("DestinationPort: 70000")).rules
    assert rule.void == "found '70000' for DestinationPort, expected a port, from 0 to 65535; so it can never match"


def test_escaped_wildcard_in_a_path_is_a_warning() -> None:
    [rule] = loaded(document("Image: 'C:\\Windows\\*'")).rules
    [warning] = rule.warnings
    assert warning.startswith("found an escaped wildcard for Image, which no path has; for a \\ before a wildcard")
    [rule] = loaded(document("Image: 'C:\\Windows\\\\*'")).rules
    assert rule.warnings == ()


def test_sysmon_rule_without_an_event_id_is_told_by_its_fields() -> None:
    found = loaded(sysmon("TargetFilename: 'a'"), sysmon("TargetFilenam: 'a'"))
    assert [problem.kind for problem in found.problems] == ["other events", "mistake"]


def test_mistake_of_a_filter_is_the_filters() -> None:
    source = "title: F\nlogsource: {category: network_connection}\n"
    found = loaded(f"{source}filter: {{rules: any, s: {{Imag: b}}, condition: not s}}", RULE)
    assert len(found.rules) == 1
    [problem] = found.problems
    assert problem.title == "F"
    assert problem.reason == "found field Imag, which connections do not have; did you mean Image?"
    other = source.replace("network_connection", "process_creation")
    found = loaded(f"{other}filter: {{rules: any, s: {{Imag: b}}, condition: not s}}", RULE)
    assert [problem.kind for problem in found.problems] == ["other events"]


def test_yaml_without_a_rule_is_counted(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {web: {image: x}}")
    (tmp_path / "list.yaml").write_text("- a\n- b")
    (tmp_path / "text.yml").write_text("A rule")
    (tmp_path / "ours.yml").write_text(RULE)
    (tmp_path / "misspelt.yml").write_text(RULE.replace("detection:", "detecton:").replace("logsource", "log_source"))
    found = load([tmp_path])
    assert [Path(problem.path).name for problem in found.problems if problem.kind == "no rule"] == [
        "compose.yml", "list.yaml", "text.yml",
    ]  # fmt: skip
    [misspelt] = [problem for problem in found.problems if problem.is_ours]
    assert Path(misspelt.path).name == "misspelt.yml"
    assert "; 3 YAML documents without a rule; 1 not run (" in summary(found, "ran")


def test_correlation_of_rules_about_other_events_is_not_ours() -> None:
    base = (
        document("Image: 'a'")
        .replace("network_connection", "process_creation")
        .replace("title: A", "title: A\nname: a")
    )
    found = loaded(base, "title: B\ncorrelation: {type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}")
    assert [problem.kind for problem in found.problems] == ["other events", "other events"]


def test_filter_finds_rules_by_any_id() -> None:
    narrowed = (
        "title: F\nlogsource: {category: network_connection}\nfilter: {rules: [win-1], s: {User: b}, condition: not s}"
    )
    found = loaded(narrowed, f"id: win-1\n{RULE}", f"id: win-2\n{RULE}")
    assert found.problems == ()
    batch = batch_of([{**EVENT, "User": "b"}])
    from procwire.sigma import SigmaStream

    assert [match["rule_id"] for match in SigmaStream(found).matches(batch).to_pylist()] == ["win-2"]


def test_problem_is_one_line() -> None:
    problem = loaded(document("Image|x: 'a\\nb'")).problems[0]
    assert isinstance(problem, Problem)
    assert "\n" not in problem.reason
