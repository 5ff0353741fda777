"""The tests of one column, in plain Python: all that a value fulfils, by their numbers."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from procwire.query.functions import network_ends
from procwire.rules.answers import NO_HITS, Answers, Hits
from procwire.rules.conditions import fold
from procwire.rules.forms import long_ipv6
from procwire.rules.model import Filter, Place
from procwire.sigma.fields import ADDRESS_BYTES
from procwire.sigma.tree import (
    Compared,
    Equal,
    InNetwork,
    Like,
    Missing,
    Part,
    Regex,
    SameAs,
    Test,
    TimeIs,
    TimeUnit,
    Wildcard,
)

__all__ = ["ColumnTests", "text_of"]

_Predicate = Callable[[Any], bool]
_Asked = tuple[Test, int]
"""A test and its number."""

_NOWHERE = Place(0, 0)
_MAPPED = network_ends("::ffff:0:0/96")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_UNITS: Mapping[TimeUnit, Callable[[datetime], int]] = {
    "minute": lambda time: time.minute,
    "hour": lambda time: time.hour,
    "day": lambda time: time.day,
    "week": lambda time: time.isocalendar().week,
    "month": lambda time: time.month,
    "year": lambda time: time.year,
}


class ColumnTests:
    """Called with a column's value, gives the numbers of the tests that it fulfils.

    column: its name, which tells what kind of value it is. asked: the tests, each with its number.
    """

    def __init__(self, column: str, asked: Sequence[_Asked]) -> None:
        self._missing = frozenset(number for test, number in asked if isinstance(test, Missing))
        self._values = [(_of_value(test), number) for test, number in asked if isinstance(test, _VALUE_TESTS)]
        texts = [(test, number) for test, number in asked if isinstance(test, Like | Regex | Equal)]
        self._texts = _TextTests(texts) if texts else None
        colons = [one for one in texts if _has_colon(one[0])] if column in ADDRESS_BYTES else []
        self._long_texts = _TextTests(colons) if colons else None

    def __call__(self, value: Any) -> Hits:
        """The tests that a value fulfils; of two columns that are compared, the values of both."""
        if value is None:
            return self._missing
        hits = frozenset(number for predicate, number in self._values if predicate(value)) or NO_HITS
        if self._texts is not None:
            text = text_of(value)
            hits |= self._texts(text)
            if self._long_texts is not None and ":" in text:
                hits |= self._long_texts(long_ipv6(text))
        return hits


class _TextTests:
    """The same for texts. Whole texts, beginnings and ends are looked up, in lower case."""

    def __init__(self, asked: Sequence[_Asked]) -> None:
        plain: list[tuple[Filter, int]] = []
        self._others: list[tuple[_Predicate, int]] = []
        for test, number in asked:
            condition = _condition(test)
            if condition is None:
                self._others.append((_of_text(test), number))
            else:
                plain.append((Filter("", condition[0], condition[1], "", _NOWHERE), number))
        self._plain = Answers(plain)

    def __call__(self, text: str) -> Hits:
        others = [number for predicate, number in self._others if predicate(text)]
        return self._plain(fold(text)).union(others)


def text_of(value: object) -> str:
    """A value as text, as SQL casts it; times to the millisecond."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    return str(value)


def _condition(test: Test) -> tuple[str, str] | None:
    """The test as one of Sysmon's conditions, where it is one."""
    match test:
        case Equal(value, False):
            return "is", text_of(value)
        case Like((str() as text, Wildcard.ANY), False):
            return "begin with", text
        case Like((Wildcard.ANY, str() as text), False):
            return "end with", text
        case Like((Wildcard.ANY, str() as text, Wildcard.ANY), False):
            return "contains", text
    return None


def _of_text(test: Test) -> _Predicate:
    match test:
        case Equal(value, _):
            return lambda text: text == value
        case Like(parts, cased):
            matches = re.compile(_glob(parts if cased else tuple(map(_folded, parts))), re.DOTALL).fullmatch
            return (lambda text: matches(text) is not None) if cased else (lambda text: matches(fold(text)) is not None)
        case Regex():
            regex = test.whole
            # RE2, as DuckDB has it; Python's own expressions mean something else in places.
            return lambda text: bool(pc.match_substring_regex(pa.array([text]), regex)[0].as_py())
    raise AssertionError(test)


def _folded(part: Part) -> Part:
    return fold(part) if isinstance(part, str) else part


def _has_colon(test: Test) -> bool:
    match test:
        case Like(parts, _):
            return any(isinstance(part, str) and ":" in part for part in parts)
        case Regex(pattern, _):
            return ":" in pattern
    return False


def _glob(parts: Sequence[Part]) -> str:
    """A regular expression for the whole text, whose time does not explode: what follows a `*` is taken at the first
    place where it stands, save for the last."""
    pieces: list[list[str]] = [[]]
    for part in parts:
        if part is Wildcard.ANY:
            pieces.append([])
        else:
            pieces[-1].append("." if isinstance(part, Wildcard) else re.escape(part))
    first, *rest = ("".join(piece) for piece in pieces)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _of_value(test: Test) -> _Predicate:
    match test:
        case Compared(name, number):
            compare = _OPERATORS[name]
            return lambda value: compare(value, number)
        case InNetwork(network):
            first, last = network_ends(network)
            if first < _MAPPED[0] and last >= _MAPPED[0]:
                return lambda value: first <= value <= last and not _MAPPED[0] <= value <= _MAPPED[1]
            return lambda value: first <= value <= last
        case TimeIs(unit, number):
            part = _UNITS[unit]
            return lambda value: part(value.astimezone(UTC)) == number
        case SameAs(_, starts, ends):
            return lambda pair: _same(pair[0], pair[1], starts, ends)
    raise AssertionError(test)


_VALUE_TESTS = (Compared, InNetwork, TimeIs, SameAs)


def _same(left: object, right: object, starts: bool, ends: bool) -> bool:
    if left is None or right is None:
        return False
    if not isinstance(left, str) or not isinstance(right, str):
        return left == right
    one, other = fold(left), fold(right)
    if starts and ends:
        return other in one
    return one.startswith(other) if starts else one.endswith(other) if ends else one == other
