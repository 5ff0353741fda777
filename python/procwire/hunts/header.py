"""The header of a hunt's file: comments that describe the hunt, its parameters and its columns.

::

    -- One line: the title
    --
    -- What it finds, and how to read it.
    --
    -- Parameters:
    --   hours  integer = 24      Meaning, which may continue
    --                            in lines with deeper indentation
    --   name   text              Without a default: required
    --
    -- Columns:
    --   score  number            Meaning

At least two spaces separate a declaration from its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from procwire.errors import UsageError
from procwire.hunts.values import KINDS, Value, value_of

__all__ = ["COLUMN_TYPES", "Column", "Header", "Parameter", "parse"]

# By name, because pyarrow takes long to import, and a list of hunts needs no types.
COLUMN_TYPES: dict[str, tuple[str, ...]] = {
    "integer": ("int64",),
    "number": ("float64",),
    "text": ("string",),
    "boolean": ("bool_",),
    "time": ("timestamp", "us", "UTC"),
}
"""Names of columns' types, and the pyarrow function that creates each, with its arguments."""

_ENTRY = re.compile(r"  (?P<name>[a-z_][a-z0-9_]*) +(?P<type>[a-z]+)(?P<default> = .*?)?(?:  +(?P<meaning>.*))?")
# The expression above takes time quadratic in the number of a line's spaces.
_LONGEST_LINE = 1_000
_CONTINUED = re.compile(r" {3,}\S")


@dataclass(frozen=True, slots=True)
class Parameter:
    """Describe a parameter of a hunt."""

    name: str
    type: str
    """Its type, one of `values.KINDS`."""
    default: Value
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Column:
    """Describe a column of a hunt's result."""

    name: str
    type: str
    """Its type, one of `COLUMN_TYPES`."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Header:
    """Hold the header of a hunt's file."""

    title: str
    description: str
    """Paragraphs, separated by blank lines."""
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]


def parse(text: str, path: str) -> Header:
    """Parse the header of a hunt's file. path: for messages.

    Raises UsageError, with the line, for a header that does not have the form above.
    """
    lines = [
        line[2:].removeprefix(" ").rstrip() for line in takewhile(lambda line: line[:2] == "--", text.splitlines())
    ]
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE:
            text = f"found {len(line):,} characters in a line of the header, expected {_LONGEST_LINE:,} at most"
            raise UsageError(f"{path}:{number}: {text}")
    if not lines or not lines[0]:
        raise UsageError(f"{path}:1: found no comment, expected `-- TITLE` and a header as docs/hunts.md says")
    description = list(takewhile(lambda line: line not in ("Parameters:", "Columns:"), lines[1:]))
    parameters = tuple(_parameter(*found) for found in _entries(lines, "Parameters:", path))
    columns = tuple(_column(*found) for found in _entries(lines, "Columns:", path))
    if not columns:
        raise UsageError(f"{path}: found no `-- Columns:` in its header, expected the columns of its result")
    return Header(lines[0], "\n".join(description).strip(), parameters, columns)


def _entries(lines: Sequence[str], section: str, path: str) -> Iterator[tuple[str, re.Match[str], str]]:
    """Yield place, declaration and meaning of each entry in a section."""
    start = lines.index(section) + 1 if section in lines else len(lines)
    found: list[tuple[str, re.Match[str], str]] = []
    for number, line in enumerate(lines[start:], start + 1):
        place = f"{path}:{number}"
        if not line:
            break
        if (match := _ENTRY.fullmatch(line)) is not None:
            found.append((place, match, match["meaning"] or ""))
        elif found and _CONTINUED.match(line):
            found[-1] = (*found[-1][:2], f"{found[-1][2]} {line.strip()}")
        else:
            raise UsageError(f"{place}: found {line.strip()!r}, expected `--   NAME TYPE [= DEFAULT]  MEANING`")
    yield from found


def _parameter(place: str, match: re.Match[str], meaning: str) -> Parameter:
    name, kind, default = match["name"], match["type"], match["default"]
    if kind not in KINDS:
        raise UsageError(f"{place}: found type {kind!r}, expected one of {', '.join(KINDS)}")
    text = (default or "").removeprefix(" = ")
    value = None if text in ("", "null") else value_of(kind, text, f"{place}: {name}")
    return Parameter(name, kind, value, default is None, meaning)


def _column(place: str, match: re.Match[str], meaning: str) -> Column:
    if match["type"] not in COLUMN_TYPES or match["default"]:
        raise UsageError(f"{place}: found type {match['type']!r}, expected one of {', '.join(COLUMN_TYPES)}")
    return Column(match["name"], match["type"], meaning)
