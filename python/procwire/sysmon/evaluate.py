"""Decide about one event by a configuration: the slow, obvious reference, with the same steps as Sysmon.

It follows FilterEventRules and MatchFilterGroup of microsoft/SysmonCommon, rules.c. Tests compare the SQL of
`sysmon.sql` with it; `config explain` shows its steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from procwire.sysmon.conditions import matches
from procwire.sysmon.model import Configuration, Element, Filter, Operand, Rule

__all__ = ["NO_NAME", "Decision", "Outcome", "Step", "decide"]

Outcome = Literal["match", "no match", "failed", "skipped"]
"""failed: the field has no text, so the entire element does not match. skipped: an earlier filter of the same field
matched, which is enough in an AND element."""

NO_NAME = "-"
"""Sysmon's RuleName for events that are logged without a named rule."""


@dataclass(frozen=True, slots=True)
class Step:
    """Record a filter's evaluation, or the outcome of a Rule (`filter` is None) or an element (also no `operand`)."""

    element: Element
    operand: Operand | None
    filter: Filter | None
    outcome: Outcome
    text: str | None
    """The field's text that the filter saw."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold whether an event is logged, and what decided."""

    logged: bool
    rule_name: str
    """`-` where no name applies, or the event is not logged."""
    element: Element | None
    """The element that matched; None if the default decided."""
    operand: Operand | None
    """The operand of an OR element that matched; None for an AND element, which decides as a whole."""
    steps: tuple[Step, ...]


def decide(configuration: Configuration, event: Mapping[str, str | None], *, strict: bool = False) -> Decision:
    """Decide about an event. event: the texts that `forms.sysmon_texts` returns.

    strict: reproduce Sysmon's bug: the name of a filter stays although its Rule or element did not match in the end,
    and is then reported by another that matches without a name.
    """
    trial = _Trial(event, strict)
    for element in configuration.evaluation_order:
        operand = trial.ask(element)
        if trial.steps[-1].outcome == "match":
            logged = element.onmatch == "include"
            name = trial.name if logged and trial.name else NO_NAME
            return Decision(logged, name, element, operand, tuple(trial.steps))
    return Decision(configuration.logs_by_default, NO_NAME, None, None, tuple(trial.steps))


class _Trial:
    """Evaluate one event, element by element."""

    def __init__(self, event: Mapping[str, str | None], strict: bool) -> None:
        self._event = event
        self._strict = strict
        self.steps: list[Step] = []
        self.name = ""

    def ask(self, element: Element) -> Operand | None:
        """Evaluate an element; return the operand that made an OR element match. The last step has the outcome."""
        before = self.name
        outcome, operand = self._element(element)
        if outcome != "match" and not self._strict:
            self.name = before
        self.steps.append(Step(element, None, None, outcome, None))
        return operand

    def _element(self, element: Element) -> tuple[Outcome, Operand | None]:
        matched: set[str] = set()
        outcome: Outcome
        for place, operand in enumerate(element.operands):
            if isinstance(operand, Rule):
                outcome = self._rule(element, operand)
            elif operand.field in matched:
                outcome = "skipped"
                self.steps.append(Step(element, operand, operand, outcome, self._event.get(operand.field)))
            else:
                outcome = self._filter(element, operand, operand)
                if outcome == "match":
                    matched.add(operand.field)
            if outcome == "failed":
                return "failed", None
            if outcome == "match" and element.relation == "or":
                return "match", operand
            if (
                outcome == "no match"
                and element.relation == "and"
                and not _comes_again(operand, element.operands[place + 1 :])
            ):
                return "no match", None
        return ("match" if element.relation == "and" and element.operands else "no match"), None

    def _rule(self, element: Element, rule: Rule) -> Outcome:
        before = self.name
        outcome = self._rule_outcome(element, rule)
        if outcome != "match" and not self._strict:
            self.name = before
        self.steps.append(Step(element, rule, None, outcome, None))
        return outcome

    def _rule_outcome(self, element: Element, rule: Rule) -> Outcome:
        decisive: Outcome = "match" if rule.relation == "or" else "no match"
        for filter_ in rule.filters:
            outcome = self._filter(element, rule, filter_)
            if outcome in ("failed", decisive):
                return outcome
        return "no match" if rule.relation == "or" else "match"

    def _filter(self, element: Element, operand: Operand, filter_: Filter) -> Outcome:
        text = self._event.get(filter_.field)
        outcome: Outcome
        if text is None:
            outcome = "failed"
        else:
            outcome = "match" if matches(filter_.condition, filter_.value, text) else "no match"
        if outcome == "match" and filter_.name:
            self.name = filter_.name
        self.steps.append(Step(element, operand, filter_, outcome, text))
        return outcome


def _comes_again(operand: Operand, later: tuple[Operand, ...]) -> bool:
    """Return whether later filters test the same field: in an AND element, filters of one field are alternatives."""
    return isinstance(operand, Filter) and any(
        isinstance(other, Filter) and other.field == operand.field for other in later
    )
