"""Match rules with batches: which events match, and why.

`procwire.matching` describes how this is fast for many events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from procwire.matching.combinations import Combination, Decisions, combinations
from procwire.matching.hits import NO_HITS, Hits
from procwire.matching.value_classes import ValueClasses
from procwire.sigma.matching.column_tests import ColumnTests
from procwire.sigma.matching.decider import Key, Numbers, decider, explainer
from procwire.sigma.model.rule import Rule
from procwire.sigma.model.tree import Leaf, leaves

__all__ = ["KINDS", "Found", "Matcher"]

KINDS = ("connection", "existing", "attempt")
"""The record kinds that rules see: a close belongs to another row, and a loss is not a connection."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the index of a rule, and the tests that made it match."""

    rule: int
    reasons: tuple[Leaf, ...]


class Matcher:
    """Find which rules' trees match the rows of batches of `event.SCHEMA` or `event.LIVE_SCHEMA`.

    A batch may lack columns, and have more.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._trees = [rule.tree for rule in rules if rule.tree is not None]
        tests: dict[Key, None] = dict.fromkeys(
            (leaf.columns, leaf.test) for tree in self._trees for leaf in leaves(tree)
        )
        self._numbers: Numbers = {key: number for number, key in enumerate(tests)}
        asked: dict[tuple[str, ...], list[Key]] = {}
        for key in tests:
            asked.setdefault(key[0], []).append(key)
        self._columns = list(asked)
        self._classes: list[ValueClasses[Hits]] = [
            ValueClasses(ColumnTests(columns[0], [(test, self._numbers[columns, test]) for _, test in keys]))
            for columns, keys in asked.items()
        ]
        self._deciders = [decider(tree, self._numbers) for tree in self._trees]
        self._explainers = [explainer(tree, self._numbers) for tree in self._trees]
        self._decisions = Decisions(self._decide)

    def find(self, batch: pa.RecordBatch) -> tuple[list[int], list[tuple[Found, ...]]]:
        """Return the numbers of the rows that any rule matches, and for each the matching rules."""
        if batch.num_rows == 0 or not self._trees:
            return [], []
        classes = [
            classes.of(*(_column(batch, name) for name in columns))
            for columns, classes in zip(self._columns, self._classes, strict=True)
        ]
        codes, found = combinations(classes, batch.num_rows)
        decided = self._decisions.of(found)
        wanted = pa.array([bool(one) for one in decided], pa.bool_()).take(codes)
        wanted = _is_event(batch, wanted)
        rows = pc.indices_nonzero(wanted)
        return rows.to_pylist(), [decided[code] for code in codes.take(rows).to_pylist()]

    def _decide(self, combination: Combination) -> tuple[Found, ...]:
        hits = NO_HITS.union(
            *(classes.answers[number] for classes, number in zip(self._classes, combination, strict=True))
        )
        return tuple(
            Found(place, tuple(self._explainers[place](hits)))
            for place, decide in enumerate(self._deciders)
            if decide(hits)
        )


def _is_event(batch: pa.RecordBatch, wanted: pa.BooleanArray) -> pa.BooleanArray:
    place = batch.schema.get_field_index("record_kind")
    if place < 0:
        return wanted
    kinds = pc.fill_null(batch.column(place), "connection")
    return pc.and_(wanted, pc.is_in(kinds, pa.array(KINDS)))


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if name == "record_kind":
        if place < 0:
            return pa.array(["connection"] * batch.num_rows)
        return pc.fill_null(batch.column(place), "connection")
    if place >= 0:
        return batch.column(place)
    if name == "dns_query_name" and {"dst_host_name", "dst_host_name_origin"} <= set(batch.schema.names):
        # Only names that the process itself looked up.
        looked_up = pc.equal(batch.column("dst_host_name_origin"), "dns")
        return pc.if_else(looked_up, batch.column("dst_host_name"), None)
    return pa.nulls(batch.num_rows, pa.string())
