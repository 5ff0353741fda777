"""What many filters of one field answer to a text, as bits, without asking them one by one.

Equal texts, beginnings and ends are looked up; only substrings are searched for. `conditions.matches` is the plain
form that tests hold this to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from procwire.rules.conditions import Predicate, fold, predicate
from procwire.rules.model import Filter

__all__ = ["Answers"]

_Table = dict[str, int]
_OPPOSITES: Mapping[str, str] = {
    "is not": "is",
    "excludes": "contains",
    "excludes any": "contains any",
    "excludes all": "contains all",
    "not begin with": "begin with",
    "not end with": "end with",
}


class Answers:
    """Called with a text in lower case, gives the bits of the filters that it fulfils.

    filters: with the bit of each.
    """

    def __init__(self, filters: Sequence[tuple[Filter, int]]) -> None:
        self._whole: _Table = defaultdict(int)
        self._base_names: _Table = defaultdict(int)
        self._beginnings: dict[int, _Table] = defaultdict(lambda: defaultdict(int))
        self._ends: dict[int, _Table] = defaultdict(lambda: defaultdict(int))
        self._substrings: _Table = defaultdict(int)
        self._others: list[tuple[Predicate, int]] = []
        self._opposite = 0
        for filter_, bit in filters:
            condition = _OPPOSITES.get(filter_.condition, filter_.condition)
            if condition != filter_.condition:
                self._opposite |= bit
            self._add(condition, fold(filter_.value), bit)

    def _add(self, condition: str, value: str, bit: int) -> None:
        if condition == "is" or (condition == "image" and "\\" in value):
            self._whole[value] |= bit
        elif condition == "is any":
            for token in set(value.split(";")):
                self._whole[token] |= bit
        elif condition == "image":
            self._base_names[value] |= bit
        # What is empty begins every text; the last 0 characters of a text cannot be told from all of it.
        elif condition == "begin with" or (condition == "end with" and not value):
            self._beginnings[len(value)][value] |= bit
        elif condition == "end with":
            self._ends[len(value)][value] |= bit
        elif condition == "contains":
            self._substrings[value] |= bit
        else:
            self._others.append((predicate(condition, value), bit))

    def __call__(self, text: str) -> int:
        """The bits of the filters that the text fulfils."""
        answers = self._whole.get(text, 0)
        if self._base_names:
            answers |= self._base_names.get(text.rpartition("\\")[2], 0)
        for length, table in self._beginnings.items():
            answers |= table.get(text[:length], 0)
        for length, table in self._ends.items():
            answers |= table.get(text[-length:], 0)
        for substring, bits in self._substrings.items():
            if substring in text:
                answers |= bits
        for test, bit in self._others:
            if test(text):
                answers |= bit
        return answers ^ self._opposite
