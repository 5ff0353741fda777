"""Selections over batches: columns and their names, predicates, order, limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.engine import connect
from procwire.errors import UsageError
from procwire.event import DERIVED, FIELDS, fields
from procwire.select import STORED_GROUPS, TEXT_GROUPS, Selection

if TYPE_CHECKING:
    from procwire.choices import Names


def rows(selection: Selection, *batches: pa.RecordBatch) -> list[dict[str, Any]]:
    found = list(selection.apply(batches))
    assert all(batch.schema == selection.schema and batch.num_rows for batch in found)
    return [row for batch in found for row in batch.to_pylist()]


def ports(selection: Selection, *batches: pa.RecordBatch) -> list[int]:
    return [row["dst_port"] for row in rows(selection, *batches)]


@pytest.mark.parametrize("names", ["ossem", "sysmon", "ossem-cdm"])
def test_every_column_has_its_name_in_each_vocabulary(names: Names, batch_of: BatchOf) -> None:
    """Stored and derived ones; the values are the same under every name."""
    every = [field.named(names) for field in FIELDS + DERIVED]
    [row] = rows(Selection(names=names, columns=every), batch_of({}))
    [standard] = rows(Selection(columns=[field.name for field in FIELDS + DERIVED]), batch_of({}))
    assert list(row) == every
    assert list(row.values()) == list(standard.values())


def test_without_columns_those_of_the_groups_are_kept(batch_of: BatchOf) -> None:
    [row] = rows(Selection(), batch_of({}))
    assert list(row) == [field.name for field in fields(*TEXT_GROUPS)]
    [stored] = rows(Selection(groups=STORED_GROUPS), batch_of({}))
    assert list(stored) == [field.name for field in FIELDS]


def test_columns_come_in_the_order_asked_for(batch_of: BatchOf) -> None:
    [row] = rows(Selection(columns=["dst_port", "process_base_name", "src_ip"]), batch_of({}))
    assert list(row.items()) == [("dst_port", 138), ("process_base_name", "System"), ("src_ip", "192.168.64.255")]


def test_a_column_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'dst_port'"):
        Selection(columns=["dest_port"])
    with pytest.raises(UsageError, match="found column 'dst_port', expected one of the sysmon names"):
        Selection(names="sysmon", columns=["dst_port"])
    with pytest.raises(UsageError, match="found a column twice"):
        Selection(columns=["dst_port", "dst_port"])
    with pytest.raises(UsageError, match="found column 'port'"):
        Selection(sort=["port"])


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("C:\\Windows\\System32\\svchost.exe", "svchost.exe"),
        ("/usr/bin/curl", "curl"),
        ("System", "System"),
        ("C:\\Program Files\\a b\\c d.exe", "c d.exe"),
        ("C:\\mixed/slashes\\x", "x"),
        ("C:\\ends\\", None),
        ("<unknown process>", "<unknown process>"),
        (None, None),
    ],
)
def test_base_name_is_the_last_part_of_either_kind_of_path(
    path: str | None, base: str | None, batch_of: BatchOf
) -> None:
    [row] = rows(Selection(columns=["process_base_name"]), batch_of({"process_name": path}))
    assert row["process_base_name"] == base


@pytest.mark.parametrize(
    ("user", "domain", "account"),
    [
        ("NT AUTHORITY\\SYSTEM", "NT AUTHORITY", "SYSTEM"),
        ("root", None, "root"),
        ("S-1-5-21-1-2-3-500", None, "S-1-5-21-1-2-3-500"),
        ("\\user", None, "user"),
        (None, None, None),
    ],
)
def test_users_have_a_domain_or_none(
    user: str | None, domain: str | None, account: str | None, batch_of: BatchOf
) -> None:
    [row] = rows(Selection(columns=["user_domain", "user_account"]), batch_of({"user_name": user}))
    assert (row["user_domain"], row["user_account"]) == (domain, account)


@pytest.mark.parametrize(
    ("guid", "start"),
    [
        # 5ACD957F hex is 1523422591: 2018-04-11 04:56:31.
        ("{A98268C1-957F-5ACD-0000-0010EB030000}", datetime(2018, 4, 11, 4, 56, 31, tzinfo=UTC)),
        ("{00000000-0000-0000-0000-000000000000}", None),
        # Beyond 2038: the time is unsigned.
        ("{00000000-0000-8000-0000-000000000000}", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        (None, None),
    ],
)
def test_start_of_the_process_is_in_its_guid(guid: str | None, start: datetime | None, batch_of: BatchOf) -> None:
    [row] = rows(Selection(columns=["process_start_time"]), batch_of({"process_guid": guid}))
    assert row["process_start_time"] == start


EARLY, LATE = datetime(2019, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2019, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("initiated", "protocol", "src", "dst", "time", "side"),
    [
        (True, "tcp", None, None, EARLY, "src"),
        (True, "udp", None, "me", LATE, "src"),
        (None, "tcp", "me", None, LATE, None),
        (False, "udp", None, "me", LATE, "src"),
        (False, "tcp", "ME.lan", "you", EARLY, "src"),
        (False, "tcp", "you", "me.example.org", EARLY, "dst"),
        (False, "tcp", "mermaid", "you", EARLY, None),
        (False, "tcp", None, None, EARLY, None),
        (False, "tcp", None, None, LATE, "dst"),
        (False, "tcp", "me", None, LATE, "src"),
        (False, "tcp", None, None, None, None),
    ],
)
def test_local_side(
    initiated: bool | None,
    protocol: str,
    src: str | None,
    dst: str | None,
    time: datetime | None,
    side: str | None,
    batch_of: BatchOf,
) -> None:
    """Initiated: the source. Else UDP's source; else the end that has the machine's name; else, since December
    2019, the destination; else it is not known."""
    batch = batch_of(
        {
            "network_connection_initiated": initiated,
            "network_protocol": protocol,
            "src_host_name": src,
            "dst_host_name": dst,
            "event_creation_time": time,
            "computer_name": "me.lan",
        }
    )
    [row] = rows(Selection(columns=["local_side"]), batch)
    assert row["local_side"] == side


@pytest.fixture
def numbered(batch_of: BatchOf) -> list[pa.RecordBatch]:
    """Three batches with ports 5, 1, null; 3, 3; 2."""
    return [
        batch_of({"dst_port": 5}, {"dst_port": 1}, {"dst_port": None}),
        batch_of({"dst_port": 3, "process_id": 1}, {"dst_port": 3, "process_id": 2}),
        batch_of({"dst_port": 2}),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("dst_port > 2", [5, 3, 3]),
        ("dst_port IS NULL", [None]),
        ("true", [5, 1, None, 3, 3, 2]),
        ("NULL", []),
        ("dst_port = 1 OR dst_port = 2", [1, 2]),
        ("dst_port > 2 -- those above two", [5, 3, 3]),
        ("/* all */ dst_port < 3", [1, 2]),
        ("process_base_name = 'System' AND dst_port = 5", [5]),
        ("dst_ip_bytes BETWEEN '\\x00'::BLOB AND '\\xFF'::BLOB AND dst_port = 1", [1]),
    ],
)
def test_where_keeps_the_rows_that_it_is_true_for(
    where: str, expected: list[int | None], numbered: list[pa.RecordBatch]
) -> None:
    assert ports(Selection(where=where), *numbered) == expected


def test_where_speaks_the_vocabulary_of_the_columns(numbered: list[pa.RecordBatch]) -> None:
    found = rows(Selection(names="sysmon", columns=["DestinationPort"], where="DestinationPort = 5"), *numbered)
    assert found == [{"DestinationPort": 5}]
    with pytest.raises(UsageError, match=r"SQL: .*dst_port"):
        Selection(names="sysmon", where="dst_port = 5")


@pytest.mark.parametrize(
    "where",
    [
        "dst_port = ",
        "no_such_column = 1",
        "dst_port = 'a port'",
        "count(*) > 1",
        "",
        "true) OR (true",
        "true); DROP TABLE batch; --",
        "true) UNION SELECT * FROM batch WHERE (true",
        "true) LIMIT 1 --",
        "/* without an end",
        "no_such_function(dst_port)",
    ],
)
def test_sql_that_cannot_be_used_is_refused_before_anything_is_read(where: str) -> None:
    with pytest.raises(UsageError, match=r"^SQL: "):
        Selection(where=where)


def test_predicates_reach_no_file(tmp_path: Path) -> None:
    """A predicate from someone else evaluates events; it opens nothing on this machine."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(UsageError, match=r"^SQL: "):
        Selection(where=f"EXISTS (SELECT 1 FROM read_csv('{tmp_path}/secret.csv'))")
    with pytest.raises(UsageError, match=r"^SQL: "):
        Selection(where=f"EXISTS (SELECT 1 FROM '{tmp_path}/secret.csv')")


