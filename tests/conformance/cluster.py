"""A standalone Spark cluster on loopback: one master, two workers, each a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from procwire.spark.java import find_java, java_version

__all__ = ["JAVA", "cluster", "why_not"]

JAVA = 17
_WORKERS = 2
_START_S = 60
# What is compiled here runs for seconds: the quick compiler and the plain collector take a third of the machine's time.
_SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
CONFIGURATION = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "900m",
    "spark.executor.cores": "1",
    "spark.driver.extraJavaOptions": _SHORT_LIVED,
    "spark.executor.extraJavaOptions": _SHORT_LIVED,
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}
"""Bounds of a session on it, within a worker's memory of 1 GB."""


def why_not() -> str:
    """Why there can be no cluster here; empty if there can be."""
    home = find_java()
    if home is None or java_version(home) != JAVA:
        return f"found no Java {JAVA} (JAVA_HOME names it)"
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "found no pyspark"
    return ""


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The master's URL. Whatever happens, no process is left."""
    with ExitStack() as stack:
        master = stack.enter_context(_daemon(folder / "master.log", "master.Master", "--port", "0"))
        url = _reported(master, r"Starting Spark master at (spark://\S+)")
        for number in range(_WORKERS):
            work = folder / f"worker-{number}"
            worker = stack.enter_context(
                _daemon(folder / f"worker-{number}.log", "worker.Worker", "--cores", "1", "--memory", "1g",
                        "--work-dir", str(work), url)
            )  # fmt: skip
            _reported(worker, r"(Successfully registered) with master")
        yield url


@contextmanager
def _daemon(log: Path, name: str, *options: str) -> Iterator[Path]:
    import pyspark

    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
    environment = {**os.environ, "JAVA_HOME": str(find_java()), "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m",
                   "SPARK_DAEMON_JAVA_OPTS": _SHORT_LIVED, "SPARK_LOCAL_IP": "127.0.0.1"}  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--webui-port", "0", *options],
            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            yield log
        finally:
            # With the executors that it started.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _reported(log: Path, pattern: str) -> str:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"{log.name} did not tell {pattern!r} within {_START_S} s:\n{log.read_text()[-2000:]}")
