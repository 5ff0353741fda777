"""Views, functions, and what SQL says differently: the same rows on DuckDB and on a cluster of Spark."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from agreement import Engines
from odd_rows import ODD_TEXTS
from sql_cases import ADDRESSES, AGGREGATES, EXPRESSIONS, NETWORKS, NO_NETWORKS

from procwire.engine import literal
from procwire.errors import UsageError
from procwire.event import DNS_QUERY, PROCESS_CREATION, Event
from procwire.lake import Lake
from procwire.lake.schema import TABLE_SCHEMA
from procwire.query import connect_lake
from procwire.query.views import VIEWS
from procwire.spark.connection import prepare
from procwire.sysmon import compile_sql, parse

pytestmark = pytest.mark.filterwarnings("ignore")

FUNCTIONS = ("ip_bytes", "ip_scope", "is_private", "is_loopback", "is_multicast", "is_global")
_ROOT = Path(__file__).parents[2]
CONFIGURATIONS = sorted([*(_ROOT / "tests/data/configs").rglob("*.xml"), *(_ROOT / "examples/configs").rglob("*.xml")])


def values(texts: tuple[str, ...], name: str) -> str:
    """A table of texts."""
    return f"(VALUES {', '.join(f'({literal(text)})' for text in (*texts,))}, (NULL)) AS {name}s({name})"


def test_rows_are_the_same_whatever_their_type(engines: Engines) -> None:
    """Every column of the table, stored and derived; Spark's types are those of the lake, `day` too."""
    query = "SELECT * FROM connections WHERE record_id >= 9000000 OR record_id IS NULL OR src_port % 37 = 0"
    answer = engines.agree(query)
    assert answer.num_rows > 1_000
    types = {field.name: field.type for field in engines.spark.sql(query).to_arrow_reader().schema}
    expected = {field.name: field.type for field in TABLE_SCHEMA}
    assert {name: types[name] for name in expected} == expected


def test_a_period_is_the_same(engines: Engines, conformance_lake: Lake) -> None:
    """Of all days a part; the context of connections is looked for in all."""
    [[noon]] = engines.duckdb.sql("SELECT quantile_disc(event_creation_time, 0.5) FROM connections").fetchall()
    bounds = [noon - timedelta(hours=9), noon + timedelta(hours=9)]
    prepare(engines.spark.session, conformance_lake, *bounds)
    try:
        with connect_lake(conformance_lake.location, since=bounds[0], until=bounds[1]) as duckdb:
            both = Engines(duckdb, engines.spark)
            asked = "min(event_creation_time), max(event_creation_time)"
            answer = both.agree(f"SELECT count(*) AS n, count(process_parent_name), {asked} FROM enriched")
            assert 0 < answer["n"][0].as_py() < engines.duckdb.sql("FROM connections").count("*").fetchall()[0][0]
            both.agree(f"SELECT count(*) AS n, {asked} FROM dns_queries")
    finally:
        prepare(engines.spark.session, conformance_lake)


@pytest.mark.parametrize("view", VIEWS)
def test_view_is_the_same(view: str, engines: Engines) -> None:
    assert engines.agree(f"FROM {view}").num_rows


@pytest.mark.parametrize("event", [PROCESS_CREATION, DNS_QUERY], ids=lambda event: event.table)
def test_table_of_context_is_the_same(event: Event, engines: Engines) -> None:
    assert engines.agree(f"FROM {event.table}").num_rows > 500


def test_connections_with_their_context_are_the_same(engines: Engines) -> None:
    """And as many as there are without."""
    kept = "record_id >= 9000000 OR record_id IS NULL OR src_port % 7 = 0"
    answer = engines.agree(f"SELECT * FROM enriched WHERE {kept}")
    assert engines.agree(f"SELECT count(*) AS n FROM connections WHERE {kept}")["n"].to_pylist() == [answer.num_rows]
    for name in ("process_command_line", "process_parent_name", "dns_query_name"):
        assert answer.num_rows > answer[name].null_count


def test_functions_on_addresses(engines: Engines) -> None:
    """Text in every spelling, and what is no address; and the same as 16 bytes."""
    calls = ", ".join(
        f"{name}(ip) AS {name}, {name}(unhex(hex(ip_bytes(ip)))) AS {name}_of_bytes" for name in FUNCTIONS
    )
    answer = engines.agree(f"SELECT ip, {calls} FROM {values(ADDRESSES, 'ip')}")
    assert answer.num_rows == len(ADDRESSES) + 1
    assert len(set(answer["ip_scope"].to_pylist())) == 11


def test_functions_where_spark_has_none_of_its_own(engines: Engines) -> None:
    """In an order, a group, a condition of groups and of a join, and over what is computed."""
    answer = engines.agree(
        "SELECT is_private(dst_ip) AS private, count(*) AS n, count(DISTINCT ip_scope(lower(dst_ip))) AS scopes"
        " FROM connections GROUP BY is_private(dst_ip) HAVING count(*) > 1 ORDER BY is_private(dst_ip), 2",
        in_order=True,
    )
    assert answer.num_rows == 3
    engines.agree(
        "SELECT dst_ip, network, count(*) AS n FROM connections"
        f" JOIN {values(('10.0.0.0/8', '2001:db8::/32'), 'network')} ON ip_in(dst_ip, network) GROUP BY ALL"
    )


