"""Recordings that tests start, and the connections that they make."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from recordings import Recording, Server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account which records may write to: pytest's own are root's alone."""
    path = Path(tempfile.mkdtemp(prefix="procwire-test-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Recording]]:
    """Starts recordings, and sees to their end."""
    with ExitStack() as stack:

        def begin(*arguments: str | Path, stdout: int | None = subprocess.PIPE) -> Recording:
            running = Recording(folder, *arguments, stdout=stdout)
            stack.callback(running.close)
            running.wait_until_it_records()
            return running

        yield begin


@pytest.fixture
def connect() -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(stack)
