"""The view enriched: each connection once, with what made its process and the name that the process had asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import duckdb
import pytest

import hunting_ground
from context_rows import START, Row, creation, creations, queries, query
from procwire.engine import connect
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS
from procwire.query.enriched import ADDED
from procwire.query.views import prepare

A, B = "{A98268C1-957F-5ACD-0000-0010EB030000}", "{A98268C1-957F-5ACD-0000-0010EB030001}"
NOBODY = "{00000000-0000-0000-0000-000000000000}"


def connection(at_s: float | None, guid: str | None, dst_ip: str | None = "203.0.113.9", **changes: Any) -> Row:
    time = None if at_s is None else START + timedelta(seconds=at_s)
    made = {"event_creation_time": time, "computer_name": "WS-1", "process_guid": guid, "dst_ip": dst_ip, **changes}
    return hunting_ground.row(0, **made)


def prepared(
    connections: Sequence[Row],
    made: Sequence[Row] = (),
    asked: Sequence[Row] = (),
    *,
    since: datetime | None = None,
) -> duckdb.DuckDBPyConnection:
    database = connect(threads=1)
    context = {"process_creations": creations(made), "dns_queries": queries(asked)}
    prepare(database, hunting_ground.table(connections), context=context, since=since)
    return database


def column(database: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    return [value for (value,) in database.sql(f"SELECT {name} FROM enriched ORDER BY record_id").fetchall()]


def test_has_every_column_of_connections_and_the_added_ones() -> None:
    columns = prepared([]).sql("FROM enriched").columns
    own = [field.name for field in FIELDS + LIVE_FIELDS + DERIVED]
    assert columns == own + [name for name in ADDED if name not in own]
    assert {"process_command_line", "process_parent_command_line", "hash", "dns_query_name"} <= set(columns)


def test_without_context_the_tables_are_empty_and_rows_as_they_were() -> None:
    database = connect(threads=1)
    prepare(database, hunting_ground.table([connection(0, A, process_command_line="own")]))
    assert database.sql("FROM process_creations").fetchall() == database.sql("FROM dns_queries").fetchall() == []
    assert column(database, "process_command_line") == ["own"]


def test_process_is_the_last_that_was_created_by_then() -> None:
    rows = [connection(at_s, A, record_id=at_s) for at_s in (1, 10, 19, 20, 21)]
    made = [creation(10, A, "first"), creation(20, A, "second"), creation(5, B, "other")]
    assert column(prepared(rows, made), "process_command_line") == ["first", "first", "first", "second", "second"]


def test_clock_that_was_set_does_not_part_a_process_from_its_creation() -> None:
    assert column(prepared([connection(1, A)], [creation(10, A, "later")]), "process_command_line") == ["later"]


def test_values_of_a_recording_stay() -> None:
    rows = [connection(1, A, process_command_line="seen")]
    database = prepared(rows, [creation(0, A, "logged", process_parent_id=7)])
    assert column(database, "process_command_line") == ["seen"]
    assert column(database, "process_parent_id") == [7]


def test_same_identifier_on_another_computer_is_another_process() -> None:
    database = prepared([connection(1, A)], [creation(0, A, "x", computer_name="WS-2")], [])
    assert column(database, "process_command_line") == [None]


@pytest.mark.parametrize("guid", [None, NOBODY])
def test_connection_of_no_known_process_gets_nothing(guid: str | None) -> None:
    made, asked = [creation(0, guid, "x")], [query(0, guid, "x.example", "203.0.113.9")]
    database = prepared([connection(1, guid)], made, asked)
    assert (column(database, "process_command_line"), column(database, "dns_query_name")) == ([None], [None])


def test_creation_before_the_time_that_is_asked_for_counts() -> None:
    """Services run for months; the view of creations itself begins there, too."""
    database = prepared([connection(100, A)], [creation(0, A, "service")], since=START + timedelta(seconds=50))
    assert column(database, "process_command_line") == ["service"]
    assert database.sql("SELECT count(*) FROM process_creations").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("answers", "dst_ip"),
    [
        (("type:  5 www.example.net", "::ffff:203.0.113.9", "::ffff:203.0.113.10"), "203.0.113.9"),
        (("::ffff:203.0.113.9", "::ffff:203.0.113.10"), "203.0.113.10"),
        (("203.0.113.9",), "203.0.113.9"),
        (("::1", "::ffff:127.0.0.1"), "::1"),
        (("2001:DB8::1", "2001:db8::2"), "2001:db8::1"),
    ],
)
def test_name_is_that_whose_answer_has_the_address(answers: tuple[str, ...], dst_ip: str) -> None:
    asked = [query(0, A, "found.example", *answers), query(1, A, "other.example", "::ffff:198.51.100.1")]
    assert column(prepared([connection(2, A, dst_ip)], [], asked), "dns_query_name") == ["found.example"]


def test_name_is_the_last_that_was_asked_for_by_then() -> None:
    rows = [connection(at_s, A, record_id=at_s) for at_s in (1, 2, 3, 4)]
    asked = [query(2, A, "old.example", "203.0.113.9"), query(4, A, "new.example", "203.0.113.9"),
             query(2, B, "other.example", "203.0.113.9")]  # fmt: skip
    found = column(prepared(rows, [], asked), "dns_query_name")
    assert found == [None, "old.example", "old.example", "new.example"]


def last(rows: Sequence[Row], then: datetime, *, else_first: bool) -> Row | None:
    """The last of rows, which are in order, that is not after a time."""
    before = [row for row in rows if row["event_creation_time"] <= then]
    return before[-1] if before else rows[0] if rows and else_first else None


def expected(row: Row, made: Sequence[Row], asked: Sequence[Row]) -> tuple[str | None, str | None]:
    then, guid, computer = row["event_creation_time"], row["process_guid"], row["computer_name"]
    if then is None or guid in (None, NOBODY):
        return None, None

    def own(events: Sequence[Row]) -> list[Row]:
        same = [event for event in events if (event["computer_name"], event["process_guid"]) == (computer, guid)]
        mine = [event for event in same if event["event_creation_time"] is not None]
        return sorted(mine, key=lambda event: (event["event_creation_time"], event["record_id"]))

    answered = [event for event in own(asked) if answers(event, row["dst_ip"])]
    process, name = last(own(made), then, else_first=True), last(answered, then, else_first=False)
    return process["process_command_line"] if process else None, name["dns_query_name"] if name else None


def answers(event: Row, dst_ip: str | None) -> bool:
    texts = (event["dns_query_results"] or "").split(";")
    return dst_ip is not None and dst_ip in {text.removeprefix("::ffff:") for text in texts}


def test_rows_are_those_of_connections_and_what_is_joined_is_what_a_loop_finds() -> None:
    """Never doubled, never lost, whatever times and identifiers are null, equal or repeated: on many computers, each
    with a few events of few processes at few times."""
    random = Random(5)
    connections, made, asked = [], [], []

    def pick(*values: object) -> Any:
        return random.choice(values)

    def at() -> dict[str, Any]:
        return {"at_s": pick(None, 0, 1, 2, 3), "guid": pick(None, NOBODY, A, B)}

    for number in range(300):
        computer: dict[str, Any] = {"computer_name": f"WS-{number}"}
        some = range(random.randrange(8))
        connections += [connection(**at(), dst_ip=pick("203.0.113.9", "2001:db8::1", None), **computer) for _ in some]
        made += [creation(**at(), command_line=pick("a", "b", "c"), **computer) for _ in some]
        for _ in some:
            found = random.choices(["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1", "type:  5 a.example"], k=2)
            asked.append(query(*at().values(), pick("x.example", "y.example"), *found, **computer))
    for rows in (connections, made, asked):
        for number, row in enumerate(rows):
            row["record_id"] = number
    joined = prepared(connections, made, asked).sql(
        "SELECT record_id, process_command_line, dns_query_name FROM enriched ORDER BY record_id"
    )
    want = [(number, *expected(row, made, asked)) for number, row in enumerate(connections)]
    assert joined.fetchall() == want
    assert len({(line is None, name is None) for _, line, name in want}) == 4
