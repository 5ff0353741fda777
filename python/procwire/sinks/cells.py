"""Convert cells to text and rows to bytes, a column at a time, for all text formats.

Most columns of a log hold few distinct values, so escaping and quoting are done once per distinct value of a batch, and
a column that holds only one becomes a plain string, which merges with its neighbours: the rows are then one join over
the pieces that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Escape", "Rows", "chunks", "exact_time", "hex_text", "replace_all", "sysmon_time", "text", "unescaped",
           "with_t"]  # fmt: skip

Escape = Callable[[pa.StringArray], pa.StringArray]

# A joined chunk's text must stay under Arrow's 2 GiB: escapes lengthen a text sixfold at most.
_CHUNK_ROWS = 16_384
_CHUNK_BYTES = 64 << 20
# An integer column is worth a dictionary if it has fewer distinct values than this part of its rows.
_DISTINCT_PART = 4
_DISTINCT_RANGE = 1 << 16
# Up to so many texts are handled one by one.
_FEW = 64
# Texts kept with their escaped forms: their number, and the length of each.
_KNOWN_TEXTS, _KNOWN_LENGTH = 4_096, 1_024
_MILLISECOND_LENGTH = len("2018-04-11 05:29:35.394")
_MICROSECOND_LENGTH = len("2018-04-11 05:29:35.394000")
# Times are written in the coarsest of these units, up to milliseconds, that they are whole in.
_COARSER = {"ns": "us", "us": "ms"}


def unescaped(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts unchanged."""
    return texts


def chunks(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the batch in slices small enough to be joined."""
    for start in range(0, batch.num_rows, _CHUNK_ROWS):
        yield from _halves(batch.slice(start, _CHUNK_ROWS))


def _halves(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.nbytes <= _CHUNK_BYTES or batch.num_rows == 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _halves(batch.slice(0, middle))
    yield from _halves(batch.slice(middle))


def exact_time(times: pa.Array) -> pa.StringArray:
    """Write times as `2018-04-11 05:29:35.394`, in UTC where they have a zone.

    There are more digits, in threes, only where a time has them.
    """
    coarser = _COARSER.get(times.type.unit)
    if coarser is None:
        return times.cast(pa.timestamp(times.type.unit)).cast(pa.string())
    cut = times.cast(pa.timestamp(coarser, times.type.tz), safe=False)
    is_whole = pc.equal(cut.cast(times.type), times)
    if pc.all(is_whole).as_py():
        return exact_time(cut)
    return pc.if_else(is_whole, exact_time(cut), times.cast(pa.timestamp(times.type.unit)).cast(pa.string()))


def sysmon_time(times: pa.Array) -> pa.StringArray:
    """Write times in UTC as `2018-04-11 05:29:35.394`, the precision of Sysmon's own lines; cut off the rest."""
    # The cast drops the rest, towards 1970: only times before it need the slower floor.
    if (pc.min(times.cast(pa.int64())).as_py() or 0) < 0:
        times = pc.floor_temporal(times, unit="millisecond")
    return times.cast(pa.timestamp("ms"), safe=False).cast(pa.string())


def with_t(times: pa.StringArray) -> pa.StringArray:
    """Return times with ISO 8601's `T` between day and time."""
    # Where all have one length, they have years of four digits.
    lengths = pc.min_max(pc.binary_length(times)).as_py()
    if lengths["min"] == lengths["max"] in (_MILLISECOND_LENGTH, _MICROSECOND_LENGTH):
        return pc.binary_replace_slice(times, 10, 11, "T")
    return pc.replace_substring(times, " ", "T", max_replacements=1)


def hex_text(values: pa.BinaryArray) -> pa.StringArray:
    """Return upper-case hexadecimal."""
    _, offsets, data = values.buffers()
    places = pa.Array.from_buffers(pa.int32(), len(values) + 1, [None, offsets], offset=values.offset)
    digits = pa.py_buffer((data.to_pybytes() if data else b"").hex().upper().encode())
    texts = pa.Array.from_buffers(pa.string(), len(values), [None, pc.add(places, places).buffers()[1], digits])
    return pc.if_else(pc.is_valid(values), texts, None)


def text(values: pa.Array) -> pa.StringArray:
    """Return the values' text, the same in every text format; nulls stay null."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_timestamp(kind):
        # A time without a zone may be local.
        return pc.binary_join_element_wise(with_t(exact_time(values)), "Z" if kind.tz else "", "")
    if pa.types.is_binary(kind):
        return hex_text(values)
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "true", "false")
    return values.cast(pa.string())


def replace_all(texts: pa.StringArray, found: str, replacements: Iterable[tuple[str, str]]) -> pa.StringArray:
    """Make the replacements, in order, if the pattern `found` occurs at all."""
    if pc.any(pc.match_substring_regex(texts, found)).as_py():
        for old, new in replacements:
            texts = pc.replace_substring(texts, old, new)
    return texts


class Rows:
    """Build the text of a batch's rows, from left to right."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pieces: list[str | pa.StringArray] = []
        self._shared = ""
        """Text that all rows share and that no piece holds yet."""

    def literal(self, text: str) -> None:
        """Add a text to every row."""
        self._shared += text

    def texts(self, texts: pa.StringArray) -> None:
        """Add a text to each row."""
        self._flush()
        self._pieces.append(texts)

    def _flush(self) -> None:
        if self._shared:
            self._pieces.append(self._shared)
        self._shared = ""

    def cell(self, column: pa.Array, before: str, after: str, null: str, escape: Escape = unescaped) -> None:
        """Add `before`, the column's text (escaped, if it is a column of texts) and `after`; `null` for a null."""
        if not pa.types.is_string(column.type):
            escape = unescaped
        if column.null_count == len(column):
            self.literal(null)
        elif column.null_count == 0 and _is_constant(column):
            self.literal(before + _escaped([_first_text(column)], escape)[0] + after)
        elif (encoded := _encoded(column)) is not None:
            # Shared text in front costs nothing here: it is copied once per distinct value.
            before, null, self._shared = self._shared + before, self._shared + null, ""
            texts = text(encoded.dictionary)
            dressed = _few_dressed if len(texts) <= _FEW else _dressed
            self.texts(dressed(texts, escape, before, after, null).take(encoded.indices))
        else:
            self.safe_cell(text(column), before, after, null)

    def safe_cell(self, texts: pa.StringArray, before: str, after: str, null: str) -> None:
        """Add `before`, texts that need no escaping and seldom repeat, and `after`; `null` for a null."""
        if texts.null_count:
            self.texts(_dressed(texts, unescaped, before, after, null))
        else:
            self.literal(before)
            self.texts(texts)
            self.literal(after)

    def joined(self) -> bytes | pa.Buffer:
        """Return the rows one after the other, as UTF-8."""
        if not self._pieces:
            return self._shared.encode() * self._count
        self._flush()
        joined = pc.binary_join_element_wise(*self._pieces, "")
        _, offsets, data = joined.buffers()
        end = pa.Array.from_buffers(pa.int32(), self._count + 1, [None, offsets])[self._count].as_py()
        return data.slice(0, end)


def _is_constant(column: pa.Array) -> bool:
    # Each like the one before it.
    return bool(column.slice(1).equals(column.slice(0, len(column) - 1)))


def _first_text(column: pa.Array) -> str:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind):
        return str(column[0].as_py())
    if pa.types.is_boolean(kind):
        return "true" if column[0].as_py() else "false"
    if pa.types.is_binary(kind):
        return str(column[0].as_py().hex().upper())
    return str(text(column.slice(0, 1))[0].as_py())


