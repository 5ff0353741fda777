"""The story of one decision: which elements were asked, what matched in them or stopped them, and what decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

from procwire.rules.evaluate import Decision, Outcome, Step
from procwire.rules.explain import QUANTITY, Line, counted, default_text, markup, quoted, test_text
from procwire.rules.model import Configuration, Element, Operand, Rule

__all__ = ["asked_without", "story_lines", "told", "verdict_lines"]

# So many filters that stop an element are shown one by one.
_FEW = 3


def story_lines(
    configuration: Configuration, decision: Decision, missing: Collection[str] = (), *, verbose: bool = False
) -> Iterator[Line]:
    """Element by element, what happened.

    missing: fields, under Sysmon's names, that the event was asked about without being given them.
    verbose: every filter that was asked; otherwise those that matched, or stopped something.
    """
    asked = {place: list(steps) for place, steps in groupby(decision.steps, lambda step: step.element.place)}
    for element in configuration.evaluation_order:
        *steps, last = asked.get(element.place, [None])
        if last is None:
            yield Line(f"{element.onmatch}: not asked any more", element.place.line)
            continue
        yield Line(f"{element.onmatch}: {_outcome_text(element, last.outcome)}", element.place.line, strong=True)
        operands = [list(group) for _, group in groupby(steps, lambda step: step.operand and step.operand.place)]
        for operand_steps in operands if verbose else _telling(element, operands):
            yield from _operand_lines(operand_steps, missing, verbose=verbose)
        if not verbose and element.relation == "and" and last.outcome == "no match":
            yield from _stop_lines(steps, missing)


def _outcome_text(element: Element, outcome: Outcome) -> str:
    if not element.operands:
        return "empty, which never matches"
    filters = counted(len(list(element.filters)), "filter")
    if outcome == "failed":
        return f"{filters}, a field without a text stops it"
    if element.relation == "and":
        return f"{QUANTITY['and']} {filters} (ANY of those of one field): {'they match' if outcome == 'match' else 'no'}"
    return f"{QUANTITY['or']} {filters}: {'one matches' if outcome == 'match' else 'none matches'}"


def _telling(element: Element, operands: list[list[Step]]) -> Iterator[list[Step]]:
    """Operands that matched or failed, and Rules in which something did."""
    for steps in operands:
        if any(step.outcome in ("match", "failed") for step in steps):
            yield steps
        elif element.relation == "and" and isinstance(steps[-1].operand, Rule):
            yield steps


def _stop_lines(steps: Sequence[Step], missing: Collection[str]) -> Iterator[Line]:
    """Of an AND element: the filters of the one field that none of them matches. A Rule that stopped it is told already."""
    last = steps[-1] if steps else None
    if last is None or last.filter is None or isinstance(last.operand, Rule):
        return
    alternatives = [step for step in steps if step.operand is step.filter and step.filter.field == last.filter.field]
    if len(alternatives) <= _FEW:
        yield from (_filter_line(step, 1, missing) for step in alternatives)
    else:
        text = f"none of {len(alternatives)} filters of {last.filter.field} matches"
        yield Line(f"{text}{_seen(last, missing)}", last.filter.place.line, 1)


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
    return Line(f"{step.outcome:<9} {test_text(step.filter)}{seen}", step.filter.place.line, depth)


def _seen(step: Step, missing: Collection[str]) -> str:
    assert step.filter is not None
    if step.text is None:
        return "   has no text"
    return f'   saw {quoted(step.text)}' + (", as it was not given" if step.filter.field in missing else "")


def verdict_lines(configuration: Configuration, decision: Decision, missing: Collection[str] = ()) -> Iterator[str]:
    """Whether it is logged, under which name, by what; and what the answer hangs on that was not given."""
    yield f"=> logged, RuleName {decision.rule_name}" if decision.logged else "=> not logged"
    decided = _decided_by(decision)
    if decided is None:
        yield f"   decided by no element: {default_text(configuration)}"
    else:
        yield f"   decided by line {decided.place.line}: {markup(decided)}{_namer(decision, decided)}"
    if fields := asked_without(decision, missing):
        yield f"   not given, and asked for on the way: {', '.join(fields)}; with them the answer may be another"


def _decided_by(decision: Decision) -> Element | Operand | None:
    """The filter, the AND Rule or the AND element that matched."""
    if isinstance(decision.operand, Rule) and decision.operand.relation == "or":
        return next(step.filter for step in reversed(decision.steps) if step.filter)
    return decision.operand or decision.element


def _namer(decision: Decision, decided: Element | Operand) -> str:
    """Which filter gave the name, where it is not the one that decided."""
    if not decision.logged:
        return ""
    named = [step for step in decision.steps if step.outcome == "match" and step.filter and step.filter.name]
    filter_ = named[-1].filter if named else None
    if filter_ is None or filter_ is decided:
        return ""
    leaked = "" if named[-1].element is decision.element else ", although its element did not match"
    return f"; named by line {filter_.place.line}{leaked}"


def asked_without(decision: Decision, missing: Collection[str]) -> list[str]:
    """Of the fields that were not given those that some filter asked for, in the order of asking."""
    fields = dict.fromkeys(step.filter.field for step in decision.steps if step.filter)
    return [field for field in fields if field in missing]


def told(decision: Decision, missing: Collection[str] = ()) -> dict[str, Any]:
    """The same for machines, with every step."""
    decided = _decided_by(decision)
    return {
        "logged": decision.logged,
        "rule_name": decision.rule_name,
        "decided_by": None
        if decided is None
        else {"line": decided.place.line, "column": decided.place.column, "text": markup(decided)},
        "asked_without": asked_without(decision, missing),
        "steps": [_told(step) for step in decision.steps],
    }


def _told(step: Step) -> dict[str, Any]:
    part = step.filter or step.operand or step.element
    kind = "filter" if step.filter else "rule" if step.operand else "element"
    return {"kind": kind, "line": part.place.line, "test": markup(part), "outcome": step.outcome, "text": step.text}
