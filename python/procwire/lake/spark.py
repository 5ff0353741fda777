"""Spark: the lake's newest snapshot on a cluster, asked in the same SQL as on one machine."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from procwire.engine import literal
from procwire.errors import LakeError, UsageError
from procwire.event import DERIVED
from procwire.lake.dialect import to_spark
from procwire.lake.java import find_java
from procwire.lake.views import VIEWS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from procwire.lake.lake import Lake

__all__ = ["SparkConnection", "SparkRelation", "connect", "start"]

_TYPES = {pa.string(): "STRING", pa.bool_(): "BOOLEAN", pa.int32(): "INT", pa.int64(): "BIGINT", pa.binary(): "BINARY",
          pa.timestamp("us", tz="UTC"): "TIMESTAMP", pa.date32(): "DATE"}  # fmt: skip
_CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    # A number that does not fit is an error, as in DuckDB, and not another number.
    "spark.sql.ansi.enabled": "true",
    # `${...}` in a text is text.
    "spark.sql.variable.substitute": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
_QUIET = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
_SCHEMES = {"s3": "s3a", "az": "abfs"}
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class SparkRelation:
    """The rows of a question, which Spark computes when they are asked for."""

    frame: DataFrame

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The rows: all of them come to this machine first.

        Raises UsageError for what the SQL ran into, LakeError for what befell the cluster.
        """
        with _errors():
            return cast("pa.Table", self.frame.toArrow()).to_reader()


class SparkConnection:
    """A session of Spark that has the lake's views. Closing it ends the session."""

    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def sql(self, query: str, *, params: object = None) -> SparkRelation:
        """Ask a question in DuckDB's SQL; `params` maps names to the values of `$name`.

        Raises UsageError for SQL that cannot be used.
        """
        if params is not None and not isinstance(params, Mapping):
            raise UsageError("SQL for Spark: found parameters without names, expected $name")
        text = to_spark(query, params)
        with _errors():
            return SparkRelation(self.session.sql(text))

    def interrupt(self) -> None:
        """End the jobs that another thread waits for."""
        self.session.sparkContext.cancelAllJobs()

    def query_progress(self) -> float:
        """Not known."""
        return -1

    def close(self) -> None:
        """End the session, and give the cluster's workers back."""
        self.session.stop()

    def __enter__(self) -> SparkConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    lake: Lake,
    *,
    master: str | None = None,
    since: datetime | None = None,
    configuration: Mapping[str, str] | None = None,
) -> SparkConnection:
    """Spark with the views over the newest snapshot of a lake, which every worker must reach under the same path.

    master: of the cluster, such as spark://host:7077; without one, what SPARK_CONF_DIR says, else this machine.
    since: leaves out what is older. configuration: of Spark, beside what it is told in the usual ways.

    Raises UsageError where there is no PySpark, Java or cluster; LakeError for a lake that Spark cannot read.
    """
    session = start(master, configuration)
    connection = SparkConnection(session)
    try:
        files = lake.files(since)
        prepare(session, files, lake.table.uri, since)
    except BaseException:
        connection.close()
        raise
    return connection


def start(master: str | None = None, configuration: Mapping[str, str] | None = None) -> SparkSession:
    """A session on a cluster, or on this machine. Raises UsageError where there can be none."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError("found no PySpark, expected it for --engine spark: pip install 'procwire[spark]'") from error
    _choose_java()
    _knock(master)
    # It logs each error, which is raised too.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    builder = SparkSession.builder.appName("procwire")
    if master is not None:
        builder = builder.master(master)
    for name, value in {**_QUIET, **(configuration or {}), **_CONFIGURATION}.items():
        builder = builder.config(name, value)
    with _errors():
        return builder.getOrCreate()


def prepare(session: SparkSession, files: Sequence[str], root: str, since: datetime | None = None) -> None:
    """Make the views of `lake.views` in a session, over the Parquet files of the table at `root`."""
    from procwire.lake.schema import TABLE_SCHEMA

    columns = ", ".join(f"`{column.name}` {_TYPES[column.type]}" for column in TABLE_SCHEMA)
    with _errors():
        reader = session.read.schema(columns).option("basePath", _uri(root))
        rows = reader.parquet(*map(_uri, files)) if files else session.createDataFrame([], columns)
        rows.createOrReplaceTempView("procwire_rows")
        for name, sql in {"connections": _connections(since), **VIEWS}.items():
            session.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {to_spark(sql)}")


def _connections(since: datetime | None) -> str:
    from procwire.lake.schema import TABLE_SCHEMA

    names = ["coalesce(record_kind, 'connection') AS record_kind" if name == "record_kind" else name
             for name in TABLE_SCHEMA.names]  # fmt: skip
    names.insert(-1, "CAST(NULL AS BOOLEAN) AS logged")
    derived = [f"{field.sql} AS {field.name}" for field in DERIVED]
    rows = f"SELECT {', '.join(names)} FROM procwire_rows"
    if since is not None:
        rows += f" WHERE coalesce(event_creation_time, event_recorded_time) >= TIMESTAMPTZ {literal(since.isoformat())}"
    return f"SELECT *, {', '.join(derived)} FROM ({rows})"


def _uri(location: str) -> str:
    """A path or URI under the name that Hadoop has for its scheme."""
    scheme, separator, rest = location.partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}" if separator else f"file://{location}"


def _choose_java() -> None:
    home = find_java()
    if home is None:
        raise UsageError("found no Java that Spark runs on, expected 17 or 21: JAVA_HOME names it")
    os.environ["JAVA_HOME"] = str(home)


def _knock(master: str | None) -> None:
    """See whether a standalone cluster is there: Spark itself would ask for minutes."""
    places = re.findall(r"([^,/]+):(\d+)", (master or "").removeprefix("spark://")) if _is_standalone(master) else []
    for host, port in places:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
        except OSError as error:
            last = error
        else:
            return
    if places:
        raise UsageError(f"found no Spark at {master} ({last.strerror or last}), expected a master that runs")


def _is_standalone(master: str | None) -> bool:
    return master is not None and master.startswith("spark://")


@contextmanager
def _errors() -> Iterator[None]:
    """Errors of Spark as ours, in one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        told = str(error.getMessage() or error)
        if "SparkException" in type(error).__name__ or "Job aborted" in told:
            raise LakeError(f"Spark: {_line(told)}") from error
        raise UsageError(f"SQL: {_line(told)}") from error
    except Py4JError as error:
        raise LakeError(f"Spark: {_line(str(error))}") from error


def _line(told: str) -> str:
    first = re.sub(r"^\s*\[[A-Z_.]+\]\s*", "", told).strip().splitlines()
    return re.sub(r"\s*SQLSTATE: \w+.*", "", first[0] if first else "it told no more")
