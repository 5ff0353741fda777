"""Connections to Spark with the views over a lake's newest snapshot, for the same SQL as on one machine."""

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
# Prefix of a table's name for its rows as stored.
_ROWS = "procwire_rows_"


@dataclass(frozen=True, slots=True)
class SparkRelation:
    """Hold a query that Spark runs when its rows are fetched. timeout_s: its time limit in seconds; None for none."""

    frame: DataFrame
    timeout_s: float | None = None

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """Run the query, transfer all rows to this machine, and return a reader for them.

        Raises UsageError for SQL errors, LimitError if it takes too long, LakeError for cluster failures.
        """
        with spark_errors():
            rows = interruptible(self.frame.toArrow, self.frame.sparkSession, self.timeout_s)
            return cast("pa.Table", rows).to_reader()


class SparkConnection:
    """Run queries in a Spark session that has the lake's views. Closing it ends the session.

    Its SQL only reads these views. timeout_s: time limit of one query, in seconds; None for no limit.
    """

    def __init__(self, session: SparkSession, timeout_s: float | None = None) -> None:
        self.session = session
        self._timeout_s = timeout_s

    def sql(self, query: str, *, params: object = None) -> SparkRelation:
        """Return the result of a query in DuckDB's SQL. params: maps names to the values of `$name`.

        Raises UsageError for SQL that cannot be used.
        """
        if params is not None and not isinstance(params, Mapping):
            raise UsageError("SQL for Spark: found parameters without names, expected $name")
        text = to_spark(one_query(query), params)
        with spark_errors():
            frame = interruptible(lambda: self.session.sql(text), self.session, self._timeout_s)
            return SparkRelation(frame, self._timeout_s)

    def interrupt(self) -> None:
        """Cancel the jobs that another thread waits for."""
        self.session.sparkContext.cancelAllJobs()

    def query_progress(self) -> float:
        """Return -1: the progress is unknown."""
        return -1

    def close(self) -> None:
        """End the session, and release the cluster's workers."""
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
    """Return a Spark connection with the views over the newest snapshot of a lake; the caller closes it.

    Every worker must reach the lake under the same path.

    master: URL of the cluster, such as spark://host:7077; None for that in SPARK_CONF_DIR, else this machine. since,
    until: start (included) and end (excluded) of the period. configuration: further Spark settings. timeout_s: time
    limit of one query, in seconds; None for no limit.

    Raises UsageError if there is no PySpark, Java or cluster; LakeError for a lake that Spark cannot read.
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
    """Create the views of `query.views` in a session, over the Parquet files of a lake."""
    tables = {part.table.layout.name: part for part in lake.tables()}
    views: dict[str, str] = {}
    with spark_errors():
        for layout in (CONNECTIONS, *CONTEXT):
            part = tables.get(layout.name)
            # All process creations: a process may be created long before its connections.
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
    """Return a path or URI with Hadoop's name for its scheme."""
    scheme, separator, rest = location.partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}" if separator else f"file://{location}"
