"""Share reasons between fields of several kinds. Reasons: see `fields`."""

from __future__ import annotations

from procwire.sysmon.atoms import Atom

__all__ = ["Reason", "list_hint", "spaces", "without_wildcards"]

Reason = str | None
"""Why a comparison is never true, and what to write instead; None where it may be true."""


def spaces(field: str, atom: Atom) -> Reason:
    """Find white space where a field that neither begins nor ends with it would have to have it."""
    if not atom.text:
        return None
    inner = atom.text.strip()
    leads = atom.text[0].isspace() and atom.kind in ("is", "image", "begin with")
    trails = atom.text[-1].isspace() and atom.kind in ("is", "image", "end with")
    if not leads and not trails:
        return None
    if not inner:
        return f"{field} neither begins nor ends with white space"
    place = "around" if leads and trails else "before" if leads else "after"
    return f"the white space {place} it counts, and {field} has none there; write '{inner}'"


def without_wildcards(text: str) -> str:
    """Return the condition, with its value, that says what `*` was to say."""
    parts = [part for part in text.split("*") if part]
    if len(parts) != 1:
        return f"contains all '{';'.join(parts)}'" if parts else "no filter at all"
    if text.endswith("*"):
        return f"{'contains' if text.startswith('*') else 'begin with'} '{parts[0]}'"
    return f"end with '{parts[0]}'"


def list_hint(atom: Atom) -> str:
    """Return what to write for several values in one that is compared as one text."""
    for mark in ";,":
        if mark in atom.text and atom.kind == "is":
            return f"; for a list write is any '{atom.text.replace(mark, ';')}'"
    return ""
