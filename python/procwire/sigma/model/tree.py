"""The tree of a Sigma rule's tests: tests of single columns, combined by and, or, and not.

SQL (`sigma.sql`), the matcher of batches (`sigma.matching`) and explanations are built from it. Logic has two values: a
test of a column without a value does not match, so `not` of it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Literal

__all__ = [
    "All",
    "Any",
    "Compared",
    "Equal",
    "InNetwork",
    "Leaf",
    "Like",
    "Missing",
    "Node",
    "Not",
    "Operator",
    "Part",
    "Regex",
    "SameAs",
    "Test",
    "TimeIs",
    "TimeUnit",
    "Wildcard",
    "all_of",
    "any_of",
    "leaves",
]

Operator = Literal["<", "<=", ">", ">="]
TimeUnit = Literal["minute", "hour", "day", "week", "month", "year"]


class Wildcard(Enum):
    """Name a pattern's wildcards: any text, or any one character."""

    ANY = "*"
    ONE = "?"


Part = str | Wildcard


@dataclass(frozen=True, slots=True)
class Missing:
    """Test that the column has no value: Sysmon's `-`, empty and absent alike."""


@dataclass(frozen=True, slots=True)
class Equal:
    """Test that the column has this value; a text without regard to case unless `cased`."""

    value: str | int | bool
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """Test that the entire text matches the pattern, without regard to case unless `cased`."""

    parts: tuple[Part, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """Test that the regular expression, in RE2's syntax, matches somewhere in the text. flags: of `ims`."""

    pattern: str
    flags: str = ""

    @property
    def whole(self) -> str:
        """Return the expression with its flags."""
        return f"(?{self.flags}){self.pattern}" if self.flags else self.pattern


@dataclass(frozen=True, slots=True)
class Compared:
    """Test that the number is less or greater than another."""

    operator: Operator
    number: int | float


@dataclass(frozen=True, slots=True)
class InNetwork:
    """Test that the address, as 16 bytes, lies in a network, such as 10.0.0.0/8, or is one address."""

    network: str


@dataclass(frozen=True, slots=True)
class TimeIs:
    """Test that a part of the time, in UTC, is this number; weeks are those of ISO 8601."""

    unit: TimeUnit
    number: int


@dataclass(frozen=True, slots=True)
class SameAs:
    """Test that the column equals, begins with, ends with or contains another; texts without regard to case."""

    column: str
    starts: bool = False
    ends: bool = False


Test = Missing | Equal | Like | Regex | Compared | InNetwork | TimeIs | SameAs


@dataclass(frozen=True, slots=True)
class Leaf:
    """Hold a test of a column, and the name of the field; an empty name means the rule's log source."""

    field: str
    column: str
    test: Test

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return (self.column, self.test.column) if isinstance(self.test, SameAs) else (self.column,)


@dataclass(frozen=True, slots=True)
class All:
    """Test that every operand matches."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Test that at least one operand matches; without operands it never does."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Test that the operand does not match."""

    operand: Node


Node = Leaf | All | Any | Not


def all_of(nodes: Iterable[Node]) -> Node:
    """Return a node that matches if all nodes match; nested nodes of this kind are merged."""
    flat = [one for node in nodes for one in (node.operands if isinstance(node, All) else (node,))]
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(nodes: Iterable[Node]) -> Node:
    """Return a node that matches if any node matches; nested nodes of this kind are merged."""
    flat = [one for node in nodes for one in (node.operands if isinstance(node, Any) else (node,))]
    return flat[0] if len(flat) == 1 else Any(tuple(flat))


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every test in the tree, in order."""
    match node:
        case Leaf():
            yield node
        case Not(operand):
            yield from leaves(operand)
        case All(operands) | Any(operands):
            for operand in operands:
                yield from leaves(operand)
