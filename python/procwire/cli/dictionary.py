"""`procwire dictionary`: an event's columns, their names in each vocabulary, types and meanings."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode
from procwire.cli.terminal import styled

if TYPE_CHECKING:
    from procwire.choices import Names
    from procwire.event import Event

__all__ = ["dictionary"]

DictionaryFormat = Literal["table", "markdown", "json"]

_PLAIN_WIDTH = 180


def dictionary(
    names: Names = "ossem",
    to: DictionaryFormat = "table",
    event: str = "connection",
) -> ExitCode:
    """Run `procwire dictionary`, whose options and help are in `verbs`; return its exit code."""
    from procwire.dictionary import markdown, to_dicts
    from procwire.event import event_named

    asked = event_named(event)
    if to == "table":
        _print_table(asked, names)
    elif to == "markdown":
        sys.stdout.write(markdown(names, asked))
    else:
        sys.stdout.write(json.dumps(to_dicts(names, asked), indent=2, ensure_ascii=False) + "\n")
    return ExitCode.ALL_READ


def _print_table(event: Event, names: Names) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from procwire.dictionary import HEADINGS, rows

    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    table = Table(*HEADINGS, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(table.columns):
        column.no_wrap = index < 4
        column.overflow = "fold"
    for row in rows(names, event):
        table.add_row(*map(Text, row))
    # Captured, since Rich would end the process itself where the pipe is closed.
    with console.capture() as capture:
        console.print(table)
    styled(sys.stdout).write(capture.get())
