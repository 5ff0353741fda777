"""Names of files, in paths of either system: three forms, one result."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from procwire.paths import BASE_NAME, base_name, base_names

PATHS = {
    "C:\\Windows\\System32\\svchost.exe": "svchost.exe",
    "/usr/bin/curl": "curl",
    "\\\\server/share\\mixed/a b.exe": "a b.exe",
    "System": "System",
    "/usr/bin/": "",
    "": "",
    "/odd\n/name\nof two": "name\nof two",
}


@pytest.mark.parametrize("path", PATHS)
def test_what_follows_the_last_separator_of_either_system(path: str) -> None:
    assert base_name(path) == PATHS[path]


def test_arrays_and_queries_give_the_same_names() -> None:
    paths = pa.array([*PATHS, None])
    assert base_names(paths).to_pylist() == [*PATHS.values(), None]
    query = f"SELECT regexp_extract(path, '{BASE_NAME}') FROM (SELECT unnest($paths) AS path)"
    assert duckdb.execute(query, {"paths": list(PATHS)}).fetchall() == [(name,) for name in PATHS.values()]
