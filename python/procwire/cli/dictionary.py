"""`procwire dictionary`: an event's columns, their names in each vocabulary, types and meanings.

`python -m procwire.cli.dictionary docs/dictionary.md` writes the tables anew between the file's markers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.choices import Names
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.terminal import styled

if TYPE_CHECKING:
    from procwire.event import Event, Field

__all__ = ["MARKERS", "dictionary", "markdown", "renewed"]

DictionaryFormat = Literal["table", "markdown", "json"]

MARKERS = ("<!-- generated: make it anew by `python -m procwire.cli.dictionary FILE` -->", "<!-- end of generated -->")
_HEADINGS = ("Name", "Sysmon's name", "Type", "Group", "Description", "Sample")
_PLAIN_WIDTH = 180


@ends_well
def dictionary(
    names: Annotated[Names, typer.Option(help="Vocabulary of the first column.")] = "ossem",
    to: Annotated[DictionaryFormat, typer.Option(help="Format of the dictionary.")] = "table",
    event: Annotated[
        str,
        typer.Option(metavar="EVENT", help="Whose columns: connection (or 3), process-creation (1), dns-query (22)."),
    ] = "connection",
) -> ExitCode:
    """Print the data dictionary: every column's name, Sysmon's name for it, type, group, meaning and a sample.

    Derived columns are computed on request: name them in `procwire read --columns`.
    """
    from procwire.event import event_named

    asked = event_named(event)
    if to == "table":
        _print_table(asked, names)
    else:
        sys.stdout.write(markdown(names, asked) if to == "markdown" else _json(asked, names))
    return ExitCode.ALL_READ


def _all_fields(event: Event) -> tuple[Field, ...]:
    from procwire.event import CONNECTION, LIVE_FIELDS

    return event.fields + (LIVE_FIELDS if event == CONNECTION else ()) + event.derived


def _row(field: Field, names: Names) -> tuple[str, ...]:
    sysmon = field.sysmon if field.group in ("event", "system") else ""
    return field.named(names), sysmon, str(field.type), field.group, field.description, field.sample


def markdown(names: Names = "ossem", event: Event | None = None) -> str:
    """The dictionary of an event, of connections if not told, as a Markdown table."""
    from procwire.event import CONNECTION

    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    for field in _all_fields(event or CONNECTION):
        name, sysmon, kind, group, description, sample = _row(field, names)
        rows.append((f"`{name}`", sysmon, kind, group, description, f"`{sample}`"))
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


def _json(event: Event, names: Names) -> str:
    keys = ("name", "sysmon_name", "type", "group", "description", "sample")
    rows = [dict(zip(keys, _row(field, names), strict=True)) for field in _all_fields(event)]
    for row, field in zip(rows, _all_fields(event), strict=True):
        row["sysmon_name"] = row["sysmon_name"] or None  # type: ignore[assignment]
        if field.sql:
            row["sql"] = field.sql
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _print_table(event: Event, names: Names) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    table = Table(*_HEADINGS, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(table.columns):
        column.no_wrap = index < 4
        column.overflow = "fold"
    for field in _all_fields(event):
        table.add_row(*(Text(cell) for cell in _row(field, names)))
    # Captured, since Rich would end the process itself where the pipe is closed.
    with console.capture() as capture:
        console.print(table)
    styled(sys.stdout).write(capture.get())


def renewed(document: str) -> str:
    """The document with the tables of today between its markers."""
    from procwire.event import EVENTS

    tables = [f"## Event {event.id}: `{event.table}`\n\n{markdown(event=event)}" for event in EVENTS]
    start, end = MARKERS
    before, _, rest = document.partition(start)
    _, _, after = rest.partition(end)
    return "\n".join([f"{before}{start}\n", *tables, f"{end}{after}"])


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")
