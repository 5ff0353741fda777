"""The complete query runs as it is, and gives what the configuration logs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import procwire
from procwire.sysmon.evaluate import decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.parse import load, parse
from procwire.sysmon.query import query

CONFIGS = Path(__file__).parents[3] / "examples" / "configs"


@pytest.mark.parametrize("config", sorted(path.name for path in CONFIGS.glob("*.xml")))
def test_query_gives_the_rows_that_are_logged_with_their_names(config: str, example_log: Path) -> None:
    configuration = load(CONFIGS / config)
    connections = procwire.read(example_log)
    found = duckdb.connect().register("connections", connections).sql(query(configuration)).to_arrow_table()
    expected = []
    for row in connections.to_pylist():
        decision = decide(configuration, sysmon_texts(row))
        if decision.logged:
            expected.append(row | {"rule_name": None if decision.rule_name == "-" else decision.rule_name})
    assert found.to_pylist() == expected
    assert found.column_names == connections.column_names


def test_comment_tells_the_columns_and_nothing_in_a_path_leaves_it() -> None:
    text = b'<Sysmon schemaversion="4.90"><EventFiltering><NetworkConnect onmatch="include"><SourceIp>::1</SourceIp>'
    text += b"<Image>a</Image></NetworkConnect></EventFiltering></Sysmon>"
    lines = query(parse(text, "a\n; DROP TABLE connections\n.xml")).splitlines()
    assert lines[:2] == [
        "-- The connections that a ; DROP TABLE connections .xml logs.",
        "-- The table has rule_name, and: process_name, src_ip, src_ip_bytes",
    ]
    assert lines[2].startswith("SELECT ")
