"""Text that is safe to show: log values are other people's, and a terminal obeys control characters."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["plain", "plain_text"]

# C0 (ESC among it), DEL, C1, and what is invisible or turns the direction of writing, which could show a path
# backwards.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
_UNSAFE_PATTERN = re.compile(_UNSAFE)


def plain_text(texts: pa.StringArray) -> pa.StringArray:
    """The texts with U+FFFD for each character that a terminal would obey."""
    return pc.replace_substring_regex(texts, _UNSAFE, "\ufffd")


def plain(text: str) -> str:
    """`plain_text` of one text, which may have lines."""
    return "\n".join(_UNSAFE_PATTERN.sub("\ufffd", line) for line in text.split("\n"))
