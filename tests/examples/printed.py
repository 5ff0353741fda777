"""The commands and programs that README.md and docs/ print, as they are printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from machine import ROOT

__all__ = ["DOCUMENTS", "Printed", "loose_commands", "printed"]

DOCUMENTS = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# An incomplete line, which continues in the next.
_GOES_ON = re.compile(r"(\\|\|)$")
_COMMAND = re.compile(r"^(?:sudo|pip|procwire) .*$", re.MULTILINE)
_INDENTED = re.compile(r"^ {4}(?:sudo|pip|procwire) .*$", re.MULTILINE)
_ENDS = ("--for", "--count", "--status")


@dataclass(frozen=True, slots=True)
class Printed:
    """A command, or a program of Python."""

    language: str
    text: str

    @property
    def is_endless(self) -> bool:
        """Return whether it runs until Ctrl-C."""
        words = self.text.split()
        return "--follow" in words or ("record" in words and not any(end in words for end in _ENDS))


def printed(document: str) -> Iterator[Printed]:
    """Yield the commands of each block that is marked `sh`, and each block marked `python` as one program."""
    for language, block in _FENCE.findall((ROOT / document).read_text(encoding="utf-8")):
        if language == "python":
            yield Printed(language, block)
        elif language == "sh":
            yield from _commands(block)


def loose_commands(document: str) -> list[str]:
    """List the lines that print a command in a block that is not marked `sh`, where nothing would run them."""
    text = (ROOT / document).read_text(encoding="utf-8")
    fenced = "".join(block for language, block in _FENCE.findall(text) if language != "sh")
    return _COMMAND.findall(fenced) + _INDENTED.findall(_FENCE.sub("", text))


def _commands(block: str) -> Iterator[Printed]:
    pending = ""
    for line in block.splitlines():
        pending += line
        if _GOES_ON.search(line):
            pending += "\n"
        elif pending.strip():
            yield Printed("sh", pending)
            pending = ""
