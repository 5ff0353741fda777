"""The period of a query: from `since` (included) to `until` (excluded)."""

from __future__ import annotations

from datetime import UTC, datetime

from procwire.errors import UsageError

__all__ = ["check_period", "utc", "within"]

_TIME = "coalesce(event_creation_time, event_recorded_time)"


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raise UsageError for an empty period. Times without a zone are UTC."""
    if since is not None and until is not None and utc(until) <= utc(since):
        raise UsageError(f"found until {utc(until):%Y-%m-%dT%H:%M:%SZ}, expected a time after since, "
                         f"which is {utc(since):%Y-%m-%dT%H:%M:%SZ}")  # fmt: skip


def within(since: datetime | None, until: datetime | None) -> str:
    """Return the WHERE clause for the events of a period, in DuckDB's SQL; empty without bounds.

    Events without any time are in no period.
    """
    bounds = [f"{_TIME} {operator} TIMESTAMPTZ '{utc(time).isoformat()}'"
              for operator, time in ((">=", since), ("<", until)) if time is not None]  # fmt: skip
    return f" WHERE {' AND '.join(bounds)}" if bounds else ""


def utc(time: datetime) -> datetime:
    """Return a time in UTC. A time without a zone is treated as UTC."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
