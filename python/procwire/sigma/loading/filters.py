"""Load filters: rules that narrow other rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from procwire.sigma.loading.expressions import POLICY
from procwire.sigma.loading.metadata import Metadata
from procwire.sigma.problems import Unusable

__all__ = ["Filter", "load_filter"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Hold a filter, and the ids or names of the rules that it narrows; None: all of its log source."""

    rules: frozenset[str] | None
    parsed: SigmaFilter

    def applied(self, rule: SigmaRule, about: Metadata) -> SigmaRule:
        """Return a rule, narrowed if the filter is for it."""
        names = {name.lower() for name in (about.id, about.name) if name}
        if self.rules is not None and names.isdisjoint(self.rules):
            return rule
        return cast(SigmaRule, self.parsed.apply_on_rule(rule))


def load_filter(content: Mapping[str, Any]) -> Filter:
    """Return a filter. Raises pySigma's errors, or Unusable, for what is none."""
    inner = content["filter"]
    if not isinstance(inner, Mapping):
        raise Unusable("found a filter that is no mapping, expected rules, a selection and a condition")
    rules = inner.get("rules", [])
    named = [rules] if isinstance(rules, str) else rules
    if "rules" not in inner or not isinstance(named, list):
        raise Unusable("found a filter without rules, expected ids or names of rules, or any")
    for_all = not named or (isinstance(rules, str) and rules.lower() == "any")
    # pySigma finds rules by UUIDs only; which rules a filter is for is decided above.
    parsed = SigmaFilter.from_dict({**content, "filter": {**inner, "rules": "any"}}, policy=POLICY)
    return Filter(None if for_all else frozenset(str(one).lower() for one in named), parsed)
