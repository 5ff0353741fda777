"""Repair XML that Sysmon refuses and that can be read in one way only: the text keeps its length, so places stay."""

from __future__ import annotations

import re
from typing import NamedTuple

from procwire.sysmon.model import Place

__all__ = ["Repair", "repaired"]

_MISPLACED = re.compile(r"\s+<\?xml\s[^>]*\?>")


class Repair(NamedTuple):
    """Hold what was found, and where; and what to write instead."""

    place: Place
    text: str


def repaired(text: str) -> tuple[str, tuple[Repair, ...]]:
    """Return a document without `--` in comments, and without a declaration that something precedes."""
    text, declaration = _without_late_declaration(text)
    text, comments = _without_dashes(text)
    return text, (*declaration, *comments)


def _without_late_declaration(text: str) -> tuple[str, list[Repair]]:
    found = _MISPLACED.match(text)
    if found is None:
        return text, []
    start = text.index("<")
    what = "a blank line" if "\n" in text[:start] else "white space"
    message = f"found {what} before <?xml, which may only begin the file; delete it"
    # White space in its place: lines count as before.
    blank = re.sub(r"[^\n]", " ", found[0])
    return blank + text[found.end() :], [Repair(_place(text, start), message)]


def _without_dashes(text: str) -> tuple[str, list[Repair]]:
    """Return the text with `==` for `--` in comments; one finding says where the first is, and how many there are."""
    pieces: list[str] = []
    first, others, done = None, 0, 0
    for start, end in _comments(text):
        body = text[start:end]
        if "--" not in body and not body.endswith("-"):
            continue
        if first is None:
            dashes = body.find("--")
            first = start + (dashes if dashes >= 0 else len(body) - 1)
        else:
            others += 1
        body = body.replace("--", "==")
        pieces += [text[done:start], f"{body[:-1]}=" if body.endswith("-") else body]
        done = end
    if first is None:
        return text, []
    more = f"; likewise {others:,} more comments" if others > 1 else "; likewise 1 more comment" if others else ""
    message = f"found '--' in a comment, where XML does not allow it; write '- -', or '=='{more}"
    return "".join([*pieces, text[done:]]), [Repair(_place(text, first), message)]


def _comments(text: str) -> list[tuple[int, int]]:
    """Return where the bodies of comments begin and end; what looks like one in CDATA is none."""
    found = []
    position = 0
    while (start := text.find("<!", position)) >= 0:
        if text.startswith("<!--", start):
            end = text.find("-->", start + 4)
            if end < 0:
                break
            found.append((start + 4, end))
            position = end + 3
        elif text.startswith("<![CDATA[", start):
            end = text.find("]]>", start)
            if end < 0:
                break
            position = end + 3
        else:
            position = start + 2
    return found


def _place(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
