"""Provide recordings for tests, and connections for them to record."""

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
    """Return a folder in which the recording account may write: only root may in pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="procwire-test-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Recording]]:
    """Start recordings, and end them after the test."""
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
