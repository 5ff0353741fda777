"""Apply a configuration to batches: which rows it logs, and under which name.

How this takes little time for many events, `procwire.matching` describes.
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

    What is not logged is left out, and `rule_name` is what the configuration gives, null where no name applies. Host
    and port names are emptied before rules see them where DnsLookup is False; FieldSizes cuts texts after that.
    keep: all rows stay, and the column `logged` distinguishes them. unlogged: how many rows were not logged so far.
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
        self._decisions = Decisions(self._decide)

    @property
    def columns(self) -> list[str]:
        """Return the columns that `names` depends on."""
        return [COLUMNS[classes.field].name for classes in self._event_classes.fields]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that the configuration logs; or all of them, marked."""
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
        """Return the name of each row's rule: null where it is not logged, `-` where it is logged without one."""
        if batch.num_rows == 0:
            return pa.array([], pa.string())
        codes, found = self._event_classes.of(batch)
        return pa.array(self._decisions.of(found), pa.string()).take(codes)

    def _decide(self, combination: Combination) -> str | None:
        classes = list(zip(self._event_classes.fields, combination, strict=True))
        hits = [field.hits[number] for field, number in classes]
        if not self._strict and None not in hits:
            return self._decider(self._event_classes.constant.union(*cast(list[Hits], hits)))
        # What is rare may take its time.
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
    """Distinguish events as far as a configuration's filters do.

    fields: the classes of each field that filters look at. constant: the hits that every event has, of filters of
    fields that stay empty.
    """

    def __init__(self, configuration: Configuration) -> None:
        filters: dict[str, list[tuple[Filter, int]]] = {}
        for filter_, number in numbered(configuration):
            filters.setdefault(filter_.field, []).append((filter_, number))
        unseen = {"RuleName", *(() if configuration.dns_lookup else NAMES_LOOKED_UP)} & set(filters)
        self.constant = NO_HITS.union(*(index_of(filters[name])(NO_NAME) for name in unseen))
        self.fields = [FieldClasses(name, asked) for name, asked in filters.items() if name not in unseen]

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, list[Combination]]:
        """Return for each row the place of its combination of classes, and the combinations, in the fields' order."""
        return combinations([classes.of(batch) for classes in self.fields], batch.num_rows)


class FieldClasses:
    """Hold the values of one field, in classes of those that all its filters treat alike.

    field: Sysmon's name. filters: its filters, and the number of each.
    """

    def __init__(self, field: str, filters: Sequence[tuple[Filter, int]]) -> None:
        self.field = field
        self._column = COLUMNS[field].name
        self._index = index_of(filters)
        self._classes = ValueClasses(self._hits)

    @property
    def hits(self) -> Sequence[Hits | None]:
        """Return the hits of each class (`index_of`); None where its values have no text."""
        return self._classes.answers

    def text(self, number: int) -> str | None:
        """Return the text of a value of a class, as Sysmon has it; None where it has none."""
        return text_of(self.field, self._classes.examples[number])

    def of(self, batch: pa.RecordBatch) -> tuple[pa.Int64Array, int]:
        """Return the class of each row's value, by number, and how many classes there are."""
        return self._classes.of(batch.column(self._column))

    def _hits(self, value: object) -> Hits | None:
        text = text_of(self.field, value)
        return None if text is None else self._index(text)


def index_of(filters: Sequence[tuple[Filter, int]]) -> TextIndex:
    """Return an index of filters, each with its number: its hits are those of `decider.fulfils`."""
    return TextIndex(
        (test, number) for filter_, number in filters for test in text_tests(filter_.condition, filter_.value)
    )


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """Return the batch with a column put in its place, or added."""
    place = batch.schema.get_field_index(name)
    if place < 0:
        return batch.append_column(LIVE_SCHEMA.field(name), column)
    return batch.set_column(place, batch.schema.field(place), column)


def _shortened(texts: pa.StringArray, size: int) -> pa.StringArray:
    """Return a text cut to a size as Sysmon does: its end is `...`; where that has no place it is left empty."""
    if size < len("..."):
        cut = pa.nulls(len(texts), pa.string())
    else:
        cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, size - 3), "...", "")
    return pc.if_else(pc.greater(pc.utf8_length(texts), size), cut, texts)
