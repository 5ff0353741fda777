"""Counts and sizes in messages."""

from __future__ import annotations

import pytest

from procwire.words import counted_rows


@pytest.mark.parametrize(
    ("count", "rows", "text"),
    [
        (0, "connections", "0 connections"),
        (1, "network connections", "1 network connection"),
        (1, "DNS queries", "1 DNS query"),
        (1234, "DNS queries", "1,234 DNS queries"),
    ],
)
def test_one_row_is_singular(count: int, rows: str, text: str) -> None:
    assert counted_rows(count, rows) == text
