"""Compare a text with an operand. The caller decides whether case counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

__all__ = ["AllOf", "TextKind", "TextPredicate", "TextTest", "compare"]

TextKind = Literal["equals", "starts with", "ends with", "contains", "base name", "less than", "more than"]
"""How a text is compared. base name: what follows its last backslash equals the operand. less than, more than: in the
order of Unicode code points."""

TextPredicate = Callable[[str], bool]
"""Any other test of a text."""


class TextTest(NamedTuple):
    """Hold one comparison of a text with an operand."""

    kind: TextKind
    operand: str


class AllOf(NamedTuple):
    """Hold comparisons of one text that must all hold."""

    tests: tuple[TextTest, ...]


_COMPARE: Mapping[TextKind, Callable[[str, str], bool]] = {
    "equals": lambda text, operand: text == operand,
    "starts with": lambda text, operand: text.startswith(operand),
    "ends with": lambda text, operand: text.endswith(operand),
    "contains": lambda text, operand: operand in text,
    "base name": lambda text, operand: text.rpartition("\\")[2] == operand,
    "less than": lambda text, operand: text < operand,
    "more than": lambda text, operand: text > operand,
}


def compare(kind: TextKind, text: str, operand: str) -> bool:
    """Return whether a text compares with an operand as the kind says. Case counts: fold both where it must not."""
    return _COMPARE[kind](text, operand)
