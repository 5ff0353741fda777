"""Beacons as one would write them in Polars in an afternoon: the peer of procwire's hunt in benchmarks.

Per computer, process, destination and port, and day by day: timestamp score (Bowley's skewness and the median absolute
deviation of the intervals), histogram score (24 hours, 1 - variation) and duration score, a third each; the best day
counts. No modifiers, no reasons, no sizes. (Over months at once a beacon of some days has no chance: most of the 24
bins are empty.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

__all__ = ["KEY", "beacons"]

KEY = ("computer_name", "process_name", "dst_ip", "dst_port")
_DAILY = (*KEY, "day")
_FEWEST, _MOST, _HOURS, _HOUR_MS = 4, 86_400, 24, 3_600_000


def beacons(files: Sequence[Path]) -> pl.DataFrame:
    """Return all pairs that connected often enough on a day, the best score first."""
    events = pl.scan_parquet(list(files)).filter(pl.col("network_connection_initiated"))
    times = events.select(*KEY, at=pl.col("event_creation_time").dt.epoch("ms"))
    daily = times.with_columns(day=pl.col("at") // (_HOURS * _HOUR_MS))
    groups = daily.group_by(_DAILY).agg(pl.col("at").unique().sort(), connections=pl.len())
    many = (pl.col("connections") < _MOST) & (pl.col("at").list.len() >= _FEWEST)
    pairs = groups.filter(many).collect(engine="streaming")
    scored = _timestamps(pairs).join(_hours(pairs), on=_DAILY)
    score = (pl.col("timestamp_score") + pl.col("histogram_score") + pl.col("duration_score")) / 3
    best = scored.with_columns(score=score).sort("score", descending=True)
    return best.unique(KEY, keep="first", maintain_order=True)


def _timestamps(pairs: pl.DataFrame) -> pl.DataFrame:
    gap_s = pl.col("at").list.diff(null_behavior="drop").list.eval(pl.element() / 1000)
    gaps = pairs.select(*_DAILY, "connections", gap_s=gap_s).explode("gap_s")
    low, middle, high = (pl.col("gap_s").quantile(part, "linear") for part in (0.25, 0.5, 0.75))
    spread = (pl.col("gap_s") - pl.col("gap_s").median()).abs().median()
    quartiles = gaps.group_by(_DAILY).agg(
        pl.col("connections").first(), low=low, middle=middle, high=high, deviation=spread
    )
    wide = (pl.col("high") - pl.col("low") >= 10) & pl.col("middle").is_between("low", "high", closed="none")
    skew = (pl.col("low") + pl.col("high") - 2 * pl.col("middle")) / (pl.col("high") - pl.col("low"))
    bowley = pl.when(wide).then(skew.abs()).otherwise(0.0)
    steady = pl.when(pl.col("middle") < 1).then(1.0).otherwise(1 - pl.col("deviation") / pl.col("middle"))
    return quartiles.with_columns(timestamp_score=(1 - bowley + steady.clip(0, 1)) / 2)


def _hours(pairs: pl.DataFrame) -> pl.DataFrame:
    hour = (pl.col("at") // _HOUR_MS).alias("hour")
    counts = pairs.select(*_DAILY, "at").explode("at").group_by(*_DAILY, hour).len()
    # Include the empty hours, which have no rows, in the variance.
    mean = pl.col("len").sum() / _HOURS
    variation = ((pl.col("len") ** 2).sum() / _HOURS - mean**2).sqrt() / mean
    spans = counts.group_by(_DAILY).agg(
        histogram_score=(1 - variation).clip(0, 1),
        bars=pl.len(),
        span=(pl.col("hour").max() - pl.col("hour").min() + 1) / _HOURS,
    )
    long = pl.when(pl.col("bars") >= 6).then(pl.max_horizontal("span", pl.col("bars") / 12).clip(0, 1)).otherwise(0.0)
    return spans.select(*_DAILY, "histogram_score", duration_score=long)
