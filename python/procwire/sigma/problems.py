"""Report why a rule does not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Kind", "OtherEvents", "Problem", "Unusable"]

Kind = Literal["mistake", "unreadable", "other events", "no rule"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Describe a rule, or a file, that is not run, and why.

    line: where the rule begins, from 1. kind: `unreadable` is a file that may be read another time; `other events` is a
    rule about other events than connections, `no rule` YAML that is something else: neither is a fault.
    """

    path: str
    line: int | None
    title: str | None
    reason: str
    kind: Kind = "mistake"

    @property
    def is_ours(self) -> bool:
        """Return whether it is about connections, as far as is known."""
        return self.kind not in ("other events", "no rule")


class Unusable(Exception):  # noqa: N818 - it never leaves the package: it becomes a Problem
    """Signal that a rule needs something that connections do not have; the text says what was found."""


class OtherEvents(Unusable):
    """Signal that a rule is about other events than connections."""
