"""Spark and lakes of older layouts: what they have, and null for columns that came later; and damage, with its file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import why_not

GOLDEN = Path(__file__).parents[1] / "data" / "lakes" / "0.1.0-a"
_LATER = Path(__file__).parents[1] / "unit" / "lake" / "later.py.txt"
_SCRIPT = """
import json
import pyarrow.parquet as pq
from procwire.errors import DamageError
from procwire.spark import connect
from procwire.spark.connection import prepare
from cluster import CONFIGURATION

def asked(connection, sql):
    return connection.sql(sql).to_arrow_reader().read_all().to_pylist()

reported = {}
lake = Lake.open(location)
with connect(lake, master="local[1]", configuration=CONFIGURATION) as connection:
    for name in ("connections", "process_creations", "dns_queries"):
        columns = "computer_name, record_id, process_guid, event_recorded_time"
        reported[name] = asked(connection, f"SELECT {columns} FROM {name} ORDER BY computer_name, record_id")
    reported["null"] = asked(connection, "SELECT count(weather) AS n FROM connections")
    lake.append([row(700, "rain"), row(701, None)], source="later", version=0)
    for state in ("mixed", "compact"):
        prepare(connection.session, Lake.open(location))
        sql = "SELECT count(*) AS rows, count(weather) AS n, max(weather) AS w FROM connections"
        reported[state] = asked(connection, sql)
        lake.compact()
    prepare(connection.session, Lake.open(location))
    path = Lake.open(location).files()[0]
    part = pq.read_metadata(path).row_group(0)
    columns = [part.column(number) for number in range(part.num_columns)]
    [column] = [column for column in columns if column.path_in_schema == "record_id"]
    content = bytearray(open(path, "rb").read())
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 16
    open(path, "wb").write(content)
    try:
        reported["damage"] = asked(connection, "SELECT max(record_id) AS n FROM connections")
    except DamageError as error:
        reported["damage"] = [str(error).startswith(path + ": cannot be read by Spark: "), str(error)]
print(json.dumps(reported, default=str))
"""


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is Java")
def test_older_lake_gives_its_rows_on_spark_and_null_for_later_columns(tmp_path: Path) -> None:
    """In a process of its own: its procwire has one more column, so it is a later version."""
    location = shutil.copytree(GOLDEN / "lake", tmp_path / "lake")
    script = _LATER.read_text() + _SCRIPT
    done = subprocess.run(
        [sys.executable, "-c", script, str(location)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout.splitlines()[-1])
    tables = json.loads((GOLDEN / "expected.json").read_text())["tables"]
    for name, rows in tables.items():
        keys = [(row["computer_name"], row["record_id"], row.get("process_guid")) for row in rows]
        assert [(row["computer_name"], row["record_id"], row["process_guid"]) for row in reported[name]] == keys
    count = len(tables["connections"])
    assert reported["null"] == [{"n": 0}]
    assert reported["mixed"] == reported["compact"] == [{"rows": count + 2, "n": 1, "w": "rain"}]
    assert reported["damage"][0] is True, reported["damage"]
