"""Apply a configuration to batches: which rows it logs, and under which name.

`procwire.matching` describes how this is fast for many events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA
from procwire.matching.combinations import Combination, Decisions, combinations
from procwire.matching.hits import NO_HITS, Hits
from procwire.matching.text_index import TextIndex
from procwire.matching.value_classes import ValueClasses
from procwire.sysmon.atoms import text_tests
from procwire.sysmon.decider import decider, numbered
from procwire.sysmon.evaluate import NO_NAME, decide
from procwire.sysmon.forms import COLUMNS, NAMES_LOOKED_UP, SIZED, sysmon_texts, text_of
from procwire.sysmon.model import Configuration, Filter

__all__ = ["ConfigFilter", "EventClasses", "FieldClasses"]

_ORIGINS = ("src_host_name_origin", "dst_host_name_origin")


class ConfigFilter:
    """Apply a configuration: batch in, batch out, of `event.SCHEMA` or `event.LIVE_SCHEMA`.

    Rows that it does not log are removed, and `rule_name` is set to the rule's name, null where none applies. If
    DnsLookup is False, host and port names are emptied before rules see them; FieldSizes cuts texts after that.
    keep: keep all rows, and mark them in the column `logged`. strict: reproduce Sysmon's bug of stale names, see
    `evaluate.decide`. The attribute `unlogged` counts the rows not logged so far. Not safe for use by several threads.
    """

    def __init__(self, configuration: Configuration, *, strict: bool = False, keep: bool = False) -> None:
        self.configuration = configuration
        self.unlogged = 0
        self._strict = strict
        self._keep = keep
        self._event_classes = EventClasses(configuration)
        self._missing = sysmon_texts({})
        self._decider = decider(configuration)
        self._decisions = Decisions(self._decide)

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns on which `names` depends."""
        return [COLUMNS[classes.field].name for classes in self._event_classes.fields]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that the configuration logs; with `keep`, all rows, marked."""
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
        """Return the rule name of each row: null if it is not logged, `-` if it is logged without a name."""
        if batch.num_rows == 0:
            return pa.array([], pa.string())
        codes, found = self._event_classes.of(batch)
        return pa.array(self._decisions.of(found), pa.string()).take(codes)

    def _decide(self, combination: Combination) -> str | None:
        classes = list(zip(self._event_classes.fields, combination, strict=True))
        hits = [field.hits[number] for field, number in classes]
        if not self._strict and None not in hits:
            return self._decider(self._event_classes.constant.union(*cast(list[Hits], hits)))
        # This case is rare, so it may be slow.
        event = self._missing | {field.field: field.text(number) for field, number in classes}
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
    """Put events into classes that a configuration's filters do not distinguish.

    fields: the classes of each field that filters test. constant: the hits of every event, from filters on fields that
    are always empty.
    """

    def __init__(self, configuration: Configuration) -> None:
        filters: dict[str, list[tuple[Filter, int]]] = {}
        for filter_, number in numbered(configuration):
            filters.setdefault(filter_.field, []).append((filter_, number))
        unseen = {"RuleName", *(() if configuration.dns_lookup else NAMES_LOOKED_UP)} & set(filters)
        self.constant = NO_HITS.union(*(index_of(filters[name])(NO_NAME) for name in unseen))
        self.fields = [FieldClasses(name, asked) for name, asked in filters.items() if name not in unseen]

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, list[Combination]]:
        """Return the index of each row's combination of classes, and the combinations, in the fields' order."""
        return combinations([classes.of(batch) for classes in self.fields], batch.num_rows)


class FieldClasses:
    """Put the values of one field into classes that all its filters treat alike.

    field: Sysmon's name. filters: the field's filters with their numbers.
    """

    def __init__(self, field: str, filters: Sequence[tuple[Filter, int]]) -> None:
        self.field = field
        self._column = COLUMNS[field].name
        self._index = index_of(filters)
        self._classes = ValueClasses(self._hits)

    @property
    def hits(self) -> Sequence[Hits | None]:
        """Return the hits of each class (`index_of`); None for the class of values without a text."""
        return self._classes.answers

    def text(self, number: int) -> str | None:
        """Return Sysmon's text of a value in a class; None if it has no text."""
        return text_of(self.field, self._classes.examples[number])

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, int]:
        """Return the class number of each row's value, and the number of classes."""
        return self._classes.of(batch.column(self._column))

    def _hits(self, value: object) -> Hits | None:
        text = text_of(self.field, value)
        return None if text is None else self._index(text)


def index_of(filters: Sequence[tuple[Filter, int]]) -> TextIndex:
    """Return an index of numbered filters, which gives the hits that `decider.fulfils` expects."""
    return TextIndex(
        (test, number) for filter_, number in filters for test in text_tests(filter_.condition, filter_.value)
    )


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """Return the batch with a column replaced or added."""
    place = batch.schema.get_field_index(name)
    if place < 0:
        return batch.append_column(LIVE_SCHEMA.field(name), column)
    return batch.set_column(place, batch.schema.field(place), column)


def _shortened(texts: pa.StringArray, size: int) -> pa.StringArray:
    """Return texts cut to a size like Sysmon's, ending in `...`; empty if the size is under three."""
    if size < len("..."):
        cut = pa.nulls(len(texts), pa.string())
    else:
        cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, size - 3), "...", "")
    return pc.if_else(pc.greater(pc.utf8_length(texts), size), cut, texts)
