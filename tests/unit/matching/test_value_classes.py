"""Values that fulfil the same tests become one class."""

from __future__ import annotations

import pyarrow as pa
import pytest

from procwire.matching import value_classes
from procwire.matching.value_classes import ValueClasses


def test_values_of_one_answer_are_one_class() -> None:
    """Null is a value like any other; each distinct value is asked about once, in whatever batch it comes."""
    asked: list[object] = []

    def is_even(value: int | None) -> bool | None:
        asked.append(value)
        return None if value is None else value % 2 == 0

    classes: ValueClasses[bool | None] = ValueClasses(is_even)
    for values in ([1, 2, 3, None, 2], [4, 1, None], []):
        numbers, count = classes.of(pa.array(values, pa.int64()))
        found = [classes.answers[number] for number in numbers.to_pylist()]
        assert found == [None if value is None else value % 2 == 0 for value in values]
        assert count == 3
    assert asked == [1, 2, 3, None, 4]
    assert classes.examples == [1, 2, None]


@pytest.mark.parametrize("null_encoding", ["mask", "encode"])
def test_dictionaries_are_as_their_values(null_encoding: str) -> None:
    """However they write null."""
    column = pa.array(["a", None, "b", "a"]).dictionary_encode(null_encoding)
    classes: ValueClasses[object] = ValueClasses(lambda value: value)
    numbers, _ = classes.of(column)
    assert [classes.answers[number] for number in numbers.to_pylist()] == ["a", None, "b", "a"]


def test_several_columns_give_tuples() -> None:
    left, right = pa.array([1, 1, None, 1]), pa.array(["a", "b", None, "a"])
    classes: ValueClasses[object] = ValueClasses(lambda pair: pair)
    numbers, count = classes.of(left, right)
    assert [classes.answers[number] for number in numbers.to_pylist()] == [(1, "a"), (1, "b"), (None, None), (1, "a")]
    assert count == 3


def test_memory_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording does not end: what is remembered of a column's values must."""
    monkeypatch.setattr(value_classes, "_KNOWN_VALUES", 100)
    classes: ValueClasses[bool] = ValueClasses(lambda value: "7" in str(value))
    for start in range(0, 3000, 30):
        numbers, count = classes.of(pa.array(range(start, start + 30)))
        found = [classes.answers[number] for number in numbers.to_pylist()]
        assert found == ["7" in str(start + n) for n in range(30)]
        assert count <= 2
    assert len(classes._known) + len(classes._older) <= 2 * 130
