"""Say what happens in a recording, and leave it to whoever runs it where that is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Notice", "NoticeKind", "Notify", "warner"]

NoticeKind = Literal["status", "warning", "alert", "summary"]
"""What it does; what is not as requested, or lost; a match of a Sigma rule; the ledger in words, at the end."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Hold what a recording says at one time."""

    kind: NoticeKind
    text: str
    """One line, or several. It may contain any character: names of files, and texts of processes."""


Notify = Callable[[Notice], None]
"""Takes notices, some from other threads than the recording's own. What it raises ends the recording."""


def warner(notify: Notify) -> Callable[[str], None]:
    """Return a function that passes texts on as warnings."""
    return lambda text: notify(Notice("warning", text))
