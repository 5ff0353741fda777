"""What cannot be undone is agreed to on a terminal, or by --yes."""

from __future__ import annotations

import sys

from procwire.errors import UsageError

__all__ = ["check_terminal", "confirmed"]


def check_terminal(expected: str) -> None:
    """Raise UsageError, which says what is expected instead, where nobody can answer."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"found no terminal to ask on, expected {expected}")


def confirmed(question: str) -> bool:
    """Ask on the terminal, and return whether the answer is yes; Ctrl-C and the end of the input are a no."""
    try:
        while True:
            sys.stderr.write(f"{question} [y/N]: ")
            sys.stderr.flush()
            # An empty text is the end of the input.
            answer = sys.stdin.readline().strip().lower()
            if answer in ("y", "yes"):
                return True
            if answer in ("", "n", "no"):
                return False
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return False
