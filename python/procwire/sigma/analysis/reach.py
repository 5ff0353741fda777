"""Feasibility of Sigma rules in given data: finds the tests of a rule that no event there can fulfil.

Only columns and words that the data never have count, not particular values: a rule without findings is not faulty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from procwire.engine import literal
from procwire.sigma.matching.column_tests import ColumnTests
from procwire.sigma.matching.matcher import KINDS
from procwire.sigma.model.fields import DNS_COLUMNS, PROCESS_COLUMNS
from procwire.sigma.model.tree import All, Any, Leaf, Missing, Node, Not, leaves

if TYPE_CHECKING:
    from procwire.query.protocol import Connection
    from procwire.sigma.model.rule import Rule

__all__ = ["Present", "blockers", "missing_fields", "present_in", "why"]

_WORDED = ("provider_name", "network_connection_initiated", "network_protocol", "record_kind")
"""Columns with few values, all of which are checked."""
_STAND_INS = {
    ("connections", "dns_query_name"): "CASE WHEN dst_host_name_origin = 'dns' THEN dst_host_name END",
    ("dns_queries", "dst_host_name"): "dns_query_name",
}
_VIEWS = ("connections", "enriched", "dns_queries")


@dataclass(frozen=True, slots=True)
class Present:
    """Describe a view: its number of events, of values in each column, and the values of columns with few."""

    events: int
    counts: Mapping[str, int]
    values: Mapping[str, frozenset[object]] = field(default_factory=dict)

    def outcomes(self, leaf: Leaf) -> tuple[bool, bool]:
        """Return whether some event may fulfil a test, and whether some may fail it."""
        if leaf.column in self.values:
            ask = ColumnTests(leaf.column, [(leaf.test, 1)])
            answers = {bool(ask(value)) for value in self.values[leaf.column]}
            return True in answers, False in answers
        count = min(self.counts.get(column, 0) for column in leaf.columns)
        is_missing = isinstance(leaf.test, Missing)
        if count == 0:
            return is_missing, not is_missing
        return (count < self.events, True) if is_missing else (True, True)


def present_in(connection: Connection, rules: Iterable[Rule]) -> Mapping[str, Present]:
    """Return what each existing view has in the columns that rules need, by name of the view."""
    asked = sorted({column for rule in rules for column in _columns(rule)})
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'main'"
    found = connection.sql(query).to_arrow_reader().read_all().to_pylist()
    columns = {view: {row["column_name"] for row in found if row["table_name"] == view} for view in _VIEWS}
    return {view: _present(connection, view, asked, names) for view, names in columns.items() if names}


def _columns(rule: Rule) -> tuple[str, ...]:
    if rule.correlation is not None:
        return tuple(column for member in rule.correlation.rules for column in member.columns)
    return rule.columns


def _present(connection: Connection, view: str, asked: Sequence[str], names: set[str]) -> Present:
    kinds = f" WHERE record_kind IN ({', '.join(map(literal, KINDS))})" if "record_kind" in names else ""
    shown = {name: name if name in names else _STAND_INS.get((view, name), "NULL") for name in asked}
    counts = "".join(f", count({sql}) AS {name}" for name, sql in shown.items())
    query = f"SELECT count(*) AS events_{counts} FROM {view}{kinds}"
    [row] = connection.sql(query).to_arrow_reader().read_all().to_pylist()
    values = {}
    for name in names.intersection(_WORDED, asked):
        found = connection.sql(f"SELECT DISTINCT {name} FROM {view}{kinds}").to_arrow_reader().read_all()
        values[name] = frozenset(found.column(0).to_pylist())
    return Present(row.pop("events_"), row, values)


def blockers(rule: Rule, views: Mapping[str, Present]) -> tuple[Leaf, ...]:
    """Return the tests that prevent a rule from matching; empty if it can match in at least one view."""
    if rule.correlation is not None:
        found = [blockers(member, views) for member in rule.correlation.rules]
        needs_all = rule.correlation.type.startswith("temporal")
        stuck = any(found) if needs_all else all(found)
        return tuple(leaf for leaves_ in found for leaf in leaves_) if stuck else ()
    assert rule.tree is not None
    found = [tuple(dict.fromkeys(_blocking(rule.tree, present, True))) for present in _seen_by(rule, views)]
    return () if not all(found) else found[-1]


def missing_fields(rule: Rule, views: Mapping[str, Present]) -> tuple[str, ...]:
    """Return the fields that a rule tests but that never have a value there."""
    if rule.tree is None:
        return ()
    asked = [leaf for leaf in leaves(rule.tree) if leaf.field and not isinstance(leaf.test, Missing)]
    lacking = [
        leaf.field
        for leaf in asked
        if all(present.counts.get(leaf.column, 0) == 0 for present in _seen_by(rule, views))
    ]
    return tuple(dict.fromkeys(lacking))


def _seen_by(rule: Rule, views: Mapping[str, Present]) -> list[Present]:
    names = ("dns_queries", "connections") if rule.view == "dns_queries" else (rule.view,)
    return [views[name] for name in names if name in views] or [views["connections"]]


def _can(node: Node, present: Present, wanted: bool) -> bool:
    """Return whether the node's result may be `wanted` for some event."""
    match node:
        case Leaf():
            return present.outcomes(node)[0 if wanted else 1]
        case Not(operand):
            return _can(operand, present, not wanted)
        case All(operands) | Any(operands):
            combine: Callable[[Iterable[bool]], bool] = all if isinstance(node, All) == wanted else any
            return combine(_can(operand, present, wanted) for operand in operands)


def _blocking(node: Node, present: Present, wanted: bool) -> Iterator[Leaf]:
    """Yield the tests that prevent the result `wanted` of the node."""
    if _can(node, present, wanted):
        return
    match node:
        case Leaf():
            yield node
        case Not(operand):
            yield from _blocking(operand, present, not wanted)
        case All(operands) | Any(operands):
            for operand in operands:
                yield from _blocking(operand, present, wanted)


def why(leaves_: Iterable[Leaf], product: str | None) -> str:
    """Return in words why a rule cannot match."""
    return "; ".join(dict.fromkeys(_why(leaf, product) for leaf in leaves_))


def _why(leaf: Leaf, product: str | None) -> str:
    if leaf.column == "provider_name" and not leaf.field:
        return f"is for {product or 'another product'}, and no event here comes from it"
    if leaf.column in PROCESS_COLUMNS:
        return f"needs {leaf.field} of the process's creation (Sysmon's event 1), which no event here has"
    if leaf.column in DNS_COLUMNS:
        return f"needs {leaf.field or 'names'} of DNS queries (Sysmon's event 22), which no event here has"
    if leaf.column in ("dst_host_name", "src_host_name"):
        return f"needs {leaf.field}, and no host's name was resolved (see DnsLookup in Sysmon's configuration)"
    if leaf.column in _WORDED:
        return f"no event here has the {leaf.field} that it requires"
    return f"needs {leaf.field or leaf.column}, which never has a value here"
