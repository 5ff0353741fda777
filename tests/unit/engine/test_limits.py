"""Limits of a connection, and what is said of one that is exceeded."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from procwire.engine import Limits, connect, sql_errors
from procwire.engine import connection as connection_module
from procwire.engine import limits as limits_module
from procwire.engine.limits import default_memory_bytes, default_spill_bytes
from procwire.errors import LimitError, UsageError


def test_there_are_limits_by_default() -> None:
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 1 << 20 <= Limits().memory_bytes <= most // 2
    assert Limits().spill_bytes == pytest.approx(default_spill_bytes(), rel=0.5)
    assert Limits().timeout_s == 3_600


def test_a_cgroups_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("100000000\n")
    monkeypatch.setattr(limits_module, "_CGROUP", tmp_path)
    assert default_memory_bytes() == 50_000_000
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("max\n")
    assert default_memory_bytes() > 50_000_000


@pytest.mark.parametrize(
    ("query", "option"),
    [
        (
            "SELECT count(*) FROM range(4000000000) a, range(4000000000) b WHERE hash(a.range) = hash(b.range, 1)",
            "timeout",
        ),
        ("SELECT len(list(range)) FROM range(4000000000)", "memory"),
    ],
)
def test_an_error_names_the_limit(query: str, option: str) -> None:
    with connect(limits=Limits(100_000_000, 1_000_000, 2.0 if option == "timeout" else None)) as connection:
        with pytest.raises(LimitError, match=f"--{option}"), sql_errors():
            connection.sql(query).to_arrow_reader().read_all()
        assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_an_error_names_the_limit_of_temporary_files() -> None:
    reported = ("Out of Memory Error: failed to offload data block of size 256.0 KiB (95.3 MiB/95.3 MiB used).\n"
            "This limit was set by the 'max_temp_directory_size' setting.")  # fmt: skip
    with pytest.raises(LimitError, match="--spill"), sql_errors():
        raise duckdb.OutOfMemoryException(reported)


def test_an_error_that_duckdb_cuts_within_a_character_is_ours() -> None:
    with connect() as connection, pytest.raises(UsageError), sql_errors():
        connection.sql("SELECT unhex('\u00e9')").fetchall()


def test_no_limit_can_be_raised_by_sql() -> None:
    with connect() as connection:
        for setting in ("memory_limit = '1TB'", "max_temp_directory_size = '1TB'", "max_execution_time = 0",
                        "temp_directory = '/tmp'", "threads = 99", "lock_configuration = false",
                        "allowed_directories = ['/']", "enable_external_access = true"):  # fmt: skip
            with pytest.raises(duckdb.Error, match="locked"):
                connection.execute(f"SET {setting}")


def test_without_a_place_for_temporary_files_memory_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory")

    monkeypatch.setattr(connection_module, "spill_folder", nowhere)
    with connect(limits=Limits(100_000_000)) as connection:
        assert connection.sql("SELECT count(*) FROM range(1000)").fetchall() == [(1000,)]
