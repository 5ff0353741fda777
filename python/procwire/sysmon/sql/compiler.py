"""Combine the elements in SQL, in Sysmon's order of evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from procwire.engine import literal
from procwire.engine.layout import case, indented
from procwire.sysmon.evaluate import NO_NAME
from procwire.sysmon.model import Configuration, Element
from procwire.sysmon.sql.matching import Matching
from procwire.sysmon.sql.naming import Name, Naming, either

__all__ = ["compile_sql"]

_DROP = "''"


def compile_sql(configuration: Configuration, *, strict: bool = False) -> str:
    """Return the SQL expression for the name of an event's rule, over the standard column names.

    It is null if the event is not logged, `-` if it is logged without a name, else the rule's name.

    strict: reproduce Sysmon's bug of stale names, see `evaluate.decide`.
    """
    if not configuration.network_connect:
        return "CAST(NULL AS VARCHAR)"
    compiler = _Compiler(configuration, strict)
    parts = [part for element in configuration.evaluation_order if (part := compiler.element(element))]
    default = literal(NO_NAME) if configuration.logs_by_default else _DROP
    listed = ",\n".join(indented(part) for part in [*parts, f"/* nothing matches */ {default}"])
    return f"nullif(coalesce(\n{listed}\n), '')"


class _Compiler:
    def __init__(self, configuration: Configuration, strict: bool) -> None:
        self._matching = Matching(configuration.dns_lookup)
        self._naming = Naming(self._matching)
        self._strict = strict
        self._stale: list[Name] = []
        """Names that elements evaluated before may have left behind, the last first."""

    def element(self, element: Element) -> str:
        """Return SQL that is null if the element does not match; an empty text for an element that never does."""
        if not element.operands:
            return ""
        branches = list(self._or_branches(element) if element.relation == "or" else self._and_branches(element))
        if self._strict:
            self._stale = [*self._naming.left_behind(element), *self._stale]
        return case(f"/* {element.onmatch}, line {element.place.line} */", branches)

    def _or_branches(self, element: Element) -> Iterator[tuple[str, str]]:
        known: set[str] = set()
        left_behind: list[Name] = []
        for operand in element.operands:
            yield self._matching.operand(operand), self._then(element, [*self._naming.of(operand), *left_behind])
            for failure in self._matching.failures(operand, known):
                yield failure, "NULL"
            if self._strict:
                left_behind = [*self._naming.left_by_rule(operand), *left_behind]

    def _and_branches(self, element: Element) -> Iterator[tuple[str, str]]:
        yield self._matching.all_of(element), self._then(element, self._naming.of_all(element))

    def _then(self, element: Element, names: list[Name]) -> str:
        return _DROP if element.onmatch == "exclude" else self._matching.written(either([*names, *self._stale]))
