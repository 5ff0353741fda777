"""Why a rule does not run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OtherEvents", "Problem", "Unusable"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule, or a file, that is not run, and why. line: where the rule begins, from 1. is_ours: false where the rule
    is about other events than connections, which is no fault of it.
    """

    path: str
    line: int | None
    title: str | None
    reason: str
    is_ours: bool = True


class Unusable(Exception):  # noqa: N818 - it never leaves the package: it becomes a Problem
    """What a rule asks for has no counterpart; its text says what was found."""


class OtherEvents(Unusable):
    """A rule is about other events than connections."""