def _dressed(texts: pa.StringArray, escape: Escape, before: str, after: str, null: str) -> pa.StringArray:
    return pc.fill_null(pc.binary_join_element_wise(before, escape(texts), after, ""), null)


def _few_dressed(texts: pa.StringArray, escape: Escape, before: str, after: str, null: str) -> pa.StringArray:
    """Return a few texts escaped, between `before` and `after`, one by one: faster than the calls of Arrow."""
    values = texts.to_pylist()
    escaped = iter(_escaped([value for value in values if value is not None], escape))
    return pa.array([null if value is None else before + next(escaped) + after for value in values], pa.string())


def _escaped(texts: list[str], escape: Escape) -> list[str]:
    """Return a few texts escaped. Later batches repeat them, so they are cached."""
    if escape is unescaped:
        return texts
    known = _known(escape)
    new = [value for value in texts if value not in known]
    if not new:
        return [known[value] for value in texts]
    fresh = dict(zip(new, escape(pa.array(new, pa.string())).to_pylist(), strict=True))
    escaped = [fresh[value] if value in fresh else known[value] for value in texts]
    if len(known) >= _KNOWN_TEXTS:
        known.clear()
    known.update((value, text) for value, text in fresh.items() if len(value) <= _KNOWN_LENGTH)
    return escaped


@lru_cache(maxsize=16)
def _known(escape: Escape) -> dict[str, str]:
    """Return the cache of an escape."""
    del escape
    return {}


def _encoded(column: pa.Array) -> pa.DictionaryArray | None:
    """Return the column's distinct values and their positions, if they are likely few; else None."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        return column.dictionary_encode(null_encoding="encode")
    if pa.types.is_timestamp(kind):
        return _encoded_times(column)
    if not pa.types.is_integer(kind):
        return None
    ends = pc.min_max(column).as_py()
    if ends["max"] - ends["min"] >= _DISTINCT_RANGE:
        return None
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded if len(encoded.dictionary) < len(column) // _DISTINCT_PART else None


def _encoded_times(times: pa.Array) -> pa.DictionaryArray | None:
    """Return milliseconds, dictionary-encoded, if the times have no more digits and lie close together; else None."""
    if times.type.unit != "us":
        return None
    ends = pc.min_max(times.cast(pa.int64())).as_py()
    if ends["min"] < 0 or ends["max"] - ends["min"] >= len(times) // _DISTINCT_PART * 1000:
        return None
    try:
        return times.cast(pa.timestamp("ms", times.type.tz)).dictionary_encode(null_encoding="encode")
    except pa.ArrowInvalid:
        return None