def test_networks_that_a_column_names(engines: Engines) -> None:
    cross = f"{values(ADDRESSES, 'ip')} CROSS JOIN {values(NETWORKS, 'network')}"
    answer = engines.agree(f"SELECT ip, network, ip_in(ip, network) AS is_in FROM {cross}")
    assert sum(1 for is_in in answer["is_in"].to_pylist() if is_in) > 100
    ends = "network_first(network) AS low, network_last(network) AS high"
    engines.agree(f"SELECT network, {ends} FROM {values(NETWORKS + NO_NETWORKS, 'network')}")


def test_networks_that_the_query_names(engines: Engines) -> None:
    """They are computed beforehand."""
    calls = ", ".join(f"ip_in(ip, {literal(network)}) AS n{place}" for place, network in enumerate(NETWORKS))
    engines.agree(f"SELECT ip, {calls} FROM {values(ADDRESSES, 'ip')}")


@pytest.mark.parametrize("network", ["10.0.0.0/33", "ten"])
def test_what_is_no_network_is_an_error_on_both(network: str, engines: Engines) -> None:
    query = f"SELECT count(*) FROM connections WHERE ip_in(dst_ip, '{network}')"
    with pytest.raises(Exception, match=f"found network {network}, expected one such as"):
        engines.duckdb.sql(query).to_arrow_table()
    with pytest.raises(UsageError, match=f"found network {network}, expected one such as"):
        engines.spark.sql(query).to_arrow_reader()


PARAMETERS: dict[str, object] = {"share": 0.07, "least": 3, "many": [1, 2, 30], "none": [], "names": ["a", "it's"]}


def source() -> str:
    """Odd texts, numbers of which one is missing, and times of which some have fractions."""
    rows = ", ".join(f"({literal(text)}, {number})" for number, text in enumerate(ODD_TEXTS, 1))
    return (
        "SELECT t, n, TIMESTAMPTZ '2026-01-04 23:59:58.75+00' + INTERVAL 1 MILLISECOND * (n * n * 977) AS later,"
        " TIMESTAMPTZ '2026-01-04 23:59:59.5+00' AS earlier"
        f" FROM (SELECT t, CAST(n AS BIGINT) AS n FROM (VALUES {rows}, (NULL, NULL)) AS odd(t, n))"
    )


def test_expressions(engines: Engines) -> None:
    """Each of them, over each of the odd texts; in one query, for that takes a second."""
    from datetime import UTC, datetime

    asked = ", ".join(f"{expression} AS e{place}" for place, expression in enumerate(EXPRESSIONS))
    params = {**PARAMETERS, "since": datetime(2026, 1, 5, tzinfo=UTC)}
    engines.agree(f"SELECT n, {asked} FROM ({source()})", params=params)


def test_aggregates(engines: Engines) -> None:
    """With groups of one, of several, and of what is null."""
    asked = ", ".join(f"{expression} AS a{place}" for place, expression in enumerate(AGGREGATES))
    engines.agree(f"SELECT n % 3 AS g, {asked} FROM ({source()}) GROUP BY ALL")
    engines.agree(f"SELECT {asked} FROM ({source()}) WHERE n > 1000")


def test_nulls_come_last(engines: Engines) -> None:
    answer = engines.agree(f"SELECT n FROM ({source()}) ORDER BY n DESC LIMIT 100", in_order=True)
    assert answer["n"].to_pylist()[-1] is None
    engines.agree(f"SELECT t, n FROM ({source()}) ORDER BY t, n", in_order=True)


def test_names_that_are_used_twice_are_computed_once(engines: Engines) -> None:
    """And give what they gave: rows by groups, joined to themselves."""
    answer = engines.agree(
        "WITH grouped AS (SELECT dst_port, count(*) AS n FROM connections GROUP BY dst_port),"
        " most AS (SELECT max(n) AS n FROM grouped)"
        " SELECT a.dst_port, a.n, b.n AS again FROM grouped AS a JOIN grouped AS b ON a.dst_port = b.dst_port, most"
        " WHERE a.n < most.n"
    )
    assert answer.num_rows > 3


@pytest.mark.parametrize("path", CONFIGURATIONS[:6], ids=lambda path: path.name)
def test_rules_of_a_configuration(path: Path, engines: Engines) -> None:
    """What `rules.compile_sql` makes decides the same about every row."""
    decision = compile_sql(parse(path.read_bytes(), str(path)))
    where = "record_id >= 9000000 OR record_id IS NULL OR src_port % 37 = 0"
    answer = engines.agree(f"SELECT event_creation_time, record_id, {decision} AS rule FROM connections WHERE {where}")
    assert pa.types.is_string(answer.schema.field("rule").type)


@pytest.mark.parametrize(
    ("query", "reported"),
    [
        ("SELECT nosuch FROM connections", "nosuch"),
        ("SELECT * FROM nosuch", "nosuch"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("DROP VIEW connections", "found DROP, expected a query"),
        ("SELECT 1; SELECT 2", "found 2 statements, expected one"),
        ("SELECT CAST(process_name AS INTEGER) FROM connections", "cannot be cast"),
    ],
)
def test_mistakes_are_reported_in_a_line(query: str, reported: str, engines: Engines) -> None:
    with pytest.raises(UsageError, match=reported) as caught:
        engines.spark.sql(query).to_arrow_reader()
    assert "\n" not in str(caught.value)
