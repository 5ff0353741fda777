"""The figures of `procwire config test`, as a table to read, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from procwire.rules.explain import element_text, markup, operand_text
from procwire.rules.model import Element, Filter, Operand, Rule

if TYPE_CHECKING:
    from procwire.rules.trial import Figures, Report

__all__ = ["Row", "rows", "write_csv", "write_json", "write_text"]

_HEADINGS = ("MATCHED", "DECIDED", "WITHOUT IT", "LINE")


@dataclass(frozen=True, slots=True)
class Row:
    """A rule and its figures."""

    rule: Element | Operand
    inside: tuple[Element | Operand, ...]
    """What it stands in, from the outside: nothing, its element, or its element and Rule."""
    figures: Figures
    logged_without: int

    @property
    def is_filter(self) -> bool:
        return isinstance(self.rule, Filter)

    @property
    def element(self) -> Element:
        """That it stands in, or is."""
        return cast(Element, (*self.inside, self.rule)[0])

    def text(self, inherited: str = "") -> str:
        """What it says; with its name, where that is not the inherited one."""
        return element_text(self.rule) if isinstance(self.rule, Element) else operand_text(self.rule, inherited)


def rows(report: Report) -> Iterator[Row]:
    """A row for each element, and each Rule and filter in it, in the order of the file."""
    for element in report.configuration.network_connect:
        for part, inside in _parts(element):
            yield Row(part, inside, report.figures[part.place], report.logged_without(part.place))


def _parts(element: Element) -> Iterator[tuple[Element | Operand, tuple[Element | Operand, ...]]]:
    yield element, ()
    for operand in element.operands:
        yield operand, (element,)
        if isinstance(operand, Rule):
            yield from ((filter_, (element, operand)) for filter_ in operand.filters)


def write_text(report: Report, shown: list[Row], *, indented: bool) -> None:
    """A table, with the totals below it."""
    from procwire.cli.page import Page
    from procwire.sinks.layout import shorten

    page = Page()
    cells = [_cells(row) for row in shown]
    widths = [max(len(cell) for cell in column) for column in zip(_HEADINGS, *cells, strict=True)]
    page.line(_aligned(_HEADINGS, widths) + "  RULE", strong=True)
    for row, figures in zip(shown, cells, strict=True):
        text = f"{_aligned(figures, widths)}  {_indented(row) if indented else _flat(row)}"
        page.line(shorten(text, page.width) if page.width else text, strong=indented and not row.inside)
    page.line()
    page.lines(_totals(report))


def _indented(row: Row) -> str:
    inherited = next((part.name for part in reversed(row.inside) if part.name), "")
    return "  " * len(row.inside) + row.text(inherited)


def _flat(row: Row) -> str:
    rule = row.inside[1:]
    return row.text() + (f"   (within line {rule[0].place.line})" if rule else "")


def _cells(row: Row) -> tuple[str, ...]:
    figures = row.figures
    return f"{figures.matched:,}", f"{figures.decided:,}", _change(figures), str(row.rule.place.line)


def _change(figures: Figures) -> str:
    signed = [f"+{figures.more_without:,}"] if figures.more_without else []
    signed += [f"-{figures.fewer_without:,}"] if figures.fewer_without else []
    return " ".join(signed) or "0"


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _totals(report: Report) -> Iterator[str]:
    share = f" ({report.logged / report.events:.1%})" if report.events else ""
    yield f"{report.events:,} connections: {report.logged:,} logged{share}, {report.events - report.logged:,} not"
    fate = "logged" if report.configuration.logs_by_default else "not logged"
    yield f"{report.undecided:,} matched by no element, and so {fate}"
    filters = [row for row in rows(report) if row.is_filter]
    never = sum(not row.figures.matched for row in filters)
    idle = sum(row.figures.matched > 0 and not row.figures.decided for row in filters)
    yield f"{len(filters):,} filters: {never:,} never matched, {idle:,} matched and decided nothing"


def write_json(report: Report, shown: list[Row]) -> None:
    """Totals and rules."""
    document = {
        "path": report.configuration.path,
        "events": report.events,
        "logged": report.logged,
        "undecided": report.undecided,
        "logs_by_default": report.configuration.logs_by_default,
        "rules": [_record(row) for row in shown],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def write_csv(shown: list[Row]) -> None:
    """A line per rule."""
    records = [_record(row) for row in shown]
    writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)


_COLUMNS = (
    "line", "column", "kind", "onmatch", "rule", "name", "matched", "decided", "more_without", "fewer_without",
    "logged_without",
)  # fmt: skip


def _record(row: Row) -> dict[str, str | int]:
    rule, figures = row.rule, row.figures
    values = (
        rule.place.line, rule.place.column, type(rule).__name__.lower(), row.element.onmatch, markup(rule), rule.name,
        figures.matched, figures.decided, figures.more_without, figures.fewer_without, row.logged_without,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))
