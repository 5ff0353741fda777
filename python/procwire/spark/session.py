"""A session of Spark: started without noise, its errors told as ours, what it computes ended by Ctrl-C."""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, TypeVar

from procwire.engine import exceeded
from procwire.errors import DamageError, LakeError, LimitError, UsageError
from procwire.spark.java import find_java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["interruptible", "spark_errors", "start"]

T = TypeVar("T")

_CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    # A number that does not fit is an error, as in DuckDB, and not another number.
    "spark.sql.ansi.enabled": "true",
    # `${...}` in a text is text.
    "spark.sql.variable.substitute": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A table is a view of ours: no SQL reads a file by its path.
    "spark.sql.runSQLOnFiles": "false",
    # The lake's files have checksums: a wrong byte is an error.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
}
_QUIET = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
_GREETING = re.compile(r"WARN|^Using |^Setting |^To adjust ")
_UNREADABLE = re.compile(r"Encountered error while reading file (?:file://)?(\S+\.parquet)")
_DAMAGE = re.compile(r"org\.apache\.parquet\.\S+: ([^\n]+)")
_KNOCK_S = 5
_CANCEL_S = 0.2


def start(master: str | None = None, configuration: Mapping[str, str] | None = None) -> SparkSession:
    """A session on a cluster, or on this machine. Raises UsageError where there can be none."""
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise UsageError("found no PySpark, expected it for --engine spark: pip install 'procwire[spark]'") from error
    _choose_java()
    _knock(master)
    # It logs each error, which is raised too.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    settings = {**_QUIET, **(configuration or {}), **_CONFIGURATION, "spark.app.name": "procwire"}
    if master is not None:
        settings["spark.master"] = master
    with spark_errors():
        return interruptible(partial(_session, settings))


def interruptible(job: Callable[[], T], session: SparkSession | None = None, timeout_s: float | None = None) -> T:
    """Return what a job of Spark gives. KeyboardInterrupt cancels what the session computes, for which PySpark would
    wait, and so does the end of the time it may take: LimitError.

    In a thread of its own: in the main thread PySpark takes Ctrl-C for itself, and Py4J tells of it with a traceback.
    """
    done: Future[T] = Future()
    thread = threading.Thread(target=_fulfil, args=(done, job), daemon=True)
    try:
        thread.start()
        if not wait([done], timeout_s).done:
            raise exceeded("time", f"{timeout_s:g} s")
        return done.result()
    except (KeyboardInterrupt, LimitError):
        # Again and again, for what was not begun yet.
        while session is not None and not done.done():
            session.sparkContext.cancelAllJobs()
            wait([done], _CANCEL_S)
        raise


@contextmanager
def spark_errors() -> Iterator[None]:
    """Errors of Spark as ours, in one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        told = str(error.getMessage() or error)
        _raise_damage(f"{told}\n{error}", error)
        if "SparkException" in type(error).__name__ or "Job aborted" in told:
            raise LakeError(f"Spark: {_line(told)}") from error
        raise UsageError(f"SQL: {_line(told)}") from error
    except Py4JError as error:
        _raise_damage(str(error), error)
        raise LakeError(f"Spark: {_line(str(error))}") from error


def _raise_damage(told: str, error: Exception) -> None:
    """Raise DamageError, with the file's name, if that is what Spark tells of."""
    file, reason = _UNREADABLE.search(told), _DAMAGE.search(told)
    if file is not None and reason is not None:
        raise DamageError(f"{file[1]}: cannot be read by Spark: {reason[1]}") from error


def _fulfil(done: Future[T], job: Callable[[], T]) -> None:
    try:
        done.set_result(job())
    except BaseException as error:
        done.set_exception(error)


def _session(settings: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    _launch(settings)
    return SparkSession.builder.config(map=dict(settings)).getOrCreate()


def _launch(settings: Mapping[str, str]) -> None:
    """Start PySpark's Java, unless it runs; the nine lines with which it greets on stderr go to a file of no name."""
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    # It has no types.
    launch: Callable[..., Any] = launch_gateway
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    with tempfile.TemporaryFile() as told:
        try:
            gateway = launch(conf, {"stderr": told})
        except PySparkRuntimeError as error:
            raise UsageError(f"Spark did not start: {_cause(told)}") from error
    SparkContext._ensure_initialized(gateway=gateway, conf=conf)


def _cause(told: IO[bytes]) -> str:
    """The first line that is no greeting: what follows are its consequences."""
    told.seek(0)
    lines = told.read().decode(errors="replace").splitlines()
    return next((line for line in lines if line.strip() and not _GREETING.search(line)), "it gave no reason")


def _choose_java() -> None:
    home = find_java()
    if home is None:
        raise UsageError("found no Java that Spark runs on, expected 17 or 21: JAVA_HOME names it")
    os.environ["JAVA_HOME"] = str(home)


def _knock(master: str | None) -> None:
    """See whether a standalone cluster is there: Spark itself would ask for minutes."""
    if master is None or not master.startswith("spark://"):
        return
    places = re.findall(r"([^,/]+):(\d+)", master.removeprefix("spark://"))
    for host, port in places:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
        except OSError as error:
            last = error
        else:
            return
    if places:
        raise UsageError(f"found no Spark at {master} ({last.strerror or last}), expected a master that runs")


def _line(told: str) -> str:
    first = re.sub(r"^\s*\[[A-Z_.]+\]\s*", "", told).strip().splitlines()
    return re.sub(r"\s*SQLSTATE: \w+.*", "", first[0] if first else "it gave no reason")
