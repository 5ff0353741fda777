"""Draws docs/read.svg and docs/record.svg: what `procwire read` and `procwire record` print on a terminal.

Run from the project's folder, as root for the second: `.venv/bin/python docs/picture.py`
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import suppress
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
    """Draw both, the second only as root."""
    _draw("read", f"$ procwire read {LOG}", *_read())
    if os.geteuid() == 0:
        _draw("record", "$ sudo procwire record --all --attempts", *_recorded())


def _read() -> tuple[str, str]:
    """Read the example: what it prints, and its account."""
    ledger = Ledger()
    selection = Selection(columns=CONNECTION_COLUMNS, where=WHERE, limit=ROWS)
    printed = io.BytesIO()
    sink = open_sink("table", printed, selection.schema, Terminal(WIDTH, colours=True))
    for batch in selection.apply(read_batches([LOG], ledger=ledger)):
        sink.write(batch)
    sink.close()
    return printed.getvalue().decode(), ledger.summary()


def _recorded() -> tuple[str, str]:
    """Record a little traffic, on a terminal of our own: what it prints, and its account."""
    command = [".venv/bin/procwire", "record", "--all", "--attempts", "--for", "8s", "--to", "table", "--no-dns-lookup"]
    terminal, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with tempfile.TemporaryFile("w+") as errors:
        recorder = subprocess.Popen(command, stdout=side, stderr=errors, env=environment)
        os.close(side)
        time.sleep(2)
        subprocess.run([sys.executable, "examples/traffic.py", "4"], check=True)
        printed = b""
        with suppress(OSError):  # Where the other side of a terminal is closed, reading it is an error.
            while piece := os.read(terminal, 1 << 16):
                printed += piece
        recorder.wait()
        errors.seek(0)
        account = errors.read().splitlines()
    lines = printed.decode().splitlines()
    return "\n".join(lines[: ROWS + 1]) + "\n", account[-1]


def _draw(name: str, command: str, printed: str, account: str) -> None:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(command, style="bold"))
    console.print(Text.from_ansi(printed))
    console.print(Text(account, style="dim"))
    svg = console.export_svg(title=f"procwire {name}")
    # The picture must not fetch a font from anywhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(f"docs/{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
