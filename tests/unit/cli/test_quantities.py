"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest

from procwire.cli.quantities import seconds, size_bytes
from procwire.errors import UsageError


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
