"""Run the tests of one column in plain Python: find all that a value fulfils, by their numbers."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from procwire.matching.folding import fold
from procwire.matching.hits import NO_HITS, Hits
from procwire.matching.rendering import long_ipv6, text_of
from procwire.matching.text_index import TextIndex
from procwire.matching.text_tests import TextPredicate, TextTest
from procwire.query.functions import network_ends
from procwire.sigma.model.fields import ADDRESS_BYTES
from procwire.sigma.model.tree import (
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

__all__ = ["ColumnTests"]

_Predicate = Callable[[Any], bool]
_Asked = tuple[Test, int]
"""A test and its number."""

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
    """Find the numbers of the tests that a column's value fulfils, when called with it.

    column: its name, which determines the kind of value. asked: the tests with their numbers.
    """

    def __init__(self, column: str, asked: Sequence[_Asked]) -> None:
        self._missing = frozenset(number for test, number in asked if isinstance(test, Missing))
        self._values = [(_of_value(test), number) for test, number in asked if isinstance(test, _VALUE_TESTS)]
        texts = [(test, number) for test, number in asked if isinstance(test, Like | Regex | Equal)]
        self._texts = _TextTests(texts) if texts else None
        colons = [one for one in texts if _has_colon(one[0])] if column in ADDRESS_BYTES else []
        self._long_texts = _TextTests(colons) if colons else None

    def __call__(self, value: Any) -> Hits:
        """Return the tests that a value fulfils. value: for tests that compare two columns, a tuple of both values."""
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
    """Find the numbers of the tests that a text fulfils, when called with it."""

    def __init__(self, asked: Sequence[_Asked]) -> None:
        cased = [(_text_test(test), number) for test, number in asked if _is_cased(test)]
        folded = [(_text_test(test), number) for test, number in asked if not _is_cased(test)]
        self._indexes = [*([TextIndex(folded)] if folded else []), *([TextIndex(cased, cased=True)] if cased else [])]

    def __call__(self, text: str) -> Hits:
        return NO_HITS.union(*(index(text) for index in self._indexes))


def _is_cased(test: Test) -> bool:
    return isinstance(test, Regex) or (isinstance(test, Equal | Like) and test.cased)


def _text_test(test: Test) -> TextTest | TextPredicate:
    match test:
        case Equal(value):
            return TextTest("equals", text_of(value))
        case Like((str() as text, Wildcard.ANY)):
            return TextTest("starts with", text)
        case Like((Wildcard.ANY, str() as text)):
            return TextTest("ends with", text)
        case Like((Wildcard.ANY, str() as text, Wildcard.ANY)):
            return TextTest("contains", text)
        case Like(parts, cased):
            matches = re.compile(_glob(parts if cased else tuple(map(_folded, parts))), re.DOTALL).fullmatch
            return lambda text: matches(text) is not None
        case Regex():
            regex = test.whole
            # Use RE2, like DuckDB; Python's own expressions differ in places.
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
    """Return a regular expression for the entire text that does not take exponential time.

    Each part after a `*` is matched where it first occurs, except the last part.
    """
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
