"""Which events the lake has already, held to a plain reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procwire.event import LIVE_SCHEMA
from procwire.lake.duplicates import without_duplicates
from procwire.lake.lake import Lake
from procwire.lake.schema import CONNECTIONS, SCHEMA, TIMES

Row = dict[str, Any]

# Around midnight, where a day's file ends; within a millisecond, and beyond.
_MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
_OFFSETS_US = (-1_000, -1, 0, 1, 999, 1_000, 1_001, 86_400_000_000)
_TIMES = st.one_of(st.none(), st.sampled_from([_MIDNIGHT + timedelta(microseconds=offset) for offset in _OFFSETS_US]))
_EVENTS = st.fixed_dictionaries(
    {
        "computer_name": st.sampled_from(["a", "a", "b", None]),
        "provider_name": st.sampled_from(["Linux-Sysmon", "Microsoft-Windows-Sysmon"]),
        "channel": st.sampled_from(["x", "x", None]),
        "record_id": st.one_of(st.none(), st.integers(0, 2)),
        "event_creation_time": _TIMES,
        "event_recorded_time": _TIMES,
    }
)


def _rows(events: list[Row], *, coded: bool = False) -> pa.Table:
    rows = pa.Table.from_batches([pa.RecordBatch.from_pylist(events, schema=LIVE_SCHEMA)])
    for name in ("computer_name", "provider_name", "channel") if coded else ():
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].dictionary_encode())
    return CONNECTIONS.widened(rows)


def _cut(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1_000 * 1_000)


def _is_same_time(one: datetime, other: datetime) -> bool:
    return one in (other, _cut(other)) or other == _cut(one)


def _is_same_event(one: Row, other: Row) -> bool:
    names = ("computer_name", "channel", "record_id")
    if one["record_id"] is None or any(one[name] != other[name] for name in names):
        return False
    both = [(one[name], other[name]) for name in TIMES if one[name] is not None and other[name] is not None]
    return bool(both) and all(_is_same_time(*pair) for pair in both)


def _expected(appends: list[list[Row]]) -> list[list[int]]:
    """Which events of each append are kept: those that no kept one is the same as."""
    seen: list[Row] = []
    kept: list[list[int]] = []
    for events in appends:
        kept.append([])
        for number, event in enumerate(events):
            if not any(_is_same_event(event, other) for other in seen):
                kept[-1].append(number)
                seen.append(event)
    return kept


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_EVENTS, min_size=1, max_size=8), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_without_duplicates_is_the_reference(appends: list[list[Row]], compacted: bool, coded: bool) -> None:
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


def _event(**given: Any) -> Row:
    created = datetime(2024, 3, 1, 10, 0, 0, 394_000, UTC)
    plain: Row = {"computer_name": "a", "channel": "x", "record_id": 7, "event_creation_time": created,
                  "event_recorded_time": created + timedelta(seconds=1, microseconds=297)}  # fmt: skip
    return plain | given


_CREATED, _RECORDED = _event()["event_creation_time"], _event()["event_recorded_time"]


@pytest.mark.parametrize("coded", [False, True])
def test_an_event_without_a_computer_is_known_among_those_of_other_computers(lake: Lake, coded: bool) -> None:
    """The least and greatest name of a file, which spare reading it, are of the others."""
    lake.append(_rows([_event(computer_name="b"), _event(computer_name=None)]), source="a", version=0)
    lake.table.reload()
    again = _rows([_event(computer_name="a"), _event(computer_name=None)], coded=coded)
    assert without_duplicates(lake.table, again)["computer_name"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    "again",
    [
        _event(),
        _event(event_recorded_time=_cut(_RECORDED)),
        _event(event_recorded_time=None),
        _event(event_creation_time=None),
        _event(provider_name="Microsoft-Windows-Sysmon"),
    ],
)
def test_an_event_is_the_same_as_far_as_both_sides_have_its_times(again: Row) -> None:
    for first, second in ((_event(), again), (again, _event())):
        assert _kept_again(first, second) == 0


@pytest.mark.parametrize(
    "other",
    [
        _event(record_id=8),
        _event(computer_name="b"),
        _event(channel="y"),
        _event(record_id=None),
        # The log was cleared, and its record ids begin again.
        _event(event_creation_time=_CREATED + timedelta(days=1), event_recorded_time=_RECORDED + timedelta(days=1)),
        _event(event_creation_time=_CREATED + timedelta(milliseconds=1)),
        _event(event_recorded_time=_RECORDED + timedelta(microseconds=1)),
        _event(event_recorded_time=_RECORDED.replace(microsecond=0)),
        # Nothing says that they are of one event but the number.
        _event(event_creation_time=None, event_recorded_time=None),
    ],
)
def test_events_that_differ_both_stay(other: Row) -> None:
    for first, second in ((_event(), other), (other, _event())):
        assert _kept_again(first, second) == 1


def test_an_event_without_a_creation_time_is_found_in_the_file_of_another_day() -> None:
    """It is filed under the day that it was recorded on, the whole one under the day before."""
    late = {"event_creation_time": _MIDNIGHT - timedelta(milliseconds=1), "event_recorded_time": _MIDNIGHT}
    for first, second in ((_event(**late), _event(**late | {"event_creation_time": None})),) * 2:
        assert _kept_again(first, second) == _kept_again(second, first) == 0


def test_an_event_that_is_left_out_leaves_out_no_other() -> None:
    """Both others are the same as the one cut to milliseconds, but not as each other."""
    fine, cut, finer = (
        _event(event_recorded_time=_RECORDED.replace(microsecond=us)) for us in (394_999, 394_000, 394_001)
    )
    with TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder), create=True)
        lake.append(_rows([fine]), source="a", version=1)
        lake.table.reload()
        assert without_duplicates(lake.table, _rows([cut, finer])).num_rows == 1


def _kept_again(first: Row, second: Row) -> int:
    """How many rows of the second are kept once the first is in a lake; the same as if both came at once."""
    with TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder), create=True)
        kept: int = without_duplicates(lake.table, _rows([first, second])).num_rows - 1
        lake.append(_rows([first]), source="a", version=1)
        lake.table.reload()
        assert without_duplicates(lake.table, _rows([second])).num_rows == kept
        return kept


def test_many_rows_of_one_record_id_take_no_time_that_grows_with_their_square() -> None:
    """A counter that stands still: each row is compared with those of its time only."""
    count = 50_000
    events = pa.table(
        {
            "computer_name": pa.array(["a"] * count),
            "channel": pa.array(["x"] * count),
            "record_id": pa.array([0] * count),
            "event_creation_time": pa.array(range(count), pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    with TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder), create=True)
        rows = CONNECTIONS.widened(events)
        # The first of each millisecond is the others, cut.
        assert without_duplicates(lake.table, rows).num_rows == count // 1_000
        assert without_duplicates(lake.table, rows.slice(1)).num_rows == 999 + count // 1_000 - 1


def test_a_log_of_one_record_id_and_one_creation_time_is_compared_row_by_row_not_pair_by_pair() -> None:
    """Compared pair by pair these rows take minutes, and gigabytes."""
    count = 100_000
    for step, kept in ((1_500, count), (0, 1)):
        rows = pa.concat_tables([_rows([_event()])] * count).combine_chunks()
        times = pa.array([_RECORDED + timedelta(microseconds=step * number) for number in range(count)])
        at = rows.schema.get_field_index(TIMES[1])
        rows = rows.set_column(at, rows.schema.field(at), times.cast(rows.schema.field(at).type))
        with TemporaryDirectory() as folder:
            lake = Lake.open(Path(folder), create=True)
            new = without_duplicates(lake.table, rows)
            assert new.num_rows == kept
            lake.append(new, source="a", version=1)
            lake.table.reload()
            assert without_duplicates(lake.table, rows).num_rows == 0


@pytest.mark.parametrize("seed", range(8))
def test_many_rows_of_few_record_ids_are_the_reference(seed: int) -> None:
    random = Random(seed)
    times = [None, *(_MIDNIGHT + timedelta(microseconds=us) for us in (-1_000, -1, 0, 1, 2, 999, 1_000, 1_001))]
    events: list[Row] = [
        _event(
            computer_name=random.choice(["a", "a", "b", None]),
            record_id=random.choice([1, 2]),
            event_creation_time=random.choice(times),
            event_recorded_time=random.choice(times),
        )
        for _ in range(400)
    ]
    with TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder), create=True)
        lake.append(_rows(events[:1]), source="a", version=1)
        lake.table.reload()
        rows = _rows(events).append_column("number", pa.array(range(len(events))))
        [_, kept] = _expected([events[:1], events])
        assert without_duplicates(lake.table, rows)["number"].to_pylist() == kept
