"""Correlate a stream of batches: turn events that match rules into episodes, and these into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from procwire.event import LIVE_SCHEMA
from procwire.sigma.matching.episode_tracker import Episode, EpisodeTracker
from procwire.sigma.matching.hits import NO_HITS, as_json, hit_batch, rule_columns
from procwire.sigma.matching.matcher import Found
from procwire.sigma.model.rule import Rule

__all__ = ["CorrelationStream", "correlation_columns"]

_TIMES = ("event_creation_time", "event_recorded_time")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def correlation_columns(rule: Rule) -> tuple[str, ...]:
    """Return the columns that a correlation needs in addition to those of its rules."""
    correlation = rule.correlation
    assert correlation is not None
    grouped = (name for names in correlation.group_by.values() for name in names)
    return tuple(dict.fromkeys((*_TIMES, *grouped, *correlation.value)))


class CorrelationStream:
    """Run a correlation rule over batches.

    places: for each of its rules, the index among the matcher's rules.
    """

    def __init__(self, rule: Rule, places: Sequence[int], *, live: bool) -> None:
        assert rule.correlation is not None
        self._rule = rule
        self._correlation = rule.correlation
        self._own = {place: own for own, place in enumerate(places)}
        self._tracker = EpisodeTracker(rule.correlation, live=live)

    def add(self, batch: pa.RecordBatch, rows: Sequence[int], found: Sequence[Iterable[Found]]) -> pa.RecordBatch:
        """Return the episodes that the events of a batch begin or end, as rows."""
        matching = [
            (row, own)
            for row, several in zip(rows, found, strict=True)
            if (own := [self._own[one.rule] for one in several if one.rule in self._own])
        ]
        return self._rows(self._episodes(batch, matching))

    def finish(self) -> pa.RecordBatch:
        """Return the episodes that are open when a log ends."""
        return self._rows(self._tracker.finish())

    def _episodes(self, batch: pa.RecordBatch, matching: Sequence[tuple[int, list[int]]]) -> Iterator[Episode]:
        if not matching:
            return
        events = batch.take(pa.array([row for row, _ in matching], pa.int64()))
        values = {name: _values(events, name) for name in correlation_columns(self._rule)}
        for row, (_, own) in enumerate(matching):
            time_us = values[_TIMES[0]][row] if values[_TIMES[0]][row] is not None else values[_TIMES[1]][row]
            if time_us is None:
                continue
            for key, places in self._keys(values, row, own).items():
                value = values[self._correlation.value[places[0]]][row] if self._correlation.value else None
                yield from self._tracker.add(time_us, places, key, value)

    def _keys(self, values: dict[str, list[Any]], row: int, own: Sequence[int]) -> dict[tuple[Any, ...], list[int]]:
        """Return the event's groups, each with the rules that match in it: rules may use different columns."""
        keys: dict[tuple[Any, ...], list[int]] = {}
        for place in own:
            key = tuple(values[names[place]][row] for names in self._correlation.group_by.values())
            keys.setdefault(key, []).append(place)
        return keys

    def _rows(self, episodes: Iterable[Episode]) -> pa.RecordBatch:
        found = list(episodes)
        if not found:
            return NO_HITS
        columns = rule_columns([self._rule] * len(found))
        names = list(self._correlation.group_by)
        columns["matched"] = pa.array([as_json(dict(zip(names, one.key, strict=True))) for one in found], pa.string())
        columns["correlated_events"] = pa.array([one.events for one in found], pa.int64())
        columns["correlated_value"] = pa.array([float(one.figure) for one in found], pa.float64())
        columns["first_seen"] = pa.array([_time(one.first_us) for one in found], pa.timestamp("us", tz="UTC"))
        columns["last_seen"] = pa.array([_time(one.last_us) for one in found], pa.timestamp("us", tz="UTC"))
        columns["event_creation_time"] = columns["last_seen"]
        for place, grouped in enumerate(self._correlation.group_by.values()):
            if grouped[0] in LIVE_SCHEMA.names and len(set(grouped)) == 1:
                type_ = LIVE_SCHEMA.field(grouped[0]).type
                columns[grouped[0]] = pa.array([one.key[place] for one in found], type_)
        return hit_batch(columns, None, len(found))


def _values(events: pa.RecordBatch, name: str) -> list[Any]:
    place = events.schema.get_field_index(name)
    if place < 0:
        return [None] * events.num_rows
    column = events.column(place)
    values: list[Any] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return values


def _time(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
