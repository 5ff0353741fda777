"""Durations and sizes as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from procwire.errors import UsageError
from procwire.units import age, point_in_time, seconds, size_bytes


@pytest.mark.parametrize(
    ("text", "value"),
    [("10s", 10), ("10", 10), ("5m", 300), ("5 min", 300), ("1.5h", 5_400), ("500ms", 0.5), ("2D", 172_800)],
)  # fmt: skip
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("100MB", 100_000_000), ("1GiB", 1 << 30), ("64k", 65_536), ("1.5 kb", 1_500), ("7", 7)]
)
def test_sizes(text: str, value: int) -> None:
    assert size_bytes(text) == value


@pytest.mark.parametrize("text", ["", "s", "0s", "-1s", "10x", "1h30m", "1e3", "ten"])
def test_others_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="expected a duration such as 10s, 5m or 1h"):
        seconds(text)
    with pytest.raises(UsageError, match="expected a size such as 100MB or 1GiB"):
        size_bytes(text)


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("1d", 1), (" 12 W ", 84), ("36500d", 36_500), ("007d", 7)])
def test_an_age_is_whole_days_or_weeks(text: str, days: int) -> None:
    assert age(text) == timedelta(days=days)


@pytest.mark.parametrize(
    "text",
    [
        "", "90", "0", "0d", "0w", "-1d", "+90d", "1.5d", "90.0d", "90s", "90m", "3m", "5min", "48h", "6mo", "6M", "1y",
        "90dd", "90d 12w", "90d,", "36501d", "99999w", "9" * 5_000 + "d", "1e3d", "inf", "nand", "soon", "2024-03-01",
        "\uff19\uff10d", "9\u00b2d", "d", "0x90d",
    ],
)  # fmt: skip
def test_what_deletes_takes_no_other_age(text: str) -> None:
    """A bare number, and units that could mean minutes or months, deleted lakes."""
    with pytest.raises(UsageError, match="expected days or weeks with their unit, such as 90d or 12w"):
        age(text)


@pytest.mark.parametrize("text", ["99999999999999d", "9" * 5_000, "9" * 400 + ".5h", "36501d", "0.0001ms"])
def test_durations_and_sizes_have_limits(text: str) -> None:
    with pytest.raises(UsageError, match="expected a duration from 1ms to 36500d"):
        seconds(text)
    with pytest.raises(UsageError, match="expected a time such as"):
        point_in_time(text)


@pytest.mark.parametrize("text", ["9" * 400, "9999999999999999 GiB", "0.1b"])
def test_a_size_is_one_that_a_file_can_have(text: str) -> None:
    with pytest.raises(UsageError, match="expected a size from 1 byte"):
        size_bytes(text)
