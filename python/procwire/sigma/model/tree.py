"""What a Sigma rule asks of an event: tests of single columns, put together by and, or, and not.

This tree gives SQL (`sigma.sql`), what decides about batches (`sigma.matching`), and what is shown. Logic has two
values: a test of a column without a value does not match, so `not` of it does.
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
    """What stands in a pattern for any text, or for any one character."""

    ANY = "*"
    ONE = "?"


Part = str | Wildcard


@dataclass(frozen=True, slots=True)
class Missing:
    """The column has no value: Sysmon's `-`, empty and absent alike."""


@dataclass(frozen=True, slots=True)
class Equal:
    """The column has this value; a text without regard to case unless `cased`."""

    value: str | int | bool
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """The whole text is as the pattern, without regard to case unless `cased`."""

    parts: tuple[Part, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """The regular expression, in RE2's syntax, matches somewhere in the text. flags: of `ims`."""

    pattern: str
    flags: str = ""

    @property
    def whole(self) -> str:
        """The expression with its flags."""
        return f"(?{self.flags}){self.pattern}" if self.flags else self.pattern


@dataclass(frozen=True, slots=True)
class Compared:
    """The number is on one side of another."""

    operator: Operator
    number: int | float


@dataclass(frozen=True, slots=True)
class InNetwork:
    """The address, as 16 bytes, lies in a network, such as 10.0.0.0/8, or is one address."""

    network: str


@dataclass(frozen=True, slots=True)
class TimeIs:
    """A part of the time, in UTC, is this number; weeks are those of ISO 8601."""

    unit: TimeUnit
    number: int


@dataclass(frozen=True, slots=True)
class SameAs:
    """The column has another's value, or begins or ends with it, or contains it; texts without regard to case."""

    column: str
    starts: bool = False
    ends: bool = False


Test = Missing | Equal | Like | Regex | Compared | InNetwork | TimeIs | SameAs


@dataclass(frozen=True, slots=True)
class Leaf:
    """A test of a column, for the field of this name; without a name it stands for the rule's log source."""

    field: str
    column: str
    test: Test

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return (self.column, self.test.column) if isinstance(self.test, SameAs) else (self.column,)


@dataclass(frozen=True, slots=True)
class All:
    """Every operand matches."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one operand matches; without operands it never does."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not match."""

    operand: Node


Node = Leaf | All | Any | Not


def all_of(nodes: Iterable[Node]) -> Node:
    """Nodes that must match together; those of the same make are put into one."""
    flat = [one for node in nodes for one in (node.operands if isinstance(node, All) else (node,))]
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(nodes: Iterable[Node]) -> Node:
    """Nodes of which one must match, likewise."""
    flat = [one for node in nodes for one in (node.operands if isinstance(node, Any) else (node,))]
    return flat[0] if len(flat) == 1 else Any(tuple(flat))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every test in the tree, in its order."""
    match node:
        case Leaf():
            yield node
        case Not(operand):
            yield from leaves(operand)
        case All(operands) | Any(operands):
            for operand in operands:
                yield from leaves(operand)
