"""What many filters of one field answer to a text, without asking them one by one.

Equal texts, beginnings and ends are looked up; only substrings are searched for. `conditions.matches` is the plain
form that tests hold this to.

Filters are numbered. The answer to a text is its hits: the numbers of the filters whose condition holds, and for a
negative one (`is not`) its opposite (`is`). Most texts hit few filters of many, so that hits are small, and memory
grows with the filters, not with their square.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from procwire.rules.conditions import OPPOSITES, Predicate, fold, predicate
from procwire.rules.model import Filter

__all__ = ["NO_HITS", "Answers", "Hits"]

Hits = frozenset[int]
"""Numbers of filters, or of other tests."""
NO_HITS: Hits = frozenset()
_Table = dict[str, list[int]]


class Answers:
    """Called with a text in lower case, gives its hits.

    filters: with the number of each.
    """

    def __init__(self, filters: Sequence[tuple[Filter, int]]) -> None:
        self._whole: _Table = defaultdict(list)
        self._base_names: _Table = defaultdict(list)
        self._beginnings: dict[int, _Table] = defaultdict(lambda: defaultdict(list))
        self._ends: dict[int, _Table] = defaultdict(lambda: defaultdict(list))
        self._substrings: _Table = defaultdict(list)
        self._others: list[tuple[Predicate, int]] = []
        for filter_, number in filters:
            self._add(OPPOSITES.get(filter_.condition, filter_.condition), fold(filter_.value), number)

    def _add(self, condition: str, value: str, number: int) -> None:
        if condition == "is" or (condition == "image" and "\\" in value):
            self._whole[value].append(number)
        elif condition == "is any":
            for token in set(value.split(";")):
                self._whole[token].append(number)
        elif condition == "image":
            self._base_names[value].append(number)
        # What is empty begins every text; the last 0 characters of a text cannot be told from all of it.
        elif condition == "begin with" or (condition == "end with" and not value):
            self._beginnings[len(value)][value].append(number)
        elif condition == "end with":
            self._ends[len(value)][value].append(number)
        elif condition == "contains":
            self._substrings[value].append(number)
        else:
            self._others.append((predicate(condition, value), number))

    def __call__(self, text: str) -> Hits:
        """The hits of a text."""
        hits = list(self._whole.get(text, ()))
        if self._base_names:
            hits += self._base_names.get(text.rpartition("\\")[2], ())
        for length, table in self._beginnings.items():
            hits += table.get(text[:length], ())
        for length, table in self._ends.items():
            hits += table.get(text[-length:], ())
        for substring, numbers in self._substrings.items():
            if substring in text:
                hits += numbers
        hits += [number for test, number in self._others if test(text)]
        return frozenset(hits) if hits else NO_HITS
