"""A configuration over batches: which rows it logs, and under which name.

Events are many, what rules tell apart is little: each filter is asked once per distinct value of its field, values that
no filter tells apart become one class, and the configuration decides once per combination of classes that occurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.engine import connect
from procwire.event import LIVE_SCHEMA
from procwire.rules.conditions import condition_sql, fold, predicate
from procwire.rules.evaluate import NO_NAME, decide
from procwire.rules.forms import COLUMNS, NAMES_LOOKED_UP, SIZED, sysmon_texts, text_of
from procwire.rules.model import Configuration, Filter

__all__ = ["FieldClasses", "Rules", "combinations"]

# DuckDB takes about 100 us to prepare a condition, Python about 0.1 us to ask one of a value.
_FEW_VALUES = 512
# Values of a field that are remembered with their class.
_KNOWN_VALUES = 1 << 18
# Distinct combinations are counted in numbers below this.
_LARGEST_CODE = 1 << 40
_ORIGINS = ("src_host_name_origin", "dst_host_name_origin")


class Rules:
    """Applies a configuration: batch in, batch out, of `event.SCHEMA` or `event.LIVE_SCHEMA`.

    What is not logged is left out, and `rule_name` is what the configuration gives, null where no name applies. Host
    and port names are emptied before rules see them where DnsLookup is False; FieldSizes cuts texts after that.
    keep: all rows stay, and the column `logged` tells them apart.
    strict: with Sysmon's bug of stale names, see `evaluate.decide`.
    """

    def __init__(self, configuration: Configuration, *, strict: bool = False, keep: bool = False) -> None:
        self.configuration = configuration
        self._strict = strict
        self._keep = keep
        filters: dict[str, list[Filter]] = {}
        for element in configuration.network_connect:
            for filter_ in element.filters:
                filters.setdefault(filter_.field, []).append(filter_)
        constant = {"RuleName"} | (set() if configuration.dns_lookup else set(NAMES_LOOKED_UP))
        self._classes = [FieldClasses(name, asked) for name, asked in filters.items() if name not in constant]
        self._missing = sysmon_texts({})
        self._decided: dict[tuple[int, ...], str | None] = {}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that the configuration logs; or all of them, marked."""
        names = self.names(batch)
        logged = pc.is_valid(names)
        batch = _with(batch, "rule_name", pc.if_else(pc.equal(names, NO_NAME), None, names))
        if self._keep:
            batch = _with(batch, "logged", logged)
        elif pc.all(logged).as_py() is not True:
            batch = batch.filter(logged)
        return self._cut(self._blank(batch))

    def names(self, batch: pa.RecordBatch) -> pa.StringArray:
        """For each row: null where it is not logged, `-` where it is logged without a name, else the rule's name."""
        if batch.num_rows == 0:
            return pa.array([], pa.string())
        codes, found = combinations([classes.of(batch) for classes in self._classes], batch.num_rows)
        for combination in found:
            if combination not in self._decided:
                self._decided[combination] = self._decide(combination)
        return pa.array([self._decided[combination] for combination in found], pa.string()).take(codes)

    def _decide(self, combination: Sequence[int]) -> str | None:
        event = dict(self._missing)
        for classes, number in zip(self._classes, combination, strict=True):
            event[classes.field] = classes.texts[number]
        decision = decide(self.configuration, event, strict=self._strict)
        return decision.rule_name if decision.logged else None

    def _blank(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self.configuration.dns_lookup:
            for name in (*(COLUMNS[field].name for field in NAMES_LOOKED_UP), *_ORIGINS):
                if name in batch.schema.names:
                    batch = _with(batch, name, pa.nulls(batch.num_rows, pa.string()))
        return batch

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        for field, size in self.configuration.field_sizes.items():
            if field in SIZED:
                name = COLUMNS[field].name
                batch = _with(batch, name, _shortened(batch.column(name), size))
        return batch


class FieldClasses:
    """The values of one field, put into classes of those that all its filters answer alike.

    field: Sysmon's name. texts: one of the texts of each class, as Sysmon has them; None where it has none.
    outcomes: what each class answers the filters, in their order: `1` and `0`, or nothing where there is no text.
    """

    def __init__(self, field: str, filters: Iterable[Filter]) -> None:
        self.field = field
        self.texts: list[str | None] = []
        self.outcomes: list[str] = []
        conditions = [(filter_.condition, filter_.value) for filter_ in filters]
        self._tests = [predicate(condition, value) for condition, value in conditions]
        self._sql = _outcomes_sql(conditions)
        self._by_outcome: dict[str, int] = {}
        self._known: dict[object, int] = {}

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, int]:
        """The class of each row's value, by number, and how many classes there are."""
        values = batch.column(COLUMNS[self.field].name).dictionary_encode(null_encoding="encode")
        distinct = values.dictionary.to_pylist()
        if len(self._known) > _KNOWN_VALUES:
            self._known.clear()
        new = [value for value in distinct if value not in self._known]
        if new:
            self._learn(new)
        numbers = pa.array([self._known[value] for value in distinct], pa.int64())
        return numbers.take(values.indices), len(self.texts)

    def _learn(self, values: list[object]) -> None:
        texts = [text_of(self.field, value) for value in values]
        outcomes = iter(self._ask([fold(text) for text in texts if text is not None]))
        for value, text in zip(values, texts, strict=True):
            outcome = "" if text is None else next(outcomes)
            number = self._by_outcome.setdefault(outcome, len(self.texts))
            if number == len(self.texts):
                self.texts.append(text)
                self.outcomes.append(outcome)
            self._known[value] = number

    def _ask(self, texts: list[str]) -> list[str]:
        if len(texts) <= _FEW_VALUES:
            return ["".join(["1" if test(text) else "0" for test in self._tests]) for text in texts]
        connection = connect(threads=1)
        connection.register("asked", pa.table({"text": pa.array(texts, pa.string())}))
        return cast(list[str], connection.sql(self._sql).to_arrow_table().column(0).to_pylist())


