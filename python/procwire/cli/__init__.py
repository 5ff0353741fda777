"""The command line: `procwire VERB`, one file per verb. It composes the rest, reads input and prints.

Nothing heavy is imported before a verb runs, so that `procwire --version` and `--help` answer at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]


class _Hidden:
    """Hides what Arrow and DuckDB import only because it is there: pandas takes half a second, numpy 11 MB."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name in ("numpy", "pandas"):
            raise ModuleNotFoundError(name)


def main() -> None:
    """Run the command line and leave with its exit code."""
    # None where the caller closed them (`>&-`); open for as long as the process lives.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if sys.argv[1:] == ["--version"]:
        from procwire.cli.version import version_line

        sys.stdout.write(version_line() + "\n")
        return
    sys.meta_path.insert(0, _Hidden())
    from procwire.cli.app import app

    app(prog_name="procwire")
