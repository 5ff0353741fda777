"""Put the values of a column into classes of values that fulfil the same tests."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ValueClasses"]

# The most cached values, in each of two generations.
_KNOWN_VALUES = 1 << 17

Answer = TypeVar("Answer", bound=Hashable)


class ValueClasses(Generic[Answer]):
    """Number the classes of the values seen so far, from 0.

    ask: takes a value (None for null), or a tuple of the values of several columns, and returns the answer that
    defines the class. It runs once per distinct value, and again only for values evicted to bound memory.
    """

    def __init__(self, ask: Callable[[Any], Answer]) -> None:
        self._ask = ask
        self.answers: list[Answer] = []
        """The answer of each class."""
        self.examples: list[Any] = []
        """A value of each class."""
        self._numbers: dict[Answer, int] = {}
        self._known: dict[object, int] = {}
        self._older: dict[object, int] = {}

    def of(self, *columns: pa.Array) -> tuple[pa.Int64Array, int]:
        """Return the class of each row's value, and the number of classes. columns: at least one, of equal length."""
        distinct, indices = _distinct(columns[0]) if len(columns) == 1 else _distinct_tuples(columns)
        known = self._known
        numbers = list(map(known.get, distinct))
        if None in numbers:
            for place, number in enumerate(numbers):
                if number is None:
                    numbers[place] = self._learn(distinct[place])
            if len(known) > _KNOWN_VALUES:
                # Values that occur again move to the new generation; the others are evicted at the next turn.
                self._known, self._older = {}, known
        return pa.array(numbers, pa.int64()).take(indices), len(self.answers)

    def _learn(self, value: object) -> int:
        number = self._older.get(value)
        if number is None:
            answer = self._ask(value)
            number = self._numbers.setdefault(answer, len(self.answers))
            if number == len(self.answers):
                self.answers.append(answer)
                self.examples.append(value)
        self._known[value] = number
        return number


def _distinct(column: pa.Array) -> tuple[list[Any], pa.Array]:
    """Return the distinct values of a column, including null, and the index of each row's value."""
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode(null_encoding="encode")
    values, indices = column.dictionary.to_pylist(), column.indices
    if indices.null_count:
        indices = pc.fill_null(indices.cast(pa.int64()), len(values))
        values.append(None)
    return values, indices


def _distinct_tuples(columns: tuple[pa.Array, ...]) -> tuple[list[Any], pa.Array]:
    rows = list(zip(*(column.to_pylist() for column in columns), strict=True))
    places = {row: place for place, row in enumerate(dict.fromkeys(rows))}
    return list(places), pa.array([places[row] for row in rows], pa.int64())
