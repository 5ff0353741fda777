"""Draws docs/read.svg, the picture in README.md: what `procwire read` prints on a terminal.

Run from the project's folder: `.venv/bin/python docs/picture.py`
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from procwire.ledger import Ledger
from procwire.select import Selection
from procwire.sinks import CONNECTION_COLUMNS, Terminal, open_sink
from procwire.sources import read_batches

WIDTH = 140
LOG = "examples/sysmon.evtx"
WHERE = "dst_host_name IS NOT NULL OR network_protocol = 'tcp'"
ROWS = 18


def main() -> None:
    """Read the example, take what it prints, draw it."""
    ledger = Ledger()
    selection = Selection(columns=CONNECTION_COLUMNS, where=WHERE, limit=ROWS)
    printed = io.BytesIO()
    sink = open_sink("table", printed, selection.schema, Terminal(WIDTH, colours=True))
    for batch in selection.apply(read_batches([LOG], ledger=ledger)):
        sink.write(batch)
    sink.close()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ procwire read {LOG}", style="bold"))
    console.print(Text.from_ansi(printed.getvalue().decode()))
    console.print(Text(ledger.summary(), style="dim"))
    svg = console.export_svg(title="procwire read")
    # The picture must not fetch a font from anywhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path("docs/read.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
