"""Spark sessions: started without log output, with errors raised as ours, and interruptible by Ctrl-C."""

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
    # A number that does not fit is an error, as in DuckDB, instead of a wrong number.
    "spark.sql.ansi.enabled": "true",
    # `${...}` in a text is text.
    "spark.sql.variable.substitute": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Tables are only our views: no SQL reads a file by its path.
    "spark.sql.runSQLOnFiles": "false",
    # Check the lake's page checksums: a wrong byte is an error.
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
}
_QUIET = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
_GREETING = re.compile(r"WARN|^Using |^Setting |^To adjust ")
_UNREADABLE = re.compile(r"Encountered error while reading file (?:file://)?(\S+\.parquet)")
_DAMAGE = re.compile(r"org\.apache\.parquet\.\S+: ([^\n]+)")
_KNOCK_S = 5
_CANCEL_S = 0.2


def start(master: str | None = None, configuration: Mapping[str, str] | None = None) -> SparkSession:
    """Return a session on a cluster, or on this machine. Raises UsageError if none can be started."""
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise UsageError("found no PySpark, expected it for --engine spark: pip install 'procwire[spark]'") from error
    _set_java_home()
    _check_master(master)
    # It logs each error, which is also raised.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    settings = {**_QUIET, **(configuration or {}), **_CONFIGURATION, "spark.app.name": "procwire"}
    if master is not None:
        settings["spark.master"] = master
    with spark_errors():
        return interruptible(partial(_session, settings))


def interruptible(job: Callable[[], T], session: SparkSession | None = None, timeout_s: float | None = None) -> T:
    """Return the result of a Spark job. KeyboardInterrupt and the time limit cancel the session's jobs.

    timeout_s: time limit in seconds; None for none. Raises LimitError when it is exceeded. The job runs in another
    thread: in the main thread PySpark would handle Ctrl-C itself, waiting for the job, and Py4J prints a traceback.
    """
    done: Future[T] = Future()
    thread = threading.Thread(target=_fulfil, args=(done, job), daemon=True)
    try:
        thread.start()
        if not wait([done], timeout_s).done:
            raise exceeded("time", f"{timeout_s:g} s")
        return done.result()
    except (KeyboardInterrupt, LimitError):
        # Repeatedly, because some jobs may not have started yet.
        while session is not None and not done.done():
            session.sparkContext.cancelAllJobs()
            wait([done], _CANCEL_S)
        raise


@contextmanager
def spark_errors() -> Iterator[None]:
    """Raise Spark's errors as ours, in one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        message = str(error.getMessage() or error)
        _raise_damage(f"{message}\n{error}", error)
        if "SparkException" in type(error).__name__ or "Job aborted" in message:
            raise LakeError(f"Spark: {_line(message)}") from error
        raise UsageError(f"SQL: {_line(message)}") from error
    except Py4JError as error:
        _raise_damage(str(error), error)
        raise LakeError(f"Spark: {_line(str(error))}") from error


def _raise_damage(message: str, error: Exception) -> None:
    """Raise DamageError, with the file's name, if Spark's message reports a damaged file."""
    file, reason = _UNREADABLE.search(message), _DAMAGE.search(message)
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
    """Start PySpark's Java, unless it runs; its nine greeting lines on stderr go to an unnamed temporary file."""
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    # PySpark's function is untyped.
    launch: Callable[..., Any] = launch_gateway
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    with tempfile.TemporaryFile() as stderr:
        try:
            gateway = launch(conf, {"stderr": stderr})
        except PySparkRuntimeError as error:
            raise UsageError(f"Spark did not start: {_cause(stderr)}") from error
    SparkContext._ensure_initialized(gateway=gateway, conf=conf)


def _cause(stderr: IO[bytes]) -> str:
    """Return the first line that is not a greeting: later lines are consequences."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").splitlines()
    return next((line for line in lines if line.strip() and not _GREETING.search(line)), "no reason given")


def _set_java_home() -> None:
    home = find_java()
    if home is None:
        raise UsageError("found no Java that Spark supports, expected version 17 or 21: set JAVA_HOME")
    os.environ["JAVA_HOME"] = str(home)


def _check_master(master: str | None) -> None:
    """Raise UsageError if a standalone cluster cannot be reached: Spark itself would retry for minutes."""
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
        raise UsageError(f"found no Spark at {master} ({last.strerror or last}), expected a running master")


def _line(message: str) -> str:
    lines = re.sub(r"^\s*\[[A-Z_.]+\]\s*", "", message).strip().splitlines()
    return re.sub(r"\s*SQLSTATE: \w+.*", "", lines[0] if lines else "no reason given")
