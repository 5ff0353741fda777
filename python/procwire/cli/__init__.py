"""The command line: `procwire VERB`, one file per verb. It composes the rest, reads input and prints.

Nothing heavy is imported before a verb runs, so that `procwire --version` and `--help` answer at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from procwire.cli import collecting
from procwire.cli.terminal import guard_terminals

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
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    guard_terminals()
    sys.meta_path.insert(0, _Hidden())
    collecting.begin()
    try:
        from procwire.cli.app import run

        _leave(run(sys.argv[1:]))
    except KeyboardInterrupt:
        # Before a verb runs, or after.
        _leave(130)
    except OSError as error:
        # Raised by output that no verb writes, such as help.
        from procwire.cli.exits import complain, discard_streams

        complain(f"results: {error.strerror or error}")
        discard_streams()
        _leave(1)


def _leave(code: int) -> None:
    """End the process without taking the interpreter apart.

    Threads of Arrow's may still be letting go of Python objects: one that finds the interpreter gone aborts the process
    with exit code 134.
    """
    # Help and similar output import neither, and hold nothing.
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        # What still holds files or folders, in cycles, removes them now.
        gc.collect()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)
