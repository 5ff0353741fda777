"""Why a rule does not run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Problem", "Unusable"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule, or a file, that is not run, and why. line: where the rule begins, from 1."""

    path: str
    line: int | None
    title: str | None
    reason: str


class Unusable(Exception):  # noqa: N818 - it never leaves the package: it becomes a Problem
    """What a rule asks for has no counterpart; its text says what was found."""
