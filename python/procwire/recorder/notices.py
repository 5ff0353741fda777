"""Notices about a recording; its caller decides where they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Notice", "NoticeKind", "Notify", "warner"]

NoticeKind = Literal["status", "warning", "alert", "summary"]
"""What the recording does; what is not as requested, or lost; a match of a Sigma rule; the ledger, at the end."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Hold one notice of a recording."""

    kind: NoticeKind
    text: str
    """One line, or several. It may contain any character: names of files, and texts of processes."""


Notify = Callable[[Notice], None]
"""Receives notices, in the thread that records. Its errors end the recording."""


def warner(notify: Notify) -> Callable[[str], None]:
    """Return a function that passes texts on as warnings."""
    return lambda text: notify(Notice("warning", text))
