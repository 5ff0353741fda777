"""Explain one decision: which elements were evaluated, what matched or stopped them, and what decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Any

from procwire.sysmon.evaluate import Decision, Outcome, Step
from procwire.sysmon.explaining.logic import QUANTITY, Line, condition_text, default_text, markup, quoted
from procwire.sysmon.model import Configuration, Element, Operand, Rule
from procwire.words import counted

__all__ = ["asked_without", "story_lines", "to_dict", "verdict_lines"]

# Up to this number, filters that stop an element are shown one by one.
_FEW = 3


def story_lines(
    configuration: Configuration, decision: Decision, missing: Collection[str] = (), *, verbose: bool = False
) -> Iterator[Line]:
    """Yield what happened, element by element.

    missing: Sysmon's names of fields that the event's description lacks. verbose: include every filter that was
    evaluated; otherwise only those that matched or stopped something.
    """
    asked = {place: list(steps) for place, steps in groupby(decision.steps, lambda step: step.element.place)}
    for element in configuration.evaluation_order:
        if element.place not in asked:
            yield Line(f"{element.onmatch}: no longer evaluated", element.place.line)
            continue
        *steps, last = asked[element.place]
        yield Line(f"{element.onmatch}: {_outcome_text(element, last.outcome)}", element.place.line, strong=True)
        for operand_steps in _by_operand(steps):
            if verbose or _is_relevant(element, operand_steps):
                yield from _operand_lines(operand_steps, missing, verbose=verbose)
        if not verbose and element.relation == "and" and last.outcome == "no match":
            yield from _stop_lines(steps, missing)


def _by_operand(steps: list[Step]) -> list[list[Step]]:
    return [list(group) for _, group in groupby(steps, lambda step: step.operand and step.operand.place)]


def _outcome_text(element: Element, outcome: Outcome) -> str:
    if not element.operands:
        return "empty, which never matches"
    filters = counted(len(list(element.filters)), "filter")
    if outcome == "failed":
        return f"{filters}, a field without a text stops it"
    if element.relation == "and":
        met = "they match" if outcome == "match" else "they do not match"
        return f"{QUANTITY['and']} {filters} (ANY of those of one field): {met}"
    return f"{QUANTITY['or']} {filters}: {'one matches' if outcome == 'match' else 'none matches'}"


def _is_relevant(element: Element, steps: list[Step]) -> bool:
    """Return whether something in an operand matched or failed, or it is the Rule that stopped an AND element."""
    if any(step.outcome in ("match", "failed") for step in steps):
        return True
    return element.relation == "and" and isinstance(steps[-1].operand, Rule)


def _stop_lines(steps: list[Step], missing: Collection[str]) -> Iterator[Line]:
    """Yield, for an AND element, the filters of the field that stopped it; a Rule that did is already reported."""
    stop = steps[-1].filter if steps else None
    if stop is None:
        return
    alternatives = [
        step for step in steps if step.filter and step.filter is step.operand and step.filter.field == stop.field
    ]
    if len(alternatives) <= _FEW:
        yield from (_filter_line(step, 1, missing) for step in alternatives)
    else:
        text = f"none of {len(alternatives)} filters of {stop.field} matches{_seen(steps[-1], missing)}"
        yield Line(text, stop.place.line, 1)


def _operand_lines(steps: list[Step], missing: Collection[str], *, verbose: bool) -> Iterator[Line]:
    operand, outcome = steps[-1].operand, steps[-1].outcome
    if not isinstance(operand, Rule):
        yield _filter_line(steps[-1], 1, missing)
        return
    filters = counted(len(operand.filters), "filter")
    yield Line(f"{outcome:<9} Rule, {QUANTITY[operand.relation]} {filters}", operand.place.line, 1)
    for step in steps[:-1]:
        if verbose or step.outcome != "no match" or operand.relation == "and":
            yield _filter_line(step, 2, missing)


def _filter_line(step: Step, depth: int, missing: Collection[str]) -> Line:
    assert step.filter is not None
    seen = "" if step.outcome == "skipped" else _seen(step, missing)
    return Line(f"{step.outcome:<9} {condition_text(step.filter)}{seen}", step.filter.place.line, depth)


def _seen(step: Step, missing: Collection[str]) -> str:
    assert step.filter is not None
    if step.text is None:
        return "   has no text"
    return f"   saw {quoted(step.text)}" + (", as it was not given" if step.filter.field in missing else "")


def verdict_lines(configuration: Configuration, decision: Decision, missing: Collection[str] = ()) -> Iterator[str]:
    """Yield whether it is logged, by which rule and name, and missing fields on which the decision may depend."""
    yield f"=> logged, RuleName {decision.rule_name}" if decision.logged else "=> not logged"
    decided = _decided_by(decision)
    if decided is None:
        yield f"   decided by no element: {default_text(configuration)}"
    else:
        yield f"   decided by line {decided.place.line}: {markup(decided)}{_namer(decision, decided)}"
    if fields := asked_without(decision, missing):
        yield f"   tested but not given: {', '.join(fields)}; with them the decision may differ"


def _decided_by(decision: Decision) -> Element | Operand | None:
    """Return the filter, the AND Rule or the AND element that matched; None if none did."""
    if isinstance(decision.operand, Rule) and decision.operand.relation == "or":
        return next(step.filter for step in reversed(decision.steps) if step.filter)
    return decision.operand or decision.element


def _namer(decision: Decision, decided: Element | Operand) -> str:
    """Return text about the filter that set the name, if the deciding part does not have it itself."""
    if not decision.logged or decided.name == decision.rule_name:
        return ""
    named = [step for step in decision.steps if step.outcome == "match" and step.filter and step.filter.name]
    filter_ = named[-1].filter if named else None
    if filter_ is None or filter_.name != decision.rule_name:
        return ""
    leaked = "" if named[-1].element is decision.element else ", although its element did not match"
    return f"; named by line {filter_.place.line}{leaked}"


def asked_without(decision: Decision, missing: Collection[str]) -> list[str]:
    """Return the fields that were tested but not given, in the order of evaluation."""
    fields = dict.fromkeys(step.filter.field for step in decision.steps if step.filter)
    return [field for field in fields if field in missing]


def to_dict(decision: Decision, missing: Collection[str] = ()) -> dict[str, Any]:
    """Return a decision as values for JSON, with every step."""
    decided = _decided_by(decision)
    return {
        "logged": decision.logged,
        "rule_name": decision.rule_name,
        "decided_by": None
        if decided is None
        else {"line": decided.place.line, "column": decided.place.column, "text": markup(decided)},
        "asked_without": asked_without(decision, missing),
        "steps": [_step_to_dict(step) for step in decision.steps],
    }


def _step_to_dict(step: Step) -> dict[str, Any]:
    part = step.filter or step.operand or step.element
    kind = "filter" if step.filter else "rule" if step.operand else "element"
    return {"kind": kind, "line": part.place.line, "test": markup(part), "outcome": step.outcome, "text": step.text}
