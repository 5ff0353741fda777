"""Provide a lake of made-up and odd rows, and both engines over it; one session of Spark for all tests."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import context_rows
import fleet
from procwire.lake import Lake
from procwire.query import connect_lake

# They are in tests/conformance, which is on the path once its tests are collected.
if TYPE_CHECKING:
    from agreement import Engines

_SEED, _HOSTS, _DAYS = 3, 20, 2
_KEEP = 5
"""Of the machines, so that each answer takes seconds."""


@pytest.fixture(scope="session")
def conformance_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Write two days of a small fleet, and odd rows; context for some of them."""
    from odd_rows import odd_rows

    made = Lake.open(tmp_path_factory.mktemp("conformance") / "lake", create=True)
    batches, _ = fleet.generate(_SEED, _HOSTS, _DAYS)
    rows = pa.Table.from_batches(batches)
    names = sorted(rows["computer_name"].unique().to_pylist())[:_KEEP]
    made.append(rows.filter(pa.compute.is_in(rows["computer_name"], pa.array(names))), source="fleet", version=1)
    made.append(odd_rows(), source="odd", version=1)
    context_rows.fill(made, rows)
    return made


@pytest.fixture(scope="session")
def spark_master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a cluster of two workers."""
    from cluster import cluster, why_not

    if missing := why_not():
        pytest.skip(missing)
    with cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture(scope="session")
def engines(conformance_lake: Lake, spark_master: str) -> Iterator[Engines]:
    from agreement import Engines
    from cluster import CONFIGURATION

    from procwire.spark import connect

    lake = conformance_lake
    with warnings.catch_warnings():
        # PySpark's own.
        warnings.simplefilter("ignore")
        with (
            connect_lake(lake.location) as duckdb,
            connect(lake, master=spark_master, configuration=CONFIGURATION) as spark,
        ):
            yield Engines(duckdb, spark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _end_java()


def _end_java() -> None:
    """End PySpark's Java, and sockets to it, which it keeps for another session: closed by chance, they would warn."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        SparkContext._gateway = SparkContext._jvm = None
    gc.collect()
