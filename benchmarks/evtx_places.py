"""Places of a fleet's events in the EVTX files of its machines: rows as a reader of such files returns them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_RECORD_BYTES, _OTHER_RECORD_BYTES = (900, 60), (1_200, 300)
"""Mean and deviation: of event 3, and of the events between."""
_FILE_HEADER_BYTES, _CHUNK_HEADER_BYTES, _CHUNK_BYTES = 4_096, 512, 1 << 16


def with_places(rows: pa.Table, seed: int = 1) -> pa.Table:
    """Return rows with `source_file` (one per machine), `source_offset`, and recording times like EVTX.

    Offsets are derived from the record ids; times have microseconds.
    """
    random = np.random.default_rng(seed)
    rows = rows.sort_by([("computer_name", "ascending"), ("record_id", "ascending")])
    machine = rows["computer_name"].combine_chunks().dictionary_encode().indices.to_numpy()
    number = rows["record_id"].to_numpy()
    is_first = np.diff(machine, prepend=-1) != 0
    between = np.where(is_first, 0, np.diff(number, prepend=number[0]) - 1)
    own, other = (random.normal(*size, len(number)) for size in (_RECORD_BYTES, _OTHER_RECORD_BYTES))
    used = np.cumsum(own + between * _OTHER_RECORD_BYTES[0] + np.sqrt(between) * (other - _OTHER_RECORD_BYTES[0]))
    used -= np.maximum.accumulate(np.where(is_first, used, 0))
    # Records begin at multiples of 8, behind the headers of the file and of their chunk.
    chunk, place = np.divmod((used / 8).astype(np.int64) * 8, _CHUNK_BYTES - _CHUNK_HEADER_BYTES)
    offset = _FILE_HEADER_BYTES + chunk * _CHUNK_BYTES + _CHUNK_HEADER_BYTES + place
    recorded = rows["event_recorded_time"].cast(pa.int64()).to_numpy() + random.integers(0, 1_000, len(number))
    return _put(
        rows,
        source_file=pc.binary_join_element_wise(rows["computer_name"], "Sysmon.evtx", "-"),
        source_offset=pa.array(offset),
        event_recorded_time=pa.array(recorded).cast(rows.schema.field("event_recorded_time").type),
    )


def _put(rows: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows
