"""Parse documents to rules that run; what does not is a problem with its reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule

from procwire.sigma.loading.documents import Document, documents
from procwire.sigma.loading.events import can_match, with_event
from procwire.sigma.loading.expressions import POLICY
from procwire.sigma.loading.filters import Filter, load_filter
from procwire.sigma.loading.limits import MOST_TESTS_OF_ALL, check_size, check_tree
from procwire.sigma.loading.lists import Lists, expanded, placeholders_of, read_lists
from procwire.sigma.loading.load_correlation import Known, load_correlation
from procwire.sigma.loading.metadata import Metadata, matching_part, metadata_of
from procwire.sigma.loading.mistakes import BROKEN, misspelt_keys, mistakes_of, only_of_others, unused
from procwire.sigma.loading.plain_types import with_plain_types
from procwire.sigma.loading.sources import log_source
from procwire.sigma.loading.values import Doubts, keyword, test_of
from procwire.sigma.model.rule import Correlation, LogSource, Rule, RuleSet
from procwire.sigma.model.tree import Equal, Leaf, Missing, Node, Not, all_of, any_of
from procwire.sigma.problems import OtherEvents, Problem, Unusable

__all__ = ["load"]

_LINUX = Leaf("", "provider_name", Equal("Linux-Sysmon", cased=True))
_PRODUCTS: dict[str | None, tuple[Node, ...]] = {None: (), "linux": (_LINUX,), "windows": (Not(_LINUX),)}
_HAS_NAME = Not(Leaf("", "dns_query_name", Missing()))
_CONNECTION, _DNS_QUERY = 3, 22
"""Numbers of Sysmon's events."""


def load(paths: Sequence[str | Path], *, lists: Mapping[str, str | Path] | None = None) -> RuleSet:
    """Return the rules in files, and in folders, however deep; `problems` reports what does not run.

    lists: for names of placeholders (`%tools%` is `tools`), the files with their values (`lists.read_lists`).

    Raises UsageError for a path that is not there, and a list that cannot be used.
    """
    loader = _Loader(read_lists(lists or {}))
    found = list(documents(paths))
    for document in sorted((one for one in found if isinstance(one, Document)), key=_order):
        loader.add(document)
    problems = [one for one in found if isinstance(one, Problem)]
    return RuleSet(_reported(loader.rules), (*problems, *loader.problems), tuple(sorted(loader.unused_lists)))


class _Loader:
    """Load documents one after the other: filters first, correlations last."""

    def __init__(self, lists: Lists) -> None:
        self.rules: list[Rule] = []
        self.problems: list[Problem] = []
        self.unused_lists = set(lists)
        self._lists = lists
        self._known: Known = {}
        self._filters: list[Filter] = []
        self._ids: dict[str, Rule] = {}
        self._left = MOST_TESTS_OF_ALL

    def add(self, document: Document) -> None:
        """Add a rule, a filter, or a problem."""
        content = document.content
        about = metadata_of(content)
        try:
            if "filter" in content:
                self._filters.append(self._filter(content, about))
                return
            rule = self._correlation(document, about) if "correlation" in content else self._rule(document, about)
            self._left -= 0 if rule.tree is None else check_tree(rule.tree)
            if self._left < 0:
                raise Unusable(f"found more than {MOST_TESTS_OF_ALL:,} tests in the rules up to this one")
            rule = self._with_own_id(rule)
            self.rules.append(rule)
            outcome: Rule | Problem = rule
        except BROKEN as error:
            outcome = document.problem(error)
            self.problems.append(outcome)
        names = (about.id, str(content.get("id")), about.name)
        self._known |= {name: outcome for name in names if name and name != "None"}

    def _filter(self, content: Mapping[str, Any], about: Metadata) -> Filter:
        check_size(content["filter"])
        inner = with_plain_types(self._expanded(content["filter"]))
        source = content.get("logsource")
        if isinstance(source, Mapping) and (source.get("category") or source.get("service")):
            log_source(source)
        found = load_filter(matching_part(content, about) | {"filter": inner})
        if mistakes := mistakes_of(inner, content):
            raise Unusable("; ".join(mistakes))
        return found

    def _expanded(self, detection: Any) -> Any:
        self.unused_lists -= placeholders_of(detection)
        return expanded(detection, self._lists) if self._lists else detection

    def _rule(self, document: Document, about: Metadata) -> Rule:
        content = document.content
        if misspelt := misspelt_keys(content):
            raise Unusable("; ".join(misspelt))
        source = log_source(content.get("logsource"))
        check_size(content.get("detection"))
        detection = with_plain_types(self._expanded(content.get("detection")))
        check_size(detection)
        part = matching_part(content, about) | {"detection": detection}
        made = _Tree()
        try:
            parsed = SigmaRule.from_dict(part, policy=POLICY)
            for one in self._filters:
                parsed = one.applied(parsed, about)
            tree = any_of(made.node(condition.parsed) for condition in parsed.detection.parsed_condition)
        except RecursionError:
            raise
        except BROKEN as error:
            # Events first: a rule about others is not held to what connections have.
            _check_events(source, None, detection)
            raise Unusable("; ".join(mistakes_of(detection, content)) or str(error)) from error
        source = _check_events(source, tree, detection)
        if made.mistakes:
            if source.category is None and only_of_others(detection):
                raise OtherEvents("asks for fields of Sysmon's other events, expected those of a network connection")
            raise Unusable("; ".join(mistakes_of(detection, content) or made.mistakes))
        return self._ready(document, about, source, tree, made.doubts)

    def _ready(self, document: Document, about: Metadata, source: LogSource, tree: Node, doubts: Doubts) -> Rule:
        if source.is_dns:
            # Those of a recording are with its connections: they have another number, and the same names.
            tree = all_of((_HAS_NAME, with_event(tree, _DNS_QUERY)))
        warnings = [*about.warnings, *dict.fromkeys(doubts)]
        if not source.is_dns and not can_match(tree, _CONNECTION):
            warnings.append("asks for an EventID other than 3, which Sysmon's connections have")
        if names := unused(document.content["detection"]):
            warnings.append(f"found {', '.join(names[:10])}, to which the condition does not refer")
        made = _made(document, about, source, all_of((*_PRODUCTS[source.product], tree)))
        void = "" if can_match(tree, None) else "; ".join([*dict.fromkeys(doubts), "so it can never match"])
        return replace(made, warnings=tuple(warnings), void=void)

    def _correlation(self, document: Document, about: Metadata) -> Rule:
        part = matching_part(document.content, about)
        if about.name:
            part["name"] = about.name
        return _made(document, about, LogSource("correlation"), None, load_correlation(part, self._known))

    def _with_own_id(self, rule: Rule) -> Rule:
        """Return the rule, with a warning if another has its id."""
        first = self._ids.setdefault(rule.id, rule)
        if first is rule:
            return rule
        text = f"found id {rule.id} again: it is that of the rule in {first.path}:{first.line}"
        return replace(rule, warnings=(*rule.warnings, text))


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


