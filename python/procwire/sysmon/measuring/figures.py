"""Return the figures of a configuration's rules as rows: in the file's order or by a figure, with their totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from procwire.sysmon.explaining.logic import element_text, markup, operand_text
from procwire.sysmon.measuring.trial import Trial
from procwire.sysmon.model import Element, Filter, Operand, Rule

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import FigureOrder
    from procwire.sysmon.measuring.tally import Figures
    from procwire.sysmon.measuring.trial import Report
    from procwire.sysmon.model import Configuration

__all__ = ["COLUMNS", "FilterCounts", "Row", "filter_counts", "measure", "rows", "to_dict"]

COLUMNS = (
    "line", "column", "kind", "onmatch", "rule", "name", "matched", "decided", "more_without", "fewer_without",
    "logged_without",
)  # fmt: skip
"""The keys of `Row.to_dict`, in its order."""


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a rule and its figures."""

    rule: Element | Operand
    inside: tuple[Element | Operand, ...]
    """The parts that contain it, outermost first: none, its element, or its element and Rule."""
    figures: Figures
    logged_without: int

    @property
    def is_filter(self) -> bool:
        """Return whether the rule is a filter, neither a `<Rule>` nor an element."""
        return isinstance(self.rule, Filter)

    @property
    def element(self) -> Element:
        """Return the element that contains the rule, or that is the rule."""
        return cast(Element, (*self.inside, self.rule)[0])

    def text(self, inherited: str = "") -> str:
        """Return the rule as text, with its name unless that is inherited."""
        return element_text(self.rule) if isinstance(self.rule, Element) else operand_text(self.rule, inherited)

    def to_dict(self) -> dict[str, str | int]:
        """Return the row by COLUMNS."""
        rule, figures = self.rule, self.figures
        values = (
            rule.place.line, rule.place.column, type(rule).__name__.lower(), self.element.onmatch, markup(rule),
            rule.name, figures.matched, figures.decided, figures.more_without, figures.fewer_without,
            self.logged_without,
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True, slots=True)
class FilterCounts:
    """Count the filters, and those of them that do nothing."""

    filters: int
    never_matched: int
    never_decided: int
    """Number of filters that matched but decided nothing."""


def measure(configuration: Configuration, batches: Iterable[pa.RecordBatch]) -> Report:
    """Count what the rules do with batches of `event.SCHEMA` or `event.LIVE_SCHEMA`."""
    trial = Trial(configuration)
    for batch in batches:
        trial.add(batch)
    return trial.report()


def rows(report: Report, order: FigureOrder = "file", *, never_matched: bool = False) -> list[Row]:
    """Return a row for each element, and each Rule and filter in it.

    order: `alone` sorts by what changes without the rule. never_matched: only rules that never matched. Rules with
    equal figures stay in the file's order.
    """
    found = [row for row in _rows(report) if not (never_matched and row.figures.matched)]
    return found if order == "file" else sorted(found, key=lambda row: -_height(row.figures, order))


def filter_counts(report: Report) -> FilterCounts:
    """Count the filters, and those that do nothing."""
    figures = [row.figures for row in _rows(report) if row.is_filter]
    return FilterCounts(
        len(figures),
        sum(not one.matched for one in figures),
        sum(one.matched > 0 and not one.decided for one in figures),
    )


def to_dict(report: Report, shown: Iterable[Row]) -> dict[str, Any]:
    """Return the totals and the rows for JSON."""
    return {
        "path": report.configuration.path,
        "events": report.events,
        "logged": report.logged,
        "undecided": report.undecided,
        "logs_by_default": report.configuration.logs_by_default,
        "rules": [row.to_dict() for row in shown],
    }


def _rows(report: Report) -> Iterator[Row]:
    for element in report.configuration.network_connect:
        for part, inside in _parts(element):
            yield Row(part, inside, report.figures[part.place], report.logged_without(part.place))


def _parts(element: Element) -> Iterator[tuple[Element | Operand, tuple[Element | Operand, ...]]]:
    yield element, ()
    for operand in element.operands:
        yield operand, (element,)
        if isinstance(operand, Rule):
            yield from ((filter_, (element, operand)) for filter_ in operand.filters)


def _height(figures: Figures, order: FigureOrder) -> int:
    if order == "alone":
        return figures.more_without + figures.fewer_without
    return figures.matched if order == "matched" else figures.decided
