"""Layout of SQL for readers: one term per line, indented."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["case", "indented", "joined"]


def joined(operator: str, terms: Sequence[str]) -> str:
    """Return the terms joined by an operator, one per line, in parentheses if there are several."""
    if len(terms) == 1:
        return terms[0]
    return f"({f'{chr(10)}  {operator} '.join(term.replace(chr(10), chr(10) + '  ') for term in terms)})"


def case(comment: str, branches: Sequence[tuple[str, str]], otherwise: str = "") -> str:
    """Return `CASE WHEN ... THEN ... END`, with consecutive conditions of the same outcome merged."""
    merged: list[tuple[list[str], str]] = []
    for when, then in branches:
        if merged and merged[-1][1] == then:
            merged[-1][0].append(when)
        else:
            merged.append(([when], then))
    while merged and merged[-1][1] == "NULL" and not otherwise:
        merged.pop()
    if not merged:
        return otherwise or "NULL"
    lines = [f"{comment} CASE".lstrip()]
    for whens, then in merged:
        lines.append(indented(f"WHEN {joined('OR', whens)}\nTHEN {then}"))
    return "\n".join([*lines, *([f"  ELSE {otherwise}"] if otherwise else []), "END"])


def indented(text: str) -> str:
    """Return the text with each line indented by two columns."""
    return "  " + text.replace("\n", "\n  ")
