"""Read a correlation rule, as pySigma parses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from procwire.sigma.model.fields import column_of, kind_of
from procwire.sigma.model.rule import Bound, Correlation, CorrelationType, Presence, Rule
from procwire.sigma.problems import OtherEvents, Problem, Unusable

__all__ = ["Known", "load_correlation"]

Known = dict[str, Rule | Problem]
"""Rules by id and by name, and the problems of those that do not run."""

_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_TEMPORAL = ("temporal", "temporal_ordered")


def load_correlation(content: Mapping[str, Any], known: Known) -> Correlation:
    """Return what a document correlates. Raises Unusable, or pySigma's errors, for what does not run."""
    content, bounds = _without_range(content)
    parsed = SigmaCorrelationRule.from_dict(cast(dict[str, Any], content))
    kind = cast(CorrelationType, parsed.type.name.lower())
    condition = parsed.condition
    extended = condition if isinstance(condition, SigmaExtendedCorrelationCondition) else None
    if extended is not None and kind == "temporal_ordered":
        raise Unusable("found temporal_ordered with a condition of and, or, not; expected temporal")
    names = extended.get_referenced_rules() if extended else [rule.reference for rule in parsed.rules or ()]
    if not extended and not bounds:
        # The default of a temporal rule in pySigma: all of its rules.
        bounds = (Bound("gte", len(names)),)
    aliases = {alias.alias: {ref.reference: name for ref, name in alias.mapping.items()} for alias in parsed.aliases}
    return Correlation(
        type=kind,
        rules=tuple(_referenced(name, known) for name in names),
        timespan_us=parsed.timespan.seconds * 1_000_000,
        group_by={name: _columns(name, names, aliases) for name in parsed.group_by or ()},
        value=_value(kind, getattr(condition, "fieldref", None), names, aliases),
        bounds=bounds,
        percentile=_percentile(getattr(condition, "percentile", None)),
        presence=_presence(extended.parsed, names) if extended else None,
        generate=parsed.generate,
    )


def _without_range(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[Bound, ...]]:
    """Return the content with only the first bound, and all bounds: pySigma does not accept a range of several."""
    correlation = content["correlation"]
    condition = correlation.get("condition") if isinstance(correlation, dict) else None
    if not isinstance(condition, dict):
        return content, ()
    given = [name for name in condition if name in _OPERATORS]
    bounds = tuple(Bound(cast(Any, name), float(condition[name])) for name in given)
    first = {name: value for name, value in condition.items() if name not in given[1:]}
    return {**content, "correlation": {**correlation, "condition": first}}, bounds


def _referenced(name: str, known: Known) -> Rule:
    found = known.get(name)
    if found is None:
        raise Unusable(f"found no rule {name}, to which it refers")
    if isinstance(found, Problem) and not found.is_ours:
        raise OtherEvents(f"refers to {name}, which is about other events: {found.reason}")
    if isinstance(found, Problem):
        raise Unusable(f"refers to {name}, which does not run: {found.reason}")
    if found.tree is None:
        raise Unusable(f"refers to {name}, which is a correlation, expected rules of events")
    return found


def _columns(name: str, rules: list[str], aliases: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the column for which a name stands in each rule's events."""
    return tuple(column_of(aliases.get(name, {}).get(rule, name)).name for rule in rules)


def _value(
    kind: CorrelationType, given: str | list[str] | None, rules: list[str], aliases: Mapping[str, Any]
) -> tuple[str, ...]:
    if not kind.startswith("value_"):
        return ()
    names = [given] if isinstance(given, str) else given or []
    if len(names) != 1:
        raise Unusable(f"found {len(names)} fields in the condition, expected one")
    columns = _columns(names[0], rules, aliases)
    if kind != "value_count" and any(kind_of(column) != "number" for column in columns):
        raise Unusable(f"found {kind} of {names[0]}, expected a field of numbers")
    return columns


def _percentile(given: int | None) -> int:
    if given is not None and not 0 <= given <= 100:
        raise Unusable(f"found percentile {given}, expected 0 to 100")
    return 50 if given is None else given


def _presence(node: object, rules: list[str]) -> Presence:
    match node:
        case SigmaRuleReference():
            return Presence("rule", place=rules.index(node.reference))
        case CorrelationConditionNOT():
            return Presence("not", (_presence(node.args[0], rules),))
        case CorrelationConditionAND():
            return Presence("and", tuple(_presence(one, rules) for one in node.args))
        case CorrelationConditionOR():
            return Presence("or", tuple(_presence(one, rules) for one in node.args))
    raise Unusable(f"found {type(node).__name__} in the condition, expected and, or, not")
