"""Parse documents to rules that can run; each that cannot becomes a problem with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from procwire.sigma.loading.documents import Document, documents
from procwire.sigma.loading.expressions import POLICY
from procwire.sigma.loading.limits import MOST_TESTS_OF_ALL, check_size, check_tree
from procwire.sigma.loading.load_correlation import Known, load_correlation
from procwire.sigma.loading.values import keyword, test_of
from procwire.sigma.model.fields import CATEGORIES, DNS_CATEGORIES
from procwire.sigma.model.rule import Correlation, LogSource, Rule, RuleSet
from procwire.sigma.model.tree import Equal, Leaf, Missing, Node, Not, all_of, any_of
from procwire.sigma.problems import OtherEvents, Problem, Unusable

if TYPE_CHECKING:
    from procwire.choices import Level

__all__ = ["load"]

_LINUX = Leaf("", "provider_name", Equal("Linux-Sysmon", cased=True))
_PRODUCTS: dict[str | None, tuple[Node, ...]] = {None: (), "linux": (_LINUX,), "windows": (Not(_LINUX),)}
_DNS = (Not(Leaf("", "dns_query_name", Missing())),)
# What pySigma raises for malformed documents, in addition to its own errors.
_BROKEN = (SigmaError, Unusable, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def load(paths: Sequence[str | Path]) -> RuleSet:
    """Return the rules in files, and in folders, at any depth; `problems` lists what does not run.

    Raises UsageError for a path that does not exist.
    """
    found = list(documents(paths))
    problems = [one for one in found if isinstance(one, Problem)]
    rules: list[Rule] = []
    known: Known = {}
    filters: list[SigmaFilter] = []
    left = MOST_TESTS_OF_ALL
    for document in sorted((one for one in found if isinstance(one, Document)), key=_order):
        try:
            if "filter" in document.content:
                check_size(document.content["filter"])
                filters.append(SigmaFilter.from_dict(document.content, policy=POLICY))
                continue
            rule = _correlation(document, known) if "correlation" in document.content else _rule(document, filters)
            left -= 0 if rule.tree is None else check_tree(rule.tree)
            if left < 0:
                raise Unusable(f"found more than {MOST_TESTS_OF_ALL:,} tests in the rules up to this one")
            rules.append(rule)
            outcome: Rule | Problem = rule
        except _BROKEN as error:
            outcome = document.problem(error)
            problems.append(outcome)
        known |= dict.fromkeys((str(document.content.get(key)) for key in ("id", "name") if key in document.content),
                               outcome)  # fmt: skip
    return RuleSet(_reported(rules), tuple(problems))


def _order(document: Document) -> int:
    """Return a sort key: filters first, because they change rules; correlations last, because they refer to rules."""
    return 0 if "filter" in document.content else 2 if "correlation" in document.content else 1


def _reported(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules, without those of correlations whose `generate` excludes the rules' own matches."""
    hidden = {id(member) for rule in rules if rule.correlation and not rule.correlation.generate
              for member in rule.correlation.rules}  # fmt: skip
    shown = {id(member) for rule in rules if rule.correlation and rule.correlation.generate
             for member in rule.correlation.rules}  # fmt: skip
    return tuple(rule for rule in rules if id(rule) not in hidden - shown)


def _rule(document: Document, filters: Sequence[SigmaFilter]) -> Rule:
    source = _log_source(document.content.get("logsource"))
    check_size(document.content.get("detection"))
    parsed = SigmaRule.from_dict(document.content, policy=POLICY)
    for one in filters:
        parsed = cast(SigmaRule, one.apply_on_rule(parsed))
    tree = any_of(_node(condition.parsed) for condition in parsed.detection.parsed_condition)
    about = (*_PRODUCTS[source.product], *(_DNS if source.category in DNS_CATEGORIES else ()))
    return _made(document, parsed, source, all_of((*about, tree)))


def _correlation(document: Document, known: Known) -> Rule:
    parsed, correlation = load_correlation(document.content, known)
    return _made(document, parsed, LogSource("correlation"), None, correlation)


def _log_source(found: object) -> LogSource:
    if not isinstance(found, dict):
        raise Unusable("found no logsource, expected one such as category: network_connection")
    category, product, service = (_name(found.get(key)) for key in ("category", "product", "service"))
    if category not in CATEGORIES and not (category is None and service == "sysmon"):
        raise OtherEvents(
            f"found {f'category {category}' if category else f'service {service}' if service else 'no category'},"
            f" expected one of {', '.join(CATEGORIES)}"
        )
    if product not in _PRODUCTS:
        raise OtherEvents(f"found product {product}, expected windows, linux, or none")
    return LogSource(category, product, service)


def _name(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _made(
    document: Document, parsed: SigmaRule | SigmaCorrelationRule, source: LogSource, tree: Node | None,
    correlation: Correlation | None = None,
) -> Rule:  # fmt: skip
    content = document.content
    return Rule(
        id=str(parsed.id or hashlib.sha256(f"{document.path}:{document.line}".encode()).hexdigest()[:32]),
        title=parsed.title or "",
        level=cast(Level, parsed.level.name.lower()) if parsed.level else "informational",
        status=parsed.status.name.lower() if parsed.status else None,
        tags=tuple(str(tag) for tag in parsed.tags),
        author=parsed.author,
        description=parsed.description,
        path=document.path,
        line=document.line,
        logsource=source,
        tree=tree,
        correlation=correlation,
        name=content.get("name"),
        references=tuple(map(str, parsed.references or ())),
    )


def _node(condition: object) -> Node:
    match condition:
        case ConditionAND():
            return all_of(map(_node, condition.args))
        case ConditionOR():
            return any_of(map(_node, condition.args))
        case ConditionNOT():
            return Not(_node(condition.args[0]))
        case ConditionFieldEqualsValueExpression():
            return test_of(condition.field, condition.value)
        case ConditionValueExpression():
            return keyword(condition.value)
    raise Unusable(f"found {type(condition).__name__} as a condition, which has no counterpart")