def test_times_in_predicates_are_utc(batch_of: BatchOf) -> None:
    """In any time zone of the machine."""
    batch = batch_of({"event_creation_time": datetime(2020, 1, 1, 12, tzinfo=UTC), "dst_port": 1})
    for where in ("event_creation_time = '2020-01-01 12:00:00'", "hour(event_creation_time) = 12"):
        assert ports(Selection(where=where), batch) == [1]
    assert connect().sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (["dst_port"], [1, 2, 3, 3, 5, None]),
        (["-dst_port"], [5, 3, 3, 2, 1, None]),
    ],
)
def test_sort_over_all_batches_puts_nulls_last(
    sort: list[str], expected: list[int | None], numbered: list[pa.RecordBatch]
) -> None:
    assert ports(Selection(sort=sort), *numbered) == expected


def test_sort_by_several_columns_of_which_one_is_not_kept(numbered: list[pa.RecordBatch]) -> None:
    selection = Selection(columns=["process_id"], sort=["dst_port", "-process_id"], where="dst_port = 3")
    assert rows(selection, *numbered) == [{"process_id": 2}, {"process_id": 1}]


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (1, [5]), (4, [5, 1, None, 3]), (99, [5, 1, None, 3, 3, 2])])
def test_limit_counts_rows_over_batches(limit: int, expected: list[int | None], numbered: list[pa.RecordBatch]) -> None:
    assert ports(Selection(limit=limit), *numbered) == expected
    with pytest.raises(UsageError, match="found limit -1, expected 0 or more"):
        Selection(limit=-1)


