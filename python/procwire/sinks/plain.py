"""Make columns and streams of text safe to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.plain import UNSAFE, UNSAFE_PATTERN, plain, plain_line

__all__ = ["escaped_json", "escaped_xml", "plain", "plain_line", "plain_text", "shown"]


def plain_text(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts with U+FFFD for each character that a terminal would obey or hide, ends of lines too."""
    return pc.replace_substring_regex(texts, f"[{UNSAFE}]", "\ufffd")


def escaped_json(unsafe: re.Match[str]) -> str:
    """Return a character as JSON's texts escape it."""
    units = unsafe[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def escaped_xml(unsafe: re.Match[str]) -> str:
    """Return a character as a reference of XML's."""
    return f"&#x{ord(unsafe[0]):x};"


class _Shown:
    """Write to a terminal text of a format that can escape."""

    def __init__(self, stream: BinaryIO, escape: Callable[[re.Match[str]], str]) -> None:
        self._stream = stream
        self._escape = escape

    def write(self, data: bytes | pa.Buffer) -> int:
        lines = bytes(memoryview(data)).decode().split("\n")
        return self._stream.write("\n".join(UNSAFE_PATTERN.sub(self._escape, line) for line in lines).encode())


def shown(stream: BinaryIO, escape: Callable[[re.Match[str]], str]) -> BinaryIO:
    """Return a stream to a terminal that escapes what it would obey or hide, so that the data stay the same.

    Each write is of whole characters; `write` is its only method.
    """
    return cast(BinaryIO, _Shown(stream, escape))
