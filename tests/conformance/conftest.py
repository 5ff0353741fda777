"""A lake of made-up and odd rows, and both engines over it; one session of Spark for all tests."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pyarrow as pa
import pytest
from agreement import Engines
from cluster import CONFIGURATION, cluster, why_not
from odd_rows import odd_rows

import fleet
from procwire.database import connect_lake
from procwire.lake import Lake

_SEED, _HOSTS, _DAYS = 3, 20, 2
_KEEP = 5
"""Of the machines, so that each answer takes seconds."""


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two days of a small fleet, and rows by hand."""
    made = Lake.open(tmp_path_factory.mktemp("conformance") / "lake", create=True)
    batches, _ = fleet.generate(_SEED, _HOSTS, _DAYS)
    rows = pa.Table.from_batches(batches)
    names = sorted(rows["computer_name"].unique().to_pylist())[:_KEEP]
    made.append(rows.filter(pa.compute.is_in(rows["computer_name"], pa.array(names))), source="fleet", version=1)
    made.append(odd_rows(), source="odd", version=1)
    return made


@pytest.fixture(scope="session")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a cluster of two workers."""
    if missing := why_not():
        pytest.skip(missing)
    with cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture(scope="session")
def engines(lake: Lake, master: str) -> Iterator[Engines]:
    from procwire.lake.spark import connect

    with warnings.catch_warnings():
        # PySpark's own.
        warnings.simplefilter("ignore")
        with connect_lake(lake.location) as duckdb, connect(lake, master=master, configuration=CONFIGURATION) as spark:
            yield Engines(duckdb, spark)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _end_java()


def _end_java() -> None:
    """PySpark keeps its Java, and sockets to it, for another session; closed by chance, they would warn."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        SparkContext._gateway = SparkContext._jvm = None
    gc.collect()
