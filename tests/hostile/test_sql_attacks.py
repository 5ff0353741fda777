"""No SQL changes the lake or the evidence, reaches another file, or ends the process: attacks through every entry."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import procwire
from command_line import Result, invoke
from procwire.engine import one_predicate, one_query
from procwire.errors import ProcwireError, UsageError
from procwire.event import LIVE_SCHEMA
from procwire.query import Database
from procwire.recorder.predicates import Where
from procwire.spark.connection import SparkConnection

# {log}, {data}, {commit}: the lake's log, a Parquet file and a commit of it. {evidence}: a Parquet file that is asked.
# {outside}: a folder in which nothing may appear. {spill}: where DuckDB's temporary files lie.
QUERIES = {
    # What was found first
    "explain analyze copy": "EXPLAIN ANALYZE COPY (SELECT * FROM connections LIMIT 0) TO '{data}' (FORMAT parquet)",
    "truncate evidence": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{evidence}' (FORMAT parquet, USE_TMP_FILE false)",
    "forge a commit": "COPY (SELECT '{{\"remove\": {{}}}}') TO '{log}/00000000000000000009.json'",
    "find the lake": "SELECT current_setting('allowed_directories')",
    "several with a variable": "SET VARIABLE f = current_setting('allowed_directories'); COPY (SELECT 1) TO '{data}'",
    "memory limit": "SET memory_limit = '100GB'",
    "spill limit": "SET max_temp_directory_size = '1TB'",
    # COPY in every dress
    "copy": "COPY connections TO '{outside}/a.csv'",
    "copy with a comment before it": "/* SELECT 1 */ -- FROM x\n COPY (FROM connections) TO '{outside}/a.csv'",
    "copy to the spill folder": "COPY (SELECT 1) TO '{spill}/a.csv'",
    "copy partitioned": "COPY (SELECT 1 AS a) TO '{outside}/a' (FORMAT parquet, PARTITION_BY (a), OVERWRITE_OR_IGNORE)",
    "copy in a WITH": "WITH x AS (COPY (SELECT 1) TO '{outside}/a.csv') FROM x",
    "copy in a nested WITH": "FROM (WITH y AS (WITH x AS (COPY (SELECT 1) TO '{data}') FROM x) FROM y)",
    "copy in a WITH of a subquery": "SELECT (WITH x AS (COPY (SELECT 1) TO '{data}') SELECT count(*) FROM x)",
    "explain copy": "EXPLAIN COPY (SELECT 1) TO '{outside}/a.csv'",
    "explain analyze copy in parentheses": "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{data}'",
    "explain analyze copy in a WITH": "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{data}') FROM x",
    "explain with a comment": "EXPLAIN /* SELECT */ ANALYZE -- SELECT\n COPY (SELECT 1) TO '{data}'",
    "copy from": "COPY connections FROM '{evidence}'",
    "copy from database": "COPY FROM DATABASE memory TO other",
    # Several statements
    "second statement": "SELECT 1; COPY (SELECT 1) TO '{outside}/a.csv'",
    "second statement after a comment": "SELECT 1 -- ;\n; COPY (SELECT 1) TO '{outside}/a.csv'",
    "second statement behind NUL": "SELECT 1\0; COPY (SELECT 1) TO '{outside}/a.csv'",
    "second statement after explain": "EXPLAIN SELECT 1; COPY (SELECT 1) TO '{outside}/a.csv'",
    "two queries": "SELECT 1; SELECT 2",
    "transaction": "BEGIN; COPY (SELECT 1) TO '{outside}/a.csv'; COMMIT",
    "no statement": "-- nothing\n;;",
    # Changes
    "insert": "INSERT INTO connections SELECT * FROM connections",
    "insert in a WITH": "WITH x AS (INSERT INTO stored.connections FROM connections RETURNING *) FROM x",
    "update returning": "UPDATE stored.connections SET dst_ip = NULL RETURNING *",
    "delete in a WITH": "WITH x AS (DELETE FROM stored.connections RETURNING *) FROM x",
    "update in a WITH": "WITH x AS (UPDATE stored.connections SET dst_ip = NULL RETURNING *) FROM x",
    "explain analyze delete": "EXPLAIN ANALYZE DELETE FROM stored.connections",
    "merge": "MERGE INTO connections USING processes ON (true) WHEN MATCHED THEN DELETE",
    "truncate": "TRUNCATE stored.connections",
    "create table": "CREATE TABLE t AS FROM connections",
    "replace the view": "CREATE OR REPLACE VIEW connections AS SELECT 1",
    "replace a macro": "CREATE OR REPLACE MACRO is_private(ip) AS true",
    "create a temporary view": "CREATE TEMP VIEW connections AS SELECT 1",
    "create a secret": "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "create a type": "CREATE TYPE t AS ENUM ('a')",
    "create a sequence": "CREATE SEQUENCE s",
    "drop": "DROP VIEW connections",
    "alter": "ALTER VIEW connections RENAME TO c",
    "comment": "COMMENT ON VIEW connections IS 'x'",
    "analyze": "ANALYZE",
    "vacuum": "VACUUM",
    "checkpoint": "FORCE CHECKPOINT",
    # Settings and files of the engine
    "set": "SET enable_external_access = true",
    "set global": "SET GLOBAL lock_configuration = false",
    "reset": "RESET lock_configuration",
    "set allowed": "SET allowed_directories = ['/']",
    "set temp directory": "SET temp_directory = '{outside}'",
    "set secret directory": "SET secret_directory = '{outside}'",
    "set profile output": "SET profiling_output = '{outside}/profile.json'",
    "set log": "SET log_query_path = '{outside}/log'",
    "pragma": "PRAGMA enable_profiling",
    "pragma profile output": "PRAGMA profiling_output = '{outside}/profile.json'",
    "pragma database list": "PRAGMA database_list",
    "call": "CALL enable_logging(storage = 'file', storage_config = {{'path': '{outside}'}})",
    "call checkpoint": "CALL force_checkpoint()",
    "use": "USE memory",
    "attach": "ATTACH '{outside}/a.db'",
    "attach read only": "ATTACH '/etc/passwd' (READ_ONLY)",
    "detach": "DETACH memory",
    "export": "EXPORT DATABASE '{outside}/export'",
    "import": "IMPORT DATABASE '{outside}'",
    "install": "INSTALL httpfs",
    "install from": "INSTALL x FROM '{outside}'",
    "load": "LOAD '{outside}/x.duckdb_extension'",
    "update extensions": "UPDATE EXTENSIONS",
    "prepare": "PREPARE p AS COPY (SELECT 1) TO '{outside}/a.csv'",
    "execute": "EXECUTE p",
    "deallocate": "DEALLOCATE p",
    "shell command": ".read /etc/passwd",
    "shell system": ".system touch {outside}/a",
    # Reading what is not asked
    "read_text": "FROM read_text('/etc/passwd')",
    "read_blob": "FROM read_blob('{data}')",
    "read_csv": "FROM read_csv('/etc/passwd')",
    "read_json": "FROM read_json('{commit}')",
    "read_parquet": "FROM read_parquet('{data}')",
    "read_parquet in a subquery": "SELECT (SELECT count(*) FROM read_parquet('{data}'))",
    "parquet_metadata": "FROM parquet_metadata('{data}')",
    "parquet_kv_metadata": "FROM parquet_kv_metadata('{data}')",
    "glob": "FROM glob('/etc/*')",
    "glob of procfs": "FROM glob('/proc/self/fd/*')",
    "sniff_csv": "FROM sniff_csv('/etc/passwd')",
    "a path as a table": "FROM '{data}'",
    "a path in identifier's quotes": 'FROM "{data}"',
    "a csv as a table": "FROM '/etc/passwd.csv'",
    "a pattern as a table": "FROM '/etc/*.csv'",
    "procfs as a table": "FROM '/proc/self/environ.csv'",
    "describe a path": "DESCRIBE '{data}'",
    "summarize a path": "SUMMARIZE '{data}'",
    "a URL": "FROM 'https://127.0.0.1:9/a.parquet'",
    "an object store": "FROM read_parquet('s3://bucket/a.parquet')",
    "another name of ours": "FROM 'procwire://0000000000000000/0.parquet'",
    "file URL": "FROM 'file://{data}'",
    "query": "FROM query('COPY (SELECT 1) TO ''{outside}/a.csv''')",
    "query_table": "FROM query_table('{data}')",
    "serialized SQL": "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "settings": "FROM duckdb_settings()",
    "secrets": "FROM duckdb_secrets()",
    "temporary files": "FROM duckdb_temporary_files()",
    "logs": "FROM duckdb_logs()",
    "the environment": "SELECT getenv('HOME')",
    "the environment as a method": "SELECT 'HOME'.getenv()",
    "the environment by its whole name": "SELECT system.main.\"getenv\"('HOME')",
    "a variable": "SELECT getvariable('x')",
    "a variable of Python": "FROM python_table",
    "Arrow by address": "FROM arrow_scan(1, 2, 3)",
    "pandas by address": "FROM pandas_scan(1)",
    "Python by address": "FROM python_map_function(1)",
    # What ends the process, or never ends
    "a variant": "SELECT (repeat('[', 100000) || repeat(']', 100000))::JSON::VARIANT",
    "a variant in a structure": "SELECT CAST(NULL AS STRUCT(a VARIANT[]))",
    "json_contains": "SELECT json_contains(repeat('[', 200000) || repeat(']', 200000), '1')",
    "json_transform": "SELECT json_transform('[1]', repeat('[', 200000) || repeat(']', 200000))",
    "from_json": "SELECT from_json('[1]', repeat('[', 200000) || repeat(']', 200000))",
    "a long number": "SELECT repeat('1', 1000000)::BIGNUM",
    "a long number by its old name": "SELECT repeat('1', 1000000)::VARINT",
    "sleep": "SELECT sleep_ms(2147483647)",
    "ten thousand parentheses": "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "a hundred thousand subqueries": "FROM " + "(FROM " * 100_000 + "range(1)" + ")" * 100_000,
    "a million parentheses": "SELECT " + "(" * 1_000_000,
    "ten thousand NOT": "SELECT " + "NOT " * 10_000 + "true",
    "ten thousand lists": "SELECT " + "[" * 10_000 + "]" * 10_000,
    "ten megabytes": "SELECT '" + "x" * 10_000_000 + "'",
    "not UTF-8": "SELECT '\udcff'",
    "PIVOT with more than a query": "PIVOT connections ON dst_port USING count(*)",
    # Spark's own
    "Java": "SELECT java_method('java.lang.System', 'exit', 0)",
    "Java by reflection": "SELECT reflect('java.lang.System', 'setProperty', 'a', 'b')",
}

PREDICATES = {
    "another query": "true) FROM batch; COPY (SELECT 1) TO '{outside}/a.csv' --",
    "a second statement": "true; COPY (SELECT 1) TO '{outside}/a.csv'",
    "out of the brackets": "true], [true",
    "out of the parentheses": "true) OR (true",
    "a subquery": "(SELECT count(*) FROM read_text('/etc/passwd')) > 0",
    "a subquery of ours": "dst_ip IN (SELECT dst_ip FROM batch)",
    "EXISTS": "EXISTS (FROM '{data}')",
    "a WITH": "(WITH x AS (COPY (SELECT 1) TO '{outside}/a.csv') SELECT true FROM x)",
    "recursion": "(WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x) SELECT count(*) FROM x) > 0",
    "the environment": "getenv('HOME') IS NOT NULL",
    "a setting": "current_setting('temp_directory') <> ''",
    "a set statement": "SET memory_limit = '1TB'",
    "aborts the process": "(repeat('[', 100000) || repeat(']', 100000))::JSON::VARIANT IS NULL",
    "aborts the process too": "json_contains(dst_host_name, '1')",
    "a long number": "dst_host_name::BIGNUM > 1",
    "much memory": "length(repeat('x', 4000000000)) > 0",
    "more memory": "length(lpad('x', 2000000000, 'y')) > 0",
    "a long list": "len(range(4000000000)) > 0",
    "no end": "levenshtein(dst_host_name, process_name) > 3",
    "a bit string": "bitstring('1', 2000000000) IS NULL",
    "sleep": "sleep_ms(100000) IS NULL",
    "a window": "row_number() OVER () > 1",
    "an aggregate": "count(*) > 0",
    "a parameter": "dst_port = $port",
    "a table function": "unnest(range(1000000000)) > 0",
    "nested": "(" * 10_000 + "true" + ")" * 10_000,
    "NUL": "true\0",
    "nothing": "",
    "a comment": "-- true",
    "an alias": "true AS x",
    "a DML": "(DELETE FROM batch RETURNING true)",
    "the sequence": "nextval('s') > 0",
    "the log": "write_log('x') IS NULL",
}


_PROGRAM = "from procwire.cli import main; main()"


@dataclass(frozen=True)
class Ground:
    """What an attack may aim at."""

    lake: Path
    evidence: Path
    outside: Path

    def aimed(self, attack: str) -> str:
        """The attack with its places."""
        if "{" not in attack:
            return attack
        data = next(self.lake.glob("connections/day=*/*.parquet"))
        commit = next(self.lake.glob("connections/_delta_log/*.json"))
        return attack.format(log=commit.parent, data=data, commit=commit, evidence=self.evidence, outside=self.outside,
                             spill=self.outside)  # fmt: skip

    def bytes(self) -> dict[str, str]:
        """Each file below the lake, the evidence and outside, and the hash of its bytes."""
        files = [self.evidence, *self.lake.rglob("*"), *self.outside.rglob("*")]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def run(*arguments: str | Path) -> Result:
    return invoke(*map(str, arguments))


@pytest.fixture(scope="module")
def ground(example_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    made = Ground(folder / "lake", folder / "evidence.parquet", folder / "outside")
    made.outside.mkdir()
    assert run("read", example_log, "--to", "lake", "--lake", made.lake).exit_code == 0
    assert run("read", example_log, "-o", made.evidence).exit_code == 0
    return made


@pytest.fixture(scope="module")
def untouched(ground: Ground) -> dict[str, str]:
    return ground.bytes()


@pytest.fixture(autouse=True)
def nothing_changes(ground: Ground, untouched: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(ground.outside)
    yield
    assert ground.bytes() == untouched


@pytest.fixture(scope="module")
def database(ground: Ground) -> Iterator[Database]:
    with procwire.connect(ground.lake, memory_bytes=500_000_000, timeout_s=10) as connection:
        yield connection


every_query = pytest.mark.parametrize("attack", QUERIES.values(), ids=QUERIES)
every_predicate = pytest.mark.parametrize("attack", PREDICATES.values(), ids=PREDICATES)


def refused(result: Result) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("procwire: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_there_are_enough_attacks() -> None:
    assert len(QUERIES) >= 80


@every_query
def test_sql_over_the_lake_changes_nothing(ground: Ground, attack: str) -> None:
    query = ground.outside.parent / "attack.sql"
    query.write_text(ground.aimed(attack), encoding="utf-8", errors="surrogateescape")
    refused(run("sql", "--file", query, "--lake", ground.lake))


# What a command line can hold.
_SHORT = {name: attack for name, attack in QUERIES.items() if len(attack) < 100_000}


@pytest.mark.parametrize("attack", _SHORT.values(), ids=_SHORT)
def test_sql_over_evidence_changes_nothing(ground: Ground, attack: str) -> None:
    refused(run("sql", "--files", ground.evidence, "--", ground.aimed(attack)))


@every_query
def test_a_hunt_changes_nothing(ground: Ground, attack: str) -> None:
    hunts = ground.outside.parent / "hunts"
    hunts.mkdir(exist_ok=True)
    head = "-- An attack\n--\n-- Columns:\n--   n  integer  Nothing\n\n"
    (hunts / "attack.sql").write_text(head + ground.aimed(attack), encoding="utf-8", errors="surrogateescape")
    refused(run("hunt", "attack", "--hunts", hunts, "--lake", ground.lake))


@every_query
def test_python_changes_nothing(ground: Ground, database: Database, attack: str) -> None:
    """By `sql` and by `execute`; and what the check let pass, DuckDB would still refuse."""
    python_table = pa.table({"secret": [1]})
    for ask in (database.sql, database.execute):
        with pytest.raises((UsageError, duckdb.Error)):
            ask(ground.aimed(attack)).fetchall()
    assert python_table.num_rows == 1


@every_query
def test_spark_is_asked_nothing_but_queries(ground: Ground, attack: str) -> None:
    """Before the cluster hears of it. What reads, it looks for among its views."""
    asked: list[str] = []

    class Session:
        def sql(self, text: str) -> object:
            asked.append(text)
            return None

    try:
        SparkConnection(Session()).sql(ground.aimed(attack))  # type: ignore[arg-type]
    except UsageError:
        assert asked == []
    else:
        # One query over one name, which is none of its views; files by path are off (spark/session.py).
        [text] = asked
        assert text.startswith(("SELECT * FROM `", "SELECT * FROM python_table")), text


# Pointers into nothing: DuckDB's own connection is for who wrote the query.
_POINTERS = ("arrow_scan", "pandas_scan", "python_map_function", "VARIANT", "json_contains", "sleep_ms", "repeat")


@pytest.mark.parametrize(
    "attack",
    [
        attack
        for attack in QUERIES.values()
        if len(attack) < 10_000 and attack.isprintable() and not any(name in attack for name in _POINTERS)
    ],
)
def test_duckdbs_own_connection_writes_no_file(ground: Ground, attack: str) -> None:
    """The second line of defence: a locked configuration, and no way to a file."""
    with procwire.connect(ground.lake).duckdb as connection:
        with suppress(duckdb.Error, RuntimeError):
            connection.execute(ground.aimed(attack)).fetchall()
        # A transaction that an attack began.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        with pytest.raises(duckdb.Error):
            connection.execute(f"COPY (SELECT 1) TO '{ground.outside}/a.csv'")
        [[locked, access]] = connection.execute(
            "SELECT current_setting('lock_configuration'), current_setting('enable_external_access')"
        ).fetchall()
        assert (locked, access) == (True, False)


@pytest.mark.parametrize("mode", ["", ", USE_TMP_FILE false", ", FORMAT parquet", ", FORMAT csv, USE_TMP_FILE false"])
def test_what_duckdb_reads_it_cannot_write(ground: Ground, mode: str) -> None:
    """The names under which it reads the lake: to know one is not to write it."""
    with procwire.connect(ground.lake).duckdb as connection:
        plan = "".join(row[1] for row in connection.execute("EXPLAIN FROM connections").fetchall())
        [[sql]] = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'connections'").fetchall()
        name = sql[sql.index("procwire://") :].partition("'")[0]
        assert str(ground.lake) not in sql + plan
        for target in (name, name + ".new", name.rpartition("/")[0]):
            with pytest.raises(duckdb.Error):
                connection.execute(f"COPY (SELECT 1) TO '{target}' (OVERWRITE true{mode})")
        assert connection.execute("SELECT count(*) FROM connections").fetchall() == [(153,)]


@every_predicate
def test_where_of_read_changes_nothing(ground: Ground, example_log: Path, attack: str) -> None:
    refused(run("read", example_log, "--where", ground.aimed(attack), "--to", "ndjson"))


@every_predicate
def test_where_of_an_export_changes_nothing(ground: Ground, attack: str) -> None:
    refused(run("lake", "export", "--lake", ground.lake, "--where", ground.aimed(attack), "--to", "ndjson"))


@every_predicate
def test_where_of_a_recording_changes_nothing(ground: Ground, attack: str) -> None:
    """It is refused before anything is recorded."""
    with pytest.raises(UsageError):
        Where([ground.aimed(attack)], "ossem")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM connections",
        "FROM connections LIMIT 1",
        "WITH x AS (FROM connections) SELECT max(dst_port) FROM x",
        "VALUES (1)",
        "TABLE connections",
        "DESCRIBE connections",
        "DESCRIBE SELECT 1",
        "SUMMARIZE destinations",
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "EXPLAIN FROM connections",
        "EXPLAIN ANALYZE SELECT count(*) FROM connections",
        "/* a question */ explain (analyze) select 1",
        "SELECT * FROM (PIVOT connections ON dst_port IN (80, 443) USING count(*) GROUP BY process_name)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x WHERE a < 9) FROM x",
        "FROM range(3), unnest([1, 2])",
        "SELECT list_transform([1], lambda x: x + 1), printf('%d', 1), levenshtein('a', 'b')",
        "SELECT 1;",
        "SELECT 1; -- no more",
        "(SELECT 1) UNION ALL SELECT 2 ORDER BY 1",
        "SELECT '; COPY x TO ''y''' AS text -- ; COPY x TO 'y'",
    ],
)
def test_what_only_reads_is_answered(database: Database, query: str) -> None:
    assert database.sql(query).fetchall() != []


@pytest.mark.parametrize(
    "predicate",
    [
        "dst_port = 443",
        "process_name ILIKE '%\\chrome.exe' -- the browser",
        "dst_ip IN ('1.2.3.4', '::1') AND NOT network_connection_initiated",
        "regexp_matches(dst_host_name, '^[a-z]{12,}[.]')",
        "event_creation_time > now() - INTERVAL 7 DAY",
        "date_part('hour', event_creation_time) BETWEEN 22 AND 24",
        "CASE WHEN dst_port IS NULL THEN false ELSE dst_port % 2 = 0 END",
        "coalesce(try_cast(split_part(dst_ip, '.', 1) AS INTEGER), 0) = 10",
        "len(list_filter(string_split(process_name, '\\'), lambda part: part LIKE 'T%')) > 0",
        "lower(process_name) SIMILAR TO '.*[.]exe' OR process_name GLOB '*.EXE'",
        "dst_host_name COLLATE NOCASE = 'example.com'",
    ],
)
def test_predicates_over_columns_are_answered(example_log: Path, predicate: str) -> None:
    assert one_predicate(predicate) == predicate
    assert run("read", example_log, "--where", predicate, "--to", "ndjson").exit_code == 0
    Where([predicate], "ossem")(pa.RecordBatch.from_pylist([], schema=LIVE_SCHEMA))


LIMITED = {
    "--timeout": {
        "a cross join": "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b",
        "recursion": "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x) SELECT count(*) FROM x",
        "generate_series": "SELECT count(*) FROM generate_series(1, 9223372036854775806)",
        "a plan of 300 tables": "SELECT count(*) FROM range(1) t0(a)"
        + "".join(f" JOIN range(1) t{n}(a) ON t{n}.a = t0.a" for n in range(1, 300)),
        "what cannot be interrupted": "SELECT levenshtein(repeat('ab', 400000), repeat('ba', 400000))",
    },
    "--memory": {
        "a list of everything": "SELECT len(list(range)) FROM range(4000000000)",
        "a long list": "SELECT len(range(400000000))",
    },
}


@pytest.mark.parametrize(
    ("option", "query"),
    [(option, query) for option, queries in LIMITED.items() for query in queries.values()],
    ids=[name for queries in LIMITED.values() for name in queries],
)
def test_a_query_without_end_is_ended_and_says_by_which_limit(ground: Ground, option: str, query: str) -> None:
    """In a process of its own, which must not die of it."""
    timeout = "2s" if option == "--timeout" else "1h"
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "sql", query, ground.evidence, "--timeout", timeout,
         "--memory", "300MB", "--spill", "10MB"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    shown_text = done.stderr.splitlines()[-1]
    assert shown_text.startswith("procwire: ")
    assert "limit" in shown_text
    # What does not fit in memory goes to disk first: either limit may be met.
    assert option in shown_text or (option == "--memory" and "--spill" in shown_text), shown_text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT length(repeat('x', 4000000000)) FROM range(100)",
        "SELECT length(lpad('x', 2147483647, 'y')) FROM range(100)",
        "SELECT length(printf('%2000000000d', 1)) FROM range(100)",
        "SELECT len(string_split(repeat('a,', 100000000), ',')) FROM range(100)",
    ],
)
@pytest.mark.long
def test_memory_that_duckdb_does_not_count_is_limited(ground: Ground, query: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "sql", query, ground.evidence, "--memory", "300MB"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "--memory" in done.stderr


@pytest.mark.parametrize("given", [("--memory", "lots"), ("--spill", "-1"), ("--timeout", "soon")])
def test_a_limit_that_is_none_is_a_mistake(ground: Ground, given: tuple[str, str]) -> None:
    result = run("sql", "SELECT 1", "--lake", ground.lake, *given)
    assert result.exit_code == 2
    assert given[1] in result.stderr


def test_what_a_killed_query_left_is_removed_by_the_next(ground: Ground, tmp_path: Path) -> None:
    """Its temporary folder was its own alone, and locked as long as it lived."""
    program = (
        "import os, sys\nfrom procwire.engine.spill import spill_folder\n"
        "folder = spill_folder()\nopen(folder + '/left', 'w').close()\nprint(folder, flush=True)\nsys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        left = Path(child.stdout.readline().strip())
        assert left.parent == tmp_path
        assert left.stat().st_mode & 0o777 == 0o700
        ask: list[str | Path] = [sys.executable, "-c", _PROGRAM, "sql", "SELECT 1", ground.evidence]
        subprocess.run(ask, env=environment, check=True, capture_output=True)
        assert list(tmp_path.iterdir()) == [left]
        child.kill()
    subprocess.run(ask, env=environment, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []


def test_every_error_of_a_check_is_ours() -> None:
    """Cut anywhere, an attack is a query, or a mistake that is reported; nothing else is raised."""
    for attack in [*QUERIES.values(), *PREDICATES.values()]:
        for end in range(0, min(len(attack), 120), 3):
            for check in (one_query, one_predicate):
                with suppress(ProcwireError):
                    check(attack[:end])
