"""Rules over batches: which events match, and why.

Events are many, what rules tell apart is little: each test is asked once per distinct value of its column, values that
no test tells apart become one class, and each rule decides once per combination of classes that occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from procwire.rules.answers import NO_HITS, Hits
from procwire.rules.apply import combinations
from procwire.sigma.deciding import Key, Numbers, decider, explainer
from procwire.sigma.predicates import ColumnTests
from procwire.sigma.rule import Rule
from procwire.sigma.tree import Leaf, leaves

__all__ = ["KINDS", "Found", "Matcher"]

# Values of a column, and combinations, that are remembered; and as many from before.
_KNOWN_VALUES = 1 << 17
KINDS = ("connection", "existing", "attempt")
"""The record kinds that rules are about: a close, or a loss, is told of by another row, or is no connection."""


@dataclass(frozen=True, slots=True)
class Found:
    """A rule, by its place, and the tests that made it match."""

    rule: int
    reasons: tuple[Leaf, ...]


class Matcher:
    """Tells which rules' trees match the rows of batches of `event.SCHEMA` or `event.LIVE_SCHEMA`, whose columns may
    lack, and be more."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._trees = [rule.tree for rule in rules if rule.tree is not None]
        tests: dict[Key, None] = dict.fromkeys(
            (leaf.columns, leaf.test) for tree in self._trees for leaf in leaves(tree)
        )
        self._numbers: Numbers = {key: number for number, key in enumerate(tests)}
        asked: dict[tuple[str, ...], list[Key]] = {}
        for key in tests:
            asked.setdefault(key[0], []).append(key)
        self._classes = [_Classes(columns, keys, self._numbers) for columns, keys in asked.items()]
        self._deciders = [decider(tree, self._numbers) for tree in self._trees]
        self._explainers = [explainer(tree, self._numbers) for tree in self._trees]
        self._decided: dict[tuple[int, ...], tuple[Found, ...]] = {}

    def find(self, batch: pa.RecordBatch) -> tuple[list[int], list[tuple[Found, ...]]]:
        """The rows that a rule matches, by their number in the batch, and which rules do."""
        if batch.num_rows == 0 or not self._trees:
            return [], []
        codes, found = combinations([classes.of(batch) for classes in self._classes], batch.num_rows)
        if len(self._decided) > _KNOWN_VALUES:
            self._decided.clear()
        decided = [self._decide(combination) for combination in found]
        wanted = pa.array([bool(one) for one in decided], pa.bool_()).take(codes)
        wanted = _is_event(batch, wanted)
        rows = pc.indices_nonzero(wanted)
        return rows.to_pylist(), [decided[code] for code in codes.take(rows).to_pylist()]

    def _decide(self, combination: tuple[int, ...]) -> tuple[Found, ...]:
        known = self._decided.get(combination)
        if known is None:
            hits = NO_HITS.union(
                *(classes.hits[number] for classes, number in zip(self._classes, combination, strict=True))
            )
            known = tuple(
                Found(place, tuple(self._explainers[place](hits)))
                for place, decide in enumerate(self._deciders)
                if decide(hits)
            )
            self._decided[combination] = known
        return known


def _is_event(batch: pa.RecordBatch, wanted: pa.BooleanArray) -> pa.BooleanArray:
    place = batch.schema.get_field_index("record_kind")
    if place < 0:
        return wanted
    kinds = pc.fill_null(batch.column(place), "connection")
    return pc.and_(wanted, pc.is_in(kinds, pa.array(KINDS)))


class _Classes:
    """The values of a column, put into classes of those that all tests answer alike.

    hits: the numbers of the tests that each class fulfils.
    """

    def __init__(self, columns: tuple[str, ...], keys: Sequence[Key], numbers: Numbers) -> None:
        self.hits: list[Hits] = []
        self._columns = columns
        self._ask = ColumnTests(columns[0], [(key[1], numbers[key]) for key in keys])
        self._classes: dict[Hits, int] = {}
        self._known: dict[object, int] = {}
        self._older: dict[object, int] = {}

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, int]:
        """The class of each row's value, by number, and how many classes there are."""
        distinct, indices = self._values(batch)
        numbers = list(map(self._known.get, distinct))
        for place, number in enumerate(numbers):
            if number is None:
                numbers[place] = self._learn(distinct[place])
        if len(self._known) > _KNOWN_VALUES:
            # Those that come again are taken over; the rest is forgotten the next time.
            self._known, self._older = {}, self._known
        return pa.array(numbers, pa.int64()).take(indices), len(self.hits)

    def _values(self, batch: pa.RecordBatch) -> tuple[list[object], pa.Array]:
        columns = [_column(batch, name) for name in self._columns]
        if len(columns) == 1:
            values = columns[0]
            if not isinstance(values, pa.DictionaryArray):
                values = values.dictionary_encode(null_encoding="encode")
            return values.dictionary.to_pylist(), values.indices
        pairs = list(zip(*(column.to_pylist() for column in columns), strict=True))
        places = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
        return list(places), pa.array([places[pair] for pair in pairs], pa.int64())

    def _learn(self, value: object) -> int:
        number = self._older.get(value)
        if number is None:
            hits = self._ask(value)
            number = self._classes.setdefault(hits, len(self.hits))
            if number == len(self.hits):
                self.hits.append(hits)
        self._known[value] = number
        return number


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if name == "record_kind":
        if place < 0:
            return pa.array(["connection"] * batch.num_rows)
        return pc.fill_null(batch.column(place), "connection")
    if place >= 0:
        return batch.column(place)
    if name == "dns_query_name" and {"dst_host_name", "dst_host_name_origin"} <= set(batch.schema.names):
        # A name that the process itself looked up.
        looked_up = pc.equal(batch.column("dst_host_name_origin"), "dns")
        return pc.if_else(looked_up, batch.column("dst_host_name"), None)
    return pa.nulls(batch.num_rows, pa.string())
