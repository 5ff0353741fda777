"""Fold text to lower case, for every comparison without regard to case."""

from __future__ import annotations

__all__ = ["fold"]


def fold(text: str) -> str:
    """Return the text in lower case, character by character, as DuckDB's `lower` does.

    `str.lower` differs for two characters: it writes one as two, and the other by its place in the word.
    """
    return text.replace("İ", "i").replace("Σ", "σ").lower()