def _outcomes_sql(conditions: Iterable[tuple[str, str]]) -> str:
    tests = (condition_sql(condition, value, "text") for condition, value in conditions)
    return f"SELECT concat({', '.join(f'CAST(CAST({test} AS TINYINT) AS VARCHAR)' for test in tests)}) FROM asked"


def combinations(
    columns: Sequence[tuple[pa.Int64Array, int]], row_count: int
) -> tuple[pa.Int64Array, list[tuple[int, ...]]]:
    """Which numbers stand together in a row: for each row its combination's place in the list of those that occur.

    columns: numbers, and the bound that they stay below.
    """
    codes: pa.Int64Array = pa.repeat(pa.scalar(0, pa.int64()), row_count)
    found: list[tuple[int, ...]] = [()]
    pending: list[int] = []
    for numbers, bound in [*columns, (None, 0)]:
        size = len(found)
        for other in pending:
            size *= other
        if pending and (numbers is None or size * bound > _LARGEST_CODE):
            codes, found = _compact(codes, found, pending)
            pending = []
        if numbers is not None:
            codes = pc.add(pc.multiply(codes, pa.scalar(bound, pa.int64())), numbers)
            pending.append(bound)
    return codes, found


def _compact(
    codes: pa.Int64Array, found: list[tuple[int, ...]], bounds: list[int]
) -> tuple[pa.Int64Array, list[tuple[int, ...]]]:
    """Number anew, from 0 and without gaps, what the bounds have been multiplied in for."""
    encoded = codes.dictionary_encode()
    occurring = []
    for code in encoded.dictionary.to_pylist():
        digits: list[int] = []
        for bound in reversed(bounds):
            code, digit = divmod(code, bound)
            digits.insert(0, digit)
        occurring.append(found[code] + tuple(digits))
    return encoded.indices.cast(pa.int64()), occurring


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """The batch with a column put in its place, or added."""
    place = batch.schema.get_field_index(name)
    if place < 0:
        return batch.append_column(LIVE_SCHEMA.field(name), column)
    return batch.set_column(place, batch.schema.field(place), column)


def _shortened(texts: pa.StringArray, size: int) -> pa.StringArray:
    """As Sysmon cuts a text to a size: its end is `...`; where that has no place it is left empty."""
    if size < len("..."):
        cut = pa.nulls(len(texts), pa.string())
    else:
        cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, size - 3), "...", "")
    return pc.if_else(pc.greater(pc.utf8_length(texts), size), cut, texts)
