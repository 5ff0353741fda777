"""Measurement of fresh processes.

This module imports nothing heavy: a process starts with the peak memory of the one that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """Hold the costs of one run."""

    count: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def procwire_command() -> list[str]:
    """Return the `procwire` that is installed beside this Python, else the package's entry point."""
    script = Path(sys.executable).with_name("procwire")
    return [str(script)] if script.exists() else [sys.executable, "-c", "from procwire.cli import main; main()"]


def make_input(directory: Path, name: str, size_mb: int) -> Path:
    """Return the path of the input with this name and size."""
    argv = [sys.executable, str(_HERE / "make_inputs.py"), "--dir", str(directory), "--size-mb", str(size_mb)]
    made = subprocess.run([*argv, "--only", name], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


def scan_command(path: Path) -> list[str]:
    """Start a process that scans an input with procwire, like `measure`."""
    return [sys.executable, str(_HERE / "worker.py"), "measure", "procwire", str(path)]


def measure(contender: str, path: Path, *, one_core: bool = False) -> Run:
    """Measure one run of a contender, without its start and imports."""
    return Run(**_worker("measure", contender, path, *(["--one-core"] if one_core else [])))


def compare(contender: str, path: Path) -> dict[str, Any]:
    """Return how a contender's rows differ from procwire's."""
    return _worker("compare", contender, path)


def _worker(task: str, contender: str, path: Path, *options: str) -> dict[str, Any]:
    argv = [sys.executable, str(_HERE / "worker.py"), task, contender, str(path), *options]
    result: dict[str, Any] = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    return result


def run_command(argv: Sequence[str], *, stdin: IO[bytes] | None = None) -> Run:
    """Measure one run of a command from start to end, with its output discarded."""
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"found exit code {process.returncode}, expected 0: {' '.join(argv)}")
    return Run(0, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)
