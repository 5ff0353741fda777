"""The command line: `procwire VERB`, one file per verb. It composes the rest, reads input and prints.

Nothing heavy is imported before a verb runs, so that `procwire --version` and `--help` answer at once.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from procwire.cli.version import version_line

        sys.stdout.write(version_line() + "\n")
        return
    # Arrow would import pandas, where there is one, to recognise its types: half a second, for nothing here.
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
    from procwire.cli.app import app

    app(prog_name="procwire")
