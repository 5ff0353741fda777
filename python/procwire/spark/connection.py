"""Spark: the lake's newest snapshot on a cluster, asked in the same SQL as on one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from procwire.engine import TIMEOUT_S, one_query
from procwire.errors import UsageError
from procwire.event import CONNECTION, DERIVED, EVENTS, LOGGED, PROCESS_CREATION
from procwire.lake.schema import CONNECTIONS, CONTEXT, DAY, Layout
from procwire.period import check_period, within
from procwire.query.enriched import enriched
from procwire.query.views import VIEWS
from procwire.spark.dialect import to_spark
from procwire.spark.session import interruptible, spark_errors, start

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from procwire.lake.lake import Lake

__all__ = ["SparkConnection", "SparkRelation", "connect"]

_TYPES = {pa.string(): "STRING", pa.bool_(): "BOOLEAN", pa.int32(): "INT", pa.int64(): "BIGINT", pa.binary(): "BINARY",
          pa.timestamp("us", tz="UTC"): "TIMESTAMP", pa.date32(): "DATE"}  # fmt: skip
_SCHEMES = {"s3": "s3a", "az": "abfs"}
# Before the name of a table: its rows as they are stored.
_ROWS = "procwire_rows_"


@dataclass(frozen=True, slots=True)
class SparkRelation:
    """The rows of a question, which Spark computes when they are asked for; timeout_s: in this time."""

    frame: DataFrame
    timeout_s: float | None = None

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The rows: all of them come to this machine first.

        Raises UsageError for what the SQL ran into, LimitError if it takes too long, LakeError for what went wrong on
        the cluster.
        """
        with spark_errors():
            rows = interruptible(self.frame.toArrow, self.frame.sparkSession, self.timeout_s)
            return cast("pa.Table", rows).to_reader()


class SparkConnection:
    """A session of Spark that has the lake's views. Closing it ends the session.

    Its SQL only reads these views; timeout_s: how long one question may take, in seconds, None for no limit.
    """

    def __init__(self, session: SparkSession, timeout_s: float | None = None) -> None:
        self.session = session
        self._timeout_s = timeout_s

    def sql(self, query: str, *, params: object = None) -> SparkRelation:
        """Ask a question in DuckDB's SQL; `params` maps names to the values of `$name`.

        Raises UsageError for SQL that cannot be used.
        """
        if params is not None and not isinstance(params, Mapping):
            raise UsageError("SQL for Spark: found parameters without names, expected $name")
        text = to_spark(one_query(query), params)
        with spark_errors():
            frame = interruptible(lambda: self.session.sql(text), self.session, self._timeout_s)
            return SparkRelation(frame, self._timeout_s)

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
    until: datetime | None = None,
    configuration: Mapping[str, str] | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> SparkConnection:
    """Spark with the views over the newest snapshot of a lake, which every worker must reach under the same path.

    master: of the cluster, such as spark://host:7077; without one, what SPARK_CONF_DIR says, else this machine.
    since, until: events from then on, and before then. configuration: of Spark, beside what it is told in the usual
    ways. timeout_s: how long one question may take, in seconds; None for no limit.

    Raises UsageError where there is no PySpark, Java or cluster; LakeError for a lake that Spark cannot read.
    """
    check_period(since, until)
    session = start(master, configuration)
    connection = SparkConnection(session, timeout_s)
    try:
        interruptible(lambda: prepare(session, lake, since, until), session)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(session: SparkSession, lake: Lake, since: datetime | None = None, until: datetime | None = None) -> None:
    """Make the views of `query.views` in a session, over the Parquet files of a lake."""
    tables = {part.table.layout.name: part for part in lake.tables()}
    views: dict[str, str] = {}
    with spark_errors():
        for layout in (CONNECTIONS, *CONTEXT):
            part = tables.get(layout.name)
            # Of processes all: one may have been created long before what it does.
            bounds = (None, None) if layout.name == PROCESS_CREATION.table else (since, until)
            files = part.files(*bounds) if part else []
            _rows(session, layout, files, part.table.uri if part else "").createOrReplaceTempView(_ROWS + layout.name)
            views[layout.name] = _view(layout, within(since, until))
        columns = [*CONNECTIONS.schema.names, LOGGED.name, DAY, *(field.name for field in DERIVED)]
        views |= {**VIEWS, "enriched": enriched(columns, _view(CONTEXT[0]))}
        for name, sql in views.items():
            session.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} AS {to_spark(sql)}")


def _rows(session: SparkSession, layout: Layout, files: Sequence[str], root: str) -> DataFrame:
    columns = ", ".join(f"`{column.name}` {_TYPES[column.type]}" for column in layout.table_schema)
    reader = session.read.schema(columns).option("basePath", _uri(root))
    return reader.parquet(*map(_uri, files)) if files else session.createDataFrame([], columns)


def _view(layout: Layout, condition: str = "") -> str:
    names = ["coalesce(record_kind, 'connection') AS record_kind" if name == "record_kind" else name
             for name in layout.table_schema.names]  # fmt: skip
    [event] = [event for event in EVENTS if event.table == layout.name]
    if event == CONNECTION:
        names.insert(-1, f"CAST(NULL AS BOOLEAN) AS {LOGGED.name}")
    derived = [f"{field.sql} AS {field.name}" for field in event.derived]
    rows = f"SELECT {', '.join(names)} FROM {_ROWS}{layout.name}{condition}"
    return f"SELECT *, {', '.join(derived)} FROM ({rows})"


def _uri(location: str) -> str:
    """A path or URI under the name that Hadoop has for its scheme."""
    scheme, separator, rest = location.partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}" if separator else f"file://{location}"
