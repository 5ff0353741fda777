"""Text that is safe to show: names, rules and log values are untrusted, and terminals execute some characters."""

from __future__ import annotations

import re

__all__ = ["UNSAFE", "UNSAFE_PATTERN", "plain", "plain_line"]

UNSAFE = (
    "\x00-\x1f\x7f-\x9f"  # C0 (ESC among it), DEL, C1
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # characters that show as nothing, or as a blank
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # and what turns the direction of writing
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # the same beyond 16 bits, tags among it
)
"""The content of a regular expression's character class: characters that no terminal receives."""
UNSAFE_PATTERN = re.compile(f"[{UNSAFE}\ud800-\udfff]")
"""Matches UNSAFE characters and lone surrogates, as which Python holds bytes of a file's name that are not UTF-8."""


def plain(text: str) -> str:
    """Return the text with U+FFFD for each character that a terminal would execute or hide; newlines stay."""
    return "\n".join(map(plain_line, text.split("\n")))


def plain_line(text: str) -> str:
    """Return the text with U+FFFD for each character that a terminal would execute or hide, and for newlines."""
    return UNSAFE_PATTERN.sub("\ufffd", text)
