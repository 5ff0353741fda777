"""Find SQL functions that end the process, ignore the limits, or reach outside: call each with odd arguments.

Run `python fuzz/sql_functions.py [NAME...]` after every update of DuckDB, and compare its list with
`procwire.engine.functions`. Each function runs in a child process with little memory; one that ends the child, needs
far more memory than DuckDB's own limit, or cannot be interrupted, is listed with the statement that did it.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice, product
from typing import IO

import duckdb

_ADDRESS_SPACE_BYTES = 6 << 30
_MEMORY = "256MB"
_MOST_BYTES = 1 << 30
_TIME_MS = 200
_CALLS = 24
_HANGS_S = 4.0

_TEXTS = [
    "''", "'a'", "'-1'", "repeat('ab', 5000)", "'%s%n{}'", "'[[{'", "'(a*)*b'", "chr(0)", "'\u00e9\u0301\U0001f600'",
    "'/etc/passwd'", "'9999-12-31 23:59:59.999999'", "'{\"a\": [1]}'", "'select 1'", "'$..*'",
]  # fmt: skip
_NUMBERS = [
    "0",
    "1",
    "-1",
    "3",
    "127",
    "2147483647",
    "-2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "1000000000",
]
_ODD: dict[str, list[str]] = {
    "VARCHAR": _TEXTS,
    "JSON": ["'[]'", "repeat('[', 200000) || repeat(']', 200000)", '\'{"a": {"b": null}}\'', "'1e999'"],
    "BLOB": ["''::BLOB", "'\\x00\\xFF'::BLOB", "repeat('\\xFF', 5000)::BLOB"],
    "BIT": ["'1'::BIT", "'0'::BIT", "repeat('10', 5000)::BIT"],
    "DOUBLE": ["0.0::DOUBLE", "'nan'::DOUBLE", "'inf'::DOUBLE", "'-inf'::DOUBLE", "1e308", "-1e308", "5e-324"],
    "DATE": [
        "DATE '1970-01-01'",
        "DATE '5881580-07-10'",
        "'infinity'::DATE",
        "'-infinity'::DATE",
        "DATE '5877642-06-25 (BC)'",
    ],
    "TIMESTAMP": [
        "TIMESTAMP '1970-01-01'",
        "'infinity'::TIMESTAMP",
        "'-infinity'::TIMESTAMP",
        "TIMESTAMP '294247-01-10 04:00:54.775806'",
    ],
    "TIME": ["TIME '00:00:00'", "TIME '24:00:00'"],
    "INTERVAL": [
        "INTERVAL 0 day",
        "INTERVAL '2147483647 months'",
        "INTERVAL '-2147483648 days'",
        "INTERVAL 9223372036854775807 microseconds",
    ],
    "BOOLEAN": ["true", "false"],
    "UUID": ["'00000000-0000-0000-0000-000000000000'::UUID"],
    "LIST": ["[]", "[1]", "[NULL]", "[[1], []]", "['a', NULL]", "range(20000)", "[1.5, 'nan'::DOUBLE]"],
    "STRUCT": ["{'a': 1}", "{'a': {'b': [NULL]}}", "row(1, 'a')"],
    "MAP": ["MAP {'a': 1}", "MAP {}"],
    "LAMBDA": ["lambda x: x", "lambda x, y: [x, y]", "lambda x: error('no')"],
}
_ANY = [
    "NULL",
    "1",
    "'a'",
    "[1]",
    "{'a': 1}",
    "'1'::BIT",
    "1::HUGEINT",
    "-1.5::DECIMAL(38, 10)",
    "MAP {1: 2}",
    "'a'::BLOB",
]
_DEEP = ("repeat('[', 200000) || repeat(']', 200000)", "repeat('{\"a\":', 200000) || '1' || repeat('}', 200000)")
_TYPES = (
    "INT[]", "VARCHAR[][]", "STRUCT(a INT)", "MAP(VARCHAR, INT)", "UNION(a INT, b VARCHAR)", "JSON", "JSON[]", "BIGNUM",
    "GEOMETRY", "VARIANT", "BIT", "INTERVAL", "TIMESTAMPTZ", "DECIMAL(38, 10)", "INT[3]", "BLOB", "HUGEINT",
)  # fmt: skip
_CASTS = [
    f"SELECT CAST({value} AS {kind})"
    for value in (*_DEEP, *(f"({deep})::JSON" for deep in _DEEP), "repeat('1', 1000000)")
    for kind in _TYPES
]
"""Casts of what is nested deep, or long: tried under the name `cast`."""
_NAMES = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate', 'macro', 'table', 'table_macro', 'pragma')
    AND regexp_matches(function_name, '^[a-z_]') AND NOT regexp_matches(function_name, '^(icu_)?collate_')
ORDER BY 1"""


