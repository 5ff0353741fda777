"""Which events the lake has already, held to a plain reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from procwire.event import LIVE_SCHEMA
from procwire.lake.duplicates import without_duplicates
from procwire.lake.lake import Lake
from procwire.lake.schema import CONNECTIONS, KEY, SCHEMA

# Around midnight, and less than a millisecond apart: Delta's own bounds of times are no finer.
_MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
_OFFSETS_US = (-1, 0, 1, 999, 1_000, 86_400_000_000)
_EVENTS = st.fixed_dictionaries(
    {
        "computer_name": st.sampled_from(["a", "b", None]),
        "provider_name": st.sampled_from(["Linux-Sysmon", "Microsoft-Windows-Sysmon"]),
        "channel": st.sampled_from(["x", None]),
        "record_id": st.one_of(st.none(), st.integers(0, 3)),
        "event_recorded_time": st.one_of(
            st.none(), st.sampled_from([_MIDNIGHT + timedelta(microseconds=offset) for offset in _OFFSETS_US])
        ),
    }
)


def _rows(events: list[dict[str, Any]], *, coded: bool) -> pa.Table:
    rows = pa.Table.from_batches([pa.RecordBatch.from_pylist(events, schema=LIVE_SCHEMA)])
    for name in KEY[:3] if coded else ():
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].dictionary_encode())
    return CONNECTIONS.widened(rows)


def _expected(appends: list[list[dict[str, Any]]]) -> list[list[int]]:
    """Which events of each append are kept."""
    seen: set[tuple[Any, ...]] = set()
    kept: list[list[int]] = []
    for events in appends:
        kept.append([])
        for number, event in enumerate(events):
            key = tuple(event[name] for name in KEY)
            has_key = event["record_id"] is not None and event["event_recorded_time"] is not None
            if not has_key or key not in seen:
                kept[-1].append(number)
            seen.add(key)
    return kept


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(_EVENTS, min_size=1, max_size=8), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_without_duplicates_is_the_reference(appends: list[list[dict[str, Any]]], compacted: bool, coded: bool) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder), create=True)
        for number, (events, kept) in enumerate(zip(appends, _expected(appends), strict=True)):
            lake.table.reload()
            rows = _rows(events, coded=coded).append_column("number", pa.array(range(len(events))))
            found = without_duplicates(lake.table, rows)
            assert found["number"].to_pylist() == kept
            lake.append(found.select(SCHEMA.names), source="a", version=number)
            if compacted:
                lake.compact()
