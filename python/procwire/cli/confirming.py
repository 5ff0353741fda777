"""What cannot be undone is agreed to on a terminal, or by --yes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from procwire.errors import UsageError

__all__ = ["YesOption", "check_terminal", "confirmed"]

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask. Needed where there is no terminal to ask on.")]


def check_terminal(expected: str) -> None:
    """Raise UsageError, which says what is expected instead, where nobody can answer."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"found no terminal to ask on, expected {expected}")


def confirmed(question: str) -> bool:
    """Ask on the terminal; Ctrl-C is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False
