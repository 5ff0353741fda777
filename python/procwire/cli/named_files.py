"""Read options of the form NAME=FILE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["named_files"]


def named_files(option: str, given: Sequence[str] | None) -> dict[str, Path]:
    """Return the file of each name. Raises UsageError for what is not NAME=FILE, and for a name that comes twice."""
    found: dict[str, Path] = {}
    for text in given or ():
        name, equals, file = text.partition("=")
        name = name.strip().strip("%")
        if not equals or not name or not file:
            raise UsageError(f"found {option} {text}, expected NAME=FILE")
        if name in found:
            raise UsageError(f"found {option} {name} twice, expected it once")
        found[name] = Path(file)
    return found