def main() -> None:
    """Print a line for each function that misbehaves."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2:])
        return
    names = sys.argv[1:] or ["cast", *(name for (name,) in duckdb.sql(_NAMES).fetchall())]
    left = list(names)
    while left:
        left = _watch(left)
    print(f"{len(names)} functions")


def _watch(names: list[str]) -> list[str]:
    """Run a child until it ends; return the functions that are left to try."""
    with subprocess.Popen(
        [sys.executable, __file__, "--child", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        assert child.stdout is not None
        name, call, reported = names[0], "", ""
        for line in _lines(child.stdout, child):
            kind, _, text = line.rstrip("\n").partition(" ")
            if kind == "name":
                name, call = text, ""
            elif kind == "call":
                call = text
            elif kind == "found":
                print(f"{name}: {text}: {call[:300]}", flush=True)
        reported = f"ended with {child.wait()}"
    if child.returncode == 0:
        return []
    print(f"{name}: {reported}: {call[:300]}", flush=True)
    return names[names.index(name) + 1 :]


def _lines(stream: IO[str], child: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the lines of the child; kill it when it prints nothing for too long."""
    import threading

    timer: threading.Timer | None = None
    while True:
        timer = threading.Timer(_HANGS_S, child.kill)
        timer.start()
        line = stream.readline()
        timer.cancel()
        if not line:
            return
        yield line


def _child(names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in names:
        print("name", name, flush=True)
        connection = duckdb.connect(config={"threads": "1", "autoinstall_known_extensions": "false"})
        connection.execute(
            f"SET memory_limit = '{_MEMORY}'; SET temp_directory = ''; SET max_execution_time = {_TIME_MS}"
        )
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        for call in islice(_calls(connection, name), len(_CASTS) if name == "cast" else _CALLS):
            print("call", call.encode("unicode_escape").decode(), flush=True)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                connection.execute(call).fetchmany(3)
            except duckdb.FatalException as error:
                print("found", f"fatal, {str(error)[:80]!r}", flush=True)
                break
            except duckdb.InternalException as error:
                print("found", f"internal error, {str(error)[:80]!r}", flush=True)
                connection = duckdb.connect(config={"threads": "1", "autoinstall_known_extensions": "false"})
            except duckdb.Error:
                pass
            except Exception as error:
                print("found", f"raises {type(error).__name__}", flush=True)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if after > before and after * 1024 > _MOST_BYTES:
                print("found", f"memory of {after >> 10} MiB", flush=True)
    sys.exit(0)


def _calls(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[str]:
    if name == "cast":
        yield from _CASTS
        return
    chance = random.Random(name)
    overloads = connection.execute(
        "SELECT function_type, parameter_types, varargs FROM duckdb_functions() WHERE function_name = ?", [name]
    ).fetchall()
    quoted = '"' + name.replace('"', '""') + '"'
    calls: list[str] = []
    for kind, types, varargs in overloads:
        values = [_values(kind_of) for kind_of in types] + ([_values(varargs)] * 2 if varargs else [])
        every = list(islice(product(*values), 20_000))
        for arguments in chance.sample(every, min(_CALLS, len(every))):
            given = ", ".join(arguments)
            calls.append(f"SELECT {quoted}({given})" if kind in ("scalar", "aggregate", "macro")
                         else f"FROM {quoted}({given})")  # fmt: skip
    chance.shuffle(calls)
    yield from calls


def _values(type_name: str | None) -> list[str]:
    plain = (type_name or "ANY").upper()
    if plain.endswith("[]") or plain.startswith("LIST"):
        return [*_ODD["LIST"], "NULL"]
    for key, values in _ODD.items():
        if plain.startswith(key):
            return [*values, "NULL"]
    if "INT" in plain or plain in ("DECIMAL", "FLOAT"):
        return [*_NUMBERS, "NULL"]
    return [*_ANY, *_DEEP, *random.Random(plain).sample(_TEXTS, 4)]


if __name__ == "__main__":
    main()