def test_limit_reads_no_further_than_it_must(numbered: list[pa.RecordBatch]) -> None:
    taken = []

    def source() -> Iterator[pa.RecordBatch]:
        for batch in numbered:
            taken.append(batch.num_rows)
            yield batch

    assert len(list(Selection(limit=3).apply(source()))) == 1
    assert taken == [3]
    assert list(Selection(limit=0).apply(source())) == []
    assert taken == [3]


def test_limit_comes_after_where_and_sort(numbered: list[pa.RecordBatch]) -> None:
    assert ports(Selection(where="dst_port < 5", sort=["-dst_port"], limit=2), *numbered) == [3, 3]


def test_batches_without_rows_give_none(batch_of: BatchOf, numbered: list[pa.RecordBatch]) -> None:
    """Neither a predicate that leaves nothing, nor an empty input, makes an empty batch."""
    empty = batch_of()
    for selection in (Selection(), Selection(where="false"), Selection(sort=["dst_port"])):
        assert list(selection.apply([])) == []
        assert list(selection.apply([empty, empty])) == []
    assert list(Selection(where="false").apply(numbered)) == []
    assert ports(Selection(), empty, *numbered, empty) == [5, 1, None, 3, 3, 2]


def test_types_survive_sql(numbered: list[pa.RecordBatch]) -> None:
    """DuckDB's results have the schema's types: int32 ports, microseconds, UTC."""
    plain = Selection(groups=STORED_GROUPS)
    by_sql = Selection(groups=STORED_GROUPS, where="true")
    assert pa.Table.from_batches(by_sql.apply(numbered)) == pa.Table.from_batches(plain.apply(numbered))