def _check_events(source: LogSource, tree: Node | None, detection: object) -> LogSource:
    """Return the log source of a rule, by the numbers of the events that it asks for.

    Raises OtherEvents for a rule about Sysmon's other events. tree: None if there is none, for a mistake.
    """
    if source.category is not None:
        return source
    if tree is None:
        numbers = _event_numbers(detection)
        ours = not numbers or _CONNECTION in numbers
        is_dns = not ours and _DNS_QUERY in numbers
    else:
        ours = can_match(tree, _CONNECTION)
        is_dns = not ours and can_match(tree, _DNS_QUERY)
    if is_dns:
        return replace(source, category="dns_query")
    if not ours:
        raise OtherEvents("asks for another of Sysmon's events, expected EventID 3, a network connection")
    return source


def _event_numbers(detection: object) -> set[int]:
    """Return the numbers that a detection, which need not be sound, has for EventID."""
    if isinstance(detection, list):
        return {number for one in detection for number in _event_numbers(one)}
    if not isinstance(detection, Mapping):
        return set()
    found: set[int] = set()
    for key, value in detection.items():
        if str(key).lower() in ("eventid", "event_id", "event.code"):
            values = value if isinstance(value, list) else [value]
            found |= {
                int(str(one)) for one in values if str(one).isascii() and str(one).isdigit() and len(str(one)) < 9
            }
        else:
            found |= _event_numbers(value)
    return found


def _made(
    document: Document, about: Metadata, source: LogSource, tree: Node | None, correlation: Correlation | None = None
) -> Rule:
    place = f"{document.path}:{document.line}"
    return Rule(
        id=about.id or hashlib.sha256(place.encode()).hexdigest()[:32],
        title=about.title,
        level=about.level,
        status=about.status,
        tags=about.tags,
        author=about.author,
        description=about.description,
        path=document.path,
        line=document.line,
        logsource=source,
        tree=tree,
        correlation=correlation,
        name=about.name,
        references=about.references,
        warnings=about.warnings,
    )


class _Tree:
    """Convert conditions to trees; collect mistakes, and doubts about values."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.doubts: Doubts = []

    def node(self, condition: object) -> Node:
        match condition:
            case ConditionAND():
                return all_of(map(self.node, condition.args))
            case ConditionOR():
                return any_of(map(self.node, condition.args))
            case ConditionNOT():
                return Not(self.node(condition.args[0]))
        try:
            match condition:
                case ConditionFieldEqualsValueExpression():
                    return test_of(condition.field, condition.value, self.doubts)
                case ConditionValueExpression():
                    return keyword(condition.value)
            raise Unusable(f"found {type(condition).__name__} as a condition, which has no counterpart")
        except Unusable as error:
            self.mistakes.append(str(error))
            # In its place, so that the rest says which events the rule is about; it is not run.
            return Leaf("", "", Missing())
