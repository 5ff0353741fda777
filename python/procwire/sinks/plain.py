"""Text that is safe to show: log values are other people's, and a terminal obeys control characters."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["plain_text"]

# C0 (ESC among it), DEL, C1, and what turns the direction of writing, which could show a path backwards.
_UNSAFE = "[\\x00-\\x1f\\x7f-\\x{9f}\\x{61c}\\x{200b}-\\x{200f}\\x{2028}-\\x{202e}\\x{2060}-\\x{2069}\\x{feff}]"


def plain_text(texts: pa.StringArray) -> pa.StringArray:
    """The texts with U+FFFD for each character that a terminal would obey."""
    return pc.replace_substring_regex(texts, _UNSAFE, "\ufffd")
