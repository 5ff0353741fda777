"""A configuration over batches: which rows it logs, and under which name.

Events are many, what rules tell apart is little: each filter is asked once per distinct value of its field, values that
no filter tells apart become one class, and the configuration decides once per combination of classes that occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA
from procwire.rules.answers import NO_HITS, Answers, Hits
from procwire.rules.conditions import fold
from procwire.rules.evaluate import NO_NAME, decide
from procwire.rules.forms import COLUMNS, NAMES_LOOKED_UP, SIZED, sysmon_texts, text_of
from procwire.rules.model import Configuration, Filter
from procwire.rules.outcomes import decider, numbered

__all__ = ["EventClasses", "FieldClasses", "Rules", "combinations"]

# Values of a field that are remembered with their class, and as many from before.
_KNOWN_VALUES = 1 << 17
# Distinct combinations are counted in numbers below this.
_LARGEST_CODE = 1 << 40
_ORIGINS = ("src_host_name_origin", "dst_host_name_origin")


class Rules:
    """Applies a configuration: batch in, batch out, of `event.SCHEMA` or `event.LIVE_SCHEMA`.

    What is not logged is left out, and `rule_name` is what the configuration gives, null where no name applies. Host
    and port names are emptied before rules see them where DnsLookup is False; FieldSizes cuts texts after that.
    keep: all rows stay, and the column `logged` tells them apart. unlogged: how many rows were not logged so far.
    strict: with Sysmon's bug of stale names, see `evaluate.decide`.
    """

    def __init__(self, configuration: Configuration, *, strict: bool = False, keep: bool = False) -> None:
        self.configuration = configuration
        self.unlogged = 0
        self._strict = strict
        self._keep = keep
        self._event_classes = EventClasses(configuration)
        self._missing = sysmon_texts({})
        self._decider = decider(configuration)
        self._decided: dict[tuple[int, ...], str | None] = {}

    @property
    def columns(self) -> list[str]:
        """The columns that `names` depends on."""
        return [COLUMNS[classes.field].name for classes in self._event_classes.fields]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that the configuration logs; or all of them, marked."""
        names = self.names(batch)
        logged = pc.is_valid(names)
        self.unlogged += names.null_count
        batch = _with(batch, "rule_name", pc.if_else(pc.equal(names, NO_NAME), None, names))
        if self._keep:
            batch = _with(batch, "logged", logged)
        elif names.null_count:
            batch = batch.filter(logged)
        return self._cut(self._blank(batch))

    def names(self, batch: pa.RecordBatch) -> pa.StringArray:
        """For each row: null where it is not logged, `-` where it is logged without a name, else the rule's name."""
        if batch.num_rows == 0:
            return pa.array([], pa.string())
        codes, found = self._event_classes.of(batch)
        if len(self._decided) > _KNOWN_VALUES:
            self._decided.clear()
        for combination in found:
            if combination not in self._decided:
                self._decided[combination] = self._decide(combination)
        return pa.array([self._decided[combination] for combination in found], pa.string()).take(codes)

    def _decide(self, combination: Sequence[int]) -> str | None:
        classes = list(zip(self._event_classes.fields, combination, strict=True))
        hits = [field.hits[number] for field, number in classes]
        if not self._strict and None not in hits:
            return self._decider(self._event_classes.constant.union(*cast(list[Hits], hits)))
        # What is rare may take its time.
        event = self._missing | {field.field: field.texts[number] for field, number in classes}
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


class EventClasses:
    """Tells events apart as far as a configuration's filters do.

    fields: the classes of each field that they ask for. constant: the hits that every event has, of filters that ask
    for what stays empty.
    """

    def __init__(self, configuration: Configuration) -> None:
        filters: dict[str, list[tuple[Filter, int]]] = {}
        for filter_, number in numbered(configuration):
            filters.setdefault(filter_.field, []).append((filter_, number))
        unseen = {"RuleName", *(() if configuration.dns_lookup else NAMES_LOOKED_UP)} & set(filters)
        self.constant = NO_HITS.union(*(Answers(filters[name])(NO_NAME) for name in unseen))
        self.fields = [FieldClasses(name, asked) for name, asked in filters.items() if name not in unseen]

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, list[tuple[int, ...]]]:
        """For each row, which of the combinations of classes that occur is its own; and these, in the fields' order."""
        return combinations([classes.of(batch) for classes in self.fields], batch.num_rows)


class FieldClasses:
    """The values of one field, put into classes of those that all its filters answer alike.

    field: Sysmon's name. filters: its filters, and the number of each.
    texts: one of the texts of each class, as Sysmon has them; None where it has none.
    hits: those of each class (`rules.answers`); None where it has no text.
    """

    def __init__(self, field: str, filters: Sequence[tuple[Filter, int]]) -> None:
        self.field = field
        self.texts: list[str | None] = []
        self.hits: list[Hits | None] = []
        self._column = COLUMNS[field].name
        self._ask = Answers(filters)
        self._classes: dict[Hits | None, int] = {}
        self._known: dict[object, int] = {}
        self._older: dict[object, int] = {}

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, int]:
        """The class of each row's value, by number, and how many classes there are."""
        values = batch.column(self._column).dictionary_encode(null_encoding="encode")
        distinct = values.dictionary.to_pylist()
        known = self._known
        numbers = list(map(known.get, distinct))
        if None in numbers:
            for place, number in enumerate(numbers):
                if number is None:
                    numbers[place] = self._learn(distinct[place])
            if len(known) > _KNOWN_VALUES:
                # Those that come again are taken over; the rest is forgotten the next time.
                self._known, self._older = {}, known
        return pa.array(numbers, pa.int64()).take(values.indices), len(self.texts)

    def _learn(self, value: object) -> int:
        number = self._older.get(value)
        if number is None:
            text = text_of(self.field, value)
            hits = None if text is None else self._ask(fold(text))
            number = self._classes.setdefault(hits, len(self.texts))
            if number == len(self.texts):
                self.hits.append(hits)
                self.texts.append(text)
        self._known[value] = number
        return number


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
    rest = encoded.dictionary
    digits: list[list[int]] = []
    for bound in reversed(bounds):
        shorter = pc.divide(rest, pa.scalar(bound, pa.int64()))
        digits.insert(0, pc.subtract(rest, pc.multiply(shorter, pa.scalar(bound, pa.int64()))).to_pylist())
        rest = shorter
    occurring = [
        found[place] + numbers for place, numbers in zip(rest.to_pylist(), zip(*digits, strict=True), strict=True)
    ]
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
