"""Run many tests on a text at once, without running them one by one.

Equal texts, starts, ends and base names are looked up; only substrings are searched for. Memory grows with the tests,
not with their square.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from procwire.matching.folding import fold
from procwire.matching.hits import NO_HITS, Hits
from procwire.matching.text_tests import AllOf, TextPredicate, TextTest, compare

__all__ = ["TextIndex"]

_Table = dict[str, list[int]]


class TextIndex:
    """Find the numbers of the tests that a text fulfils, when called with it.

    tests: tests with their numbers; tests that share a number are alternatives.
    cased: compare with regard to case; otherwise operands and texts are folded, and predicates get the folded text.
    """

    def __init__(self, tests: Iterable[tuple[TextTest | AllOf | TextPredicate, int]], *, cased: bool = False) -> None:
        self._cased = cased
        self._equal: _Table = defaultdict(list)
        self._base_names: _Table = defaultdict(list)
        self._starts: dict[int, _Table] = defaultdict(lambda: defaultdict(list))
        self._ends: dict[int, _Table] = defaultdict(lambda: defaultdict(list))
        self._substrings: _Table = defaultdict(list)
        self._predicates: list[tuple[TextPredicate, int]] = []
        for test, number in tests:
            match test:
                case TextTest():
                    self._add(self._comparable(test), number)
                case AllOf(parts):
                    self._predicates.append((_all(tuple(map(self._comparable, parts))), number))
                case _:
                    self._predicates.append((test, number))

    def __call__(self, text: str) -> Hits:
        """Return the numbers of the tests that a text fulfils."""
        if not self._cased:
            text = fold(text)
        hits = list(self._equal.get(text, ()))
        if self._base_names:
            hits += self._base_names.get(text.rpartition("\\")[2], ())
        for length, table in self._starts.items():
            hits += table.get(text[:length], ())
        for length, table in self._ends.items():
            hits += table.get(text[-length:], ())
        for substring, numbers in self._substrings.items():
            if substring in text:
                hits += numbers
        hits += [number for predicate, number in self._predicates if predicate(text)]
        return frozenset(hits) if hits else NO_HITS

    def _comparable(self, test: TextTest) -> TextTest:
        return test if self._cased else TextTest(test.kind, fold(test.operand))

    def _add(self, test: TextTest, number: int) -> None:
        kind, operand = test
        match kind:
            case "equals":
                self._equal[operand].append(number)
            case "base name":
                self._base_names[operand].append(number)
            case "starts with":
                self._starts[len(operand)][operand].append(number)
            case "ends with" if operand:
                self._ends[len(operand)][operand].append(number)
            case "contains":
                self._substrings[operand].append(number)
            case "ends with":
                # The last 0 characters of a text are not what text[-0:] gives; the first 0 are the same.
                self._starts[0][""].append(number)
            case _:
                self._predicates.append((_all((test,)), number))


def _all(tests: tuple[TextTest, ...]) -> TextPredicate:
    return lambda text: all(compare(kind, text, operand) for kind, operand in tests)
