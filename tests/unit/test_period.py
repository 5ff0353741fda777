"""A period: from `since` on, and before `until`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from procwire.errors import UsageError
from procwire.period import check_period, within

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def test_a_period_has_an_inside() -> None:
    for since, until in ((None, None), (NOON, None), (None, NOON), (NOON, NOON + timedelta(microseconds=1))):
        check_period(since, until)
    # A time without a zone is UTC, whatever the machine's zone is.
    check_period(NOON.astimezone(timezone(timedelta(hours=5))), NOON.replace(tzinfo=None) + timedelta(seconds=1))


@pytest.mark.parametrize("until", [NOON, NOON - timedelta(days=1), NOON.replace(tzinfo=None)])
def test_a_period_that_ends_first_is_reported(until: datetime) -> None:
    reported = rf"^found until {until:%F}T12:00:00Z, expected a time after since, which is 2024-03-01T12:00:00Z$"
    with pytest.raises(UsageError, match=reported):
        check_period(NOON, until)


def test_conditions_name_the_bounds_that_there_are() -> None:
    time = "coalesce(event_creation_time, event_recorded_time)"
    noon = "TIMESTAMPTZ '2024-03-01T12:00:00+00:00'"
    assert within(None, None) == ""
    assert within(NOON, None) == f" WHERE {time} >= {noon}"
    assert within(NOON, NOON) == f" WHERE {time} >= {noon} AND {time} < {noon}"
