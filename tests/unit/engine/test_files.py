"""Files that DuckDB is served: all their bytes, to several threads, and never to be written."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from procwire.engine import LocalFile, Readable, Served, connect, sql_errors
from procwire.errors import LakeError

ROWS = 300_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "a.parquet"
    table = pa.table({"n": range(ROWS), "text": [f"text {n % 1000}" for n in range(ROWS)]})
    pq.write_table(table, path, row_group_size=20_000)
    return path


def test_rows_are_those_of_the_file(path: Path) -> None:
    served = Served()
    names = [served.add(partial(LocalFile, path)) for _ in range(3)]
    with connect(served=served, threads=4) as connection:
        query = f"SELECT count(*), sum(n), count(DISTINCT text) FROM read_parquet({names})"
        expected = [(3 * ROWS, 3 * (ROWS - 1) * ROWS // 2, 1000)]
        assert [connection.sql(query).fetchall() for _ in range(3)] == [expected] * 3


def test_threads_share_a_file_and_each_has_its_place(path: Path) -> None:
    served = Served()
    content = path.read_bytes()
    handle = served._open(served.add(partial(LocalFile, path)), "rb")
    wrong: list[int] = []

    def read(start: int) -> None:
        for offset in range(start, len(content) - 100, 9_973):
            handle.seek(offset)
            if handle.read(100) != content[offset : offset + 100]:
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_a_name_says_is_a_column(path: Path) -> None:
    served = Served()
    name = served.add(partial(LocalFile, path), folder="day=2024-03-01")
    with connect(served=served) as connection:
        query = f"SELECT DISTINCT day::VARCHAR FROM read_parquet('{name}', hive_partitioning = true)"
        assert connection.sql(query).fetchall() == [("2024-03-01",)]


def test_a_connection_reads_no_other_file(path: Path) -> None:
    served, other = Served(), Served()
    name, hidden = served.add(partial(LocalFile, path)), other.add(partial(LocalFile, path))
    with connect(served=served) as connection:
        assert connection.sql(f"SELECT count(*) FROM '{name}'").fetchall() == [(ROWS,)]
        for unknown in (
            hidden,
            name + "x",
            served.root + "*",
            served.root + "../0.parquet",
            str(path),
            f"file://{path}",
        ):
            with pytest.raises(duckdb.Error):
                connection.sql(f"FROM read_parquet('{unknown}')").fetchall()
    with connect() as connection, pytest.raises(duckdb.Error):
        connection.sql(f"FROM '{name}'").fetchall()


def test_nothing_is_written(path: Path) -> None:
    before = path.read_bytes()
    served = Served()
    name = served.add(partial(LocalFile, path))
    with connect(served=served) as connection:
        for target in (name, served.root + "new.parquet", served.root + "new.csv"):
            for options in ("", "(USE_TMP_FILE false)", "(OVERWRITE_OR_IGNORE true, PER_THREAD_OUTPUT true)"):
                with pytest.raises(duckdb.Error):
                    connection.execute(f"COPY (SELECT 1 AS n) TO '{target}' {options}")
    for mode in ("wb", "ab", "r+b", "xb", "w"):
        with pytest.raises(OSError, match="Read-only"):
            served._open(name, mode)
    assert path.read_bytes() == before


class Damaged(LocalFile):
    """A file whose reading finds damage."""

    def read_at(self, offset: int, size: int) -> bytes:
        raise LakeError(f"a.parquet: found damage in {size and 'the bytes'} from {offset and 'the end'}")


def missing() -> Readable:
    return LocalFile("/nowhere/a.parquet")


def test_what_reading_raises_comes_through(path: Path) -> None:
    """Ours as it is, the system's with its file."""
    served = Served()
    damaged, gone = served.add(partial(Damaged, path)), served.add(missing)
    with connect(served=served) as connection:
        with (
            pytest.raises(LakeError, match=r"^a.parquet: found damage in the bytes from the end$"),
            sql_errors(),
        ):
            connection.sql(f"FROM '{damaged}'").fetchall()
        with pytest.raises(LakeError, match=r"No such file or directory: '/nowhere/a.parquet'"), sql_errors():
            connection.sql(f"FROM '{gone}'").fetchall()


def test_a_file_is_closed_once(path: Path) -> None:
    file = LocalFile(path)
    assert file.read_at(0, 4) == b"PAR1" == file.read_at(file.size_bytes - 4, 100)
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.read_at(0, 1)
