"""Express in SQL when filters, Rules and elements match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from procwire.engine.layout import joined
from procwire.errors import UsageError
from procwire.sysmon.conditions import condition_sql
from procwire.sysmon.forms import COLUMNS, TYPED, text_sql
from procwire.sysmon.model import Element, Filter, Operand, Rule

__all__ = ["Matching"]

_MOST_CHARACTERS = 16_000_000


class Matching:
    """Create the expressions; each is true if it matches, else false or null.

    dns_lookup: False if host and port names are empty.
    """

    def __init__(self, dns_lookup: bool) -> None:
        self._texts = {name: text_sql(name, dns_lookup=dns_lookup) for name in COLUMNS}
        self._left = _MOST_CHARACTERS

    def written(self, sql: str) -> str:
        """Return a text after counting its length: names repeat tests, so many rules would grow quadratically.

        Raises UsageError for more than anyone can read.
        """
        self._left -= len(sql)
        if self._left < 0:
            raise UsageError(
                f"found rules whose SQL has more than {_MOST_CHARACTERS:,} characters, expected fewer rules"
            )
        return sql

    def test(self, filter_: Filter) -> str:
        """Return the expression of a filter."""
        return condition_sql(filter_.condition, filter_.value, self._texts[filter_.field])

    def tests(self, filters: Iterable[Filter]) -> list[str]:
        """Return the expression of each of some filters."""
        return [self.test(filter_) for filter_ in filters]

    def operand(self, operand: Operand) -> str:
        """Return the expression of a filter, or a Rule."""
        if isinstance(operand, Filter):
            return self.test(operand)
        if operand.relation == "and":
            return joined("AND", self.tests(operand.filters))
        # A field without a text ends a Rule: later filters are not evaluated.
        known: set[str] = set()
        alternatives: list[str] = []
        for filter_ in operand.filters:
            guards = [f"{COLUMNS[name].name} IS NOT NULL" for name in sorted(known - {filter_.field})]
            alternatives.append(joined("AND", [*guards, self.test(filter_)]))
            known |= {filter_.field} & TYPED
        return joined("OR", alternatives)

    def failures(self, operand: Operand, known: set[str]) -> Iterator[str]:
        """Yield SQL for when an operand that does not match tests a field without a text, which ends its element.

        known: fields that must have a text, or the element would have ended before; newly certain ones are added.
        """
        before: list[str] = []
        ordered = isinstance(operand, Rule) and operand.relation == "and"
        for filter_ in operand.filters if isinstance(operand, Rule) else (operand,):
            if filter_.field in TYPED - known:
                yield self.written(joined("AND", [*before, f"{COLUMNS[filter_.field].name} IS NULL"]))
                if not before:
                    known.add(filter_.field)
            if ordered:
                before.append(self.test(filter_))

    def all_of(self, element: Element) -> str:
        """Return the expression of an AND element, in which filters of one field are alternatives."""
        fields: dict[str, list[Filter]] = {}
        rules = []
        for operand in element.operands:
            if isinstance(operand, Rule):
                rules.append(self.operand(operand))
            else:
                fields.setdefault(operand.field, []).append(operand)
        return joined("AND", [joined("OR", self.tests(filters)) for filters in fields.values()] + rules)
