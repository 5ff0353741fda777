"""The figures of `procwire config test`, as a table to read, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from procwire.sysmon.measuring.figures import COLUMNS, Row, filter_counts, to_dict
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.sysmon.measuring.tally import Figures
    from procwire.sysmon.measuring.trial import Report

__all__ = ["write_csv", "write_json", "write_text"]

_HEADINGS = ("MATCHED", "DECIDED", "WITHOUT IT", "LINE")


def write_text(report: Report, shown: list[Row], *, indented: bool) -> None:
    """Write a table, with the totals below it."""
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


def write_json(report: Report, shown: list[Row]) -> None:
    """Write totals and rules."""
    sys.stdout.write(json.dumps(to_dict(report, shown), indent=2) + "\n")


def write_csv(shown: list[Row]) -> None:
    """Write a line per rule."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_dict() for row in shown)


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
    logged, events = report.logged, report.events
    yield f"{counted(events, 'connection')}: {logged:,} logged{share}, {events - logged:,} not"
    fate = "logged" if report.configuration.logs_by_default else "not logged"
    yield f"{report.undecided:,} matched by no element, and so {fate}"
    counts = filter_counts(report)
    yield (
        f"{counted(counts.filters, 'filter')}: {counts.never_matched:,} never matched, "
        f"{counts.never_decided:,} matched and decided nothing"
    )
