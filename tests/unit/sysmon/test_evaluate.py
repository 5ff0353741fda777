"""The reference reports each step that it takes; test_conformance.py checks whether it takes the right ones."""

from __future__ import annotations

from procwire.sysmon.evaluate import Decision, decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.model import Filter
from rule_cases import configuration, row

TWO = (
    '<RuleGroup name="b" groupRelation="and"><include><DestinationPort>80</DestinationPort><Protocol>udp</Protocol>'
    "<DestinationPort>443</DestinationPort><DestinationPort>443</DestinationPort></include></RuleGroup>"
    '<RuleGroup name="a" groupRelation="or"><include><Rule groupRelation="and"><Protocol>tcp</Protocol>'
    "<Image>x</Image></Rule><Initiated>true</Initiated><Protocol>tcp</Protocol></include></RuleGroup>"
)


def decided(snippet: str, *, strict: bool = False, **changes: object) -> Decision:
    return decide(configuration(snippet), sysmon_texts(row(changes)), strict=strict)


def reported(decision: Decision) -> list[tuple[str, str | None, str]]:
    """Each step: what was asked, the text that it saw, the outcome."""
    asked: list[tuple[str, str | None, str]] = []
    for step in decision.steps:
        if step.filter:
            asked.append((f"{step.filter.field}={step.filter.value}", step.text, step.outcome))
        else:
            asked.append(("Rule" if step.operand else step.element.onmatch, step.text, step.outcome))
    return asked


def test_steps_up_to_the_first_match() -> None:
    """In the order of asking: what would come after the decision is not asked."""
    decision = decided(TWO)
    assert reported(decision) == [
        ("Protocol=tcp", "tcp", "match"),
        ("Image=x", "C:\\Windows\\System32\\svchost.exe", "no match"),
        ("Rule", None, "no match"),
        ("Initiated=true", "true", "match"),
        ("include", None, "match"),
    ]
    assert (decision.logged, decision.rule_name) == (True, "a")
    assert isinstance(decision.operand, Filter)
    assert decision.operand.field == "Initiated"
    assert decision.element is not None
    assert decision.element.name == "a"


def test_steps_of_an_and_element() -> None:
    """A field that comes again is not the end; one that has matched is skipped; the element decides as one."""
    decision = decided(TWO, Protocol="udp", Initiated=False)
    assert reported(decision)[-5:] == [
        ("DestinationPort=80", "443", "no match"),
        ("Protocol=udp", "udp", "match"),
        ("DestinationPort=443", "443", "match"),
        ("DestinationPort=443", "443", "skipped"),
        ("include", None, "match"),
    ]
    assert (decision.rule_name, decision.operand) == ("b", None)


def test_steps_of_a_failure() -> None:
    """A field without a text ends its element, and in a Rule both."""
    decision = decided("<include><Rule><SourcePort>1</SourcePort></Rule></include><exclude/>", SourcePort=None)
    assert reported(decision) == [
        ("exclude", None, "no match"),
        ("SourcePort=1", None, "failed"),
        ("Rule", None, "failed"),
        ("include", None, "failed"),
    ]
    assert (decision.logged, decision.element) == (False, None)


def test_defaults_have_no_element() -> None:
    for snippet, logged in (("", False), ("<exclude/>", True), ("<include/>", False), ("<exclude/><exclude/>", False)):
        decision = decided(snippet)
        assert (decision.logged, decision.rule_name, decision.element, decision.operand) == (logged, "-", None, None)


def test_an_exclude_decides_without_a_name() -> None:
    decision = decided('<RuleGroup name="x"><exclude><Protocol>tcp</Protocol></exclude></RuleGroup>')
    assert (decision.logged, decision.rule_name) == (False, "-")
    assert decision.element is not None
    assert decision.element.onmatch == "exclude"


def test_the_event_may_lack_fields() -> None:
    """What is not given has no text: as with `--match`, where a user gives some fields only."""
    decision = decide(configuration("<include><Image>x</Image></include>"), {})
    assert [step.outcome for step in decision.steps] == ["failed", "failed"]
    assert not decision.logged
