"""Run the command line within the test's process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from os import PathLike
from unittest import mock

from procwire.cli.app import run

__all__ = ["Result", "invoke"]


@dataclass(frozen=True, slots=True)
class Result:
    """Hold the exit code and the output of a command."""

    exit_code: int
    stdout_bytes: bytes
    stderr_bytes: bytes

    @property
    def stdout(self) -> str:
        """Return its results as text."""
        return self.stdout_bytes.decode()

    @property
    def stderr(self) -> str:
        """Return its messages."""
        return self.stderr_bytes.decode()

    @property
    def output(self) -> str:
        """Return its results, then its messages."""
        return self.stdout + self.stderr


def invoke(
    *words: str | PathLike[str], input: str | bytes | None = None, env: Mapping[str, str | None] | None = None
) -> Result:
    """Run `procwire WORDS`. input: what stdin has. env: variables to set for it, or to unset where they are None."""
    given = input.encode() if isinstance(input, str) else input or b""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in (stdout, stderr))
    with (
        environment(env or {}),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run([os.fspath(word) for word in words])
    out.flush()
    err.flush()
    return Result(int(code), stdout.getvalue(), stderr.getvalue())


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables of the environment, or unset those that are None, and restore them afterwards."""
    with mock.patch.dict(os.environ):
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        yield
