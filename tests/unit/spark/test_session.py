"""Starting Spark where it cannot be started, and ending what it computes; without any Spark."""

from __future__ import annotations

import signal
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from procwire import spark
from procwire.errors import LimitError, UsageError
from procwire.spark import session


def test_without_pyspark_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match=r"^found no PySpark, expected .*: pip install 'procwire\[spark\]'$"):
        session.start()


def test_without_sqlglot_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("procwire.spark.connection", "procwire.spark.dialect"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(UsageError, match=r"^found no sqlglot, expected it for Spark: pip install 'procwire\[spark\]'$"):
        _ = spark.connect


def test_without_java_a_line_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", SimpleNamespace())
    monkeypatch.setattr(session, "find_java", lambda: None)
    with pytest.raises(
        UsageError, match=r"^found no Java that Spark supports, expected version 17 or 21: set JAVA_HOME$"
    ):
        session.start()


def test_what_a_job_gives_or_raises_comes_through() -> None:
    assert session.interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        session.interruptible(lambda: 1 / 0)


def test_ctrl_c_cancels_until_the_job_has_ended() -> None:
    """A job of Spark that was not begun when all were cancelled would else run to its end."""
    cancelled, ended = threading.Semaphore(0), threading.Event()

    def job() -> None:
        # As the kernel does it: the thread that waits is the one to be woken.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        # Two are needed.
        for _ in range(2):
            assert cancelled.acquire(timeout=60)
        ended.set()

    job_session: Any = SimpleNamespace(sparkContext=SimpleNamespace(cancelAllJobs=cancelled.release))
    with pytest.raises(KeyboardInterrupt):
        session.interruptible(job, job_session)
    assert ended.is_set()


def test_a_job_that_takes_too_long_is_cancelled() -> None:
    cancelled = threading.Event()
    job_session: Any = SimpleNamespace(sparkContext=SimpleNamespace(cancelAllJobs=cancelled.set))
    with pytest.raises(LimitError, match=r"limit of 0\.1 s"):
        session.interruptible(lambda: cancelled.wait(60), job_session, 0.1)
    assert cancelled.is_set()
