"""Resource use of procwire alone: peak memory, start-up, and rows per second to each output."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO

from contenders import PROCWIRE
from process import Run, make_input, measure, procwire_command, run_command, scan_command
from report import Claim, Section

_PEAK_TARGET_MB = 250
_START_TARGET_MS = 150
_WAYS = ("ndjson", "csv", "parquet", "xml")
_PIPED = ("evtx-dense.evtx", "winlogbeat.json")
_ROOM_MB = 4_000
_EVERY_READER = (
    "evtx-3pct.evtx",
    "evtx-dense.evtx",
    "xml.xml",
    "xml-10pct.xml",
    "winlogbeat.json",
    "winlogbeat-10pct.json",
    "winlogbeat.json.gz",
    "array.json",
    "syslog.txt",
    "sentinel.csv",
)


def peak_memory(directory: Path, size_mb: int) -> Section:
    """Measure the peak memory of each reader on inputs of this size, which are removed afterwards."""
    rows: list[Sequence[str]] = []
    peaks: dict[str, float] = {}
    for name in _EVERY_READER:
        path = make_input(directory, name, size_mb)
        try:
            runs = dict(_memory_runs(name, path))
            gb = f"{path.stat().st_size / 1e9:.2f}"
        finally:
            path.unlink()
        for way, run in runs.items():
            rows.append((name, gb, way, *((f"{run.wall_s:.1f}", f"{run.peak_mb:,.0f}") if run else ("", "failed"))))
            peaks[f"{name}, {way}"] = run.peak_mb if run else float("inf")
    headings = ("input", "GB", "how", "wall s", "peak MB")
    note = f"A process that needs more than {_ROOM_MB:,} MB of address space fails."
    return Section("Peak memory", headings, rows, [_peak_claim(peaks)], [note])


def _peak_claim(peaks: Mapping[str, float]) -> Claim:
    worst = max(peaks, key=lambda what: peaks[what])
    over = [what for what, peak_mb in peaks.items() if peak_mb > _PEAK_TARGET_MB]
    what = f"peak memory, worst of {len(peaks)}, {len(over)} of them over: {worst}"
    measured = f"{peaks[worst]:,.0f} MB" if peaks[worst] < float("inf") else "failed"
    return Claim(what, f"under {_PEAK_TARGET_MB} MB", measured, _PEAK_TARGET_MB / peaks[worst])


def _memory_runs(name: str, path: Path) -> Iterator[tuple[str, Run | None]]:
    yield "scan", _in_little_room(scan_command(path))
    yield "read to ndjson", _in_little_room([*procwire_command(), "read", str(path), "--to", "ndjson"])
    if name in _PIPED:
        with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
            argv = [*procwire_command(), "read", "-", "--to", "ndjson"]
            yield "read from a pipe to ndjson", _in_little_room(argv, stdin=cat.stdout)


def _in_little_room(argv: Sequence[str], *, stdin: IO[bytes] | None = None) -> Run | None:
    """Run a command with limited memory, to protect the machine; None if it failed."""
    try:
        return run_command(["prlimit", f"--as={_ROOM_MB * 1_000_000}", *argv], stdin=stdin)
    except RuntimeError:
        return None


def start_up(runs: int) -> Section:
    """Measure `procwire --version` from start to end."""
    taken = [run_command([*procwire_command(), "--version"]) for _ in range(runs + 1)][1:]
    wall_ms = median(run.wall_s for run in taken) * 1000
    worst_ms = max(run.wall_s for run in taken) * 1000
    row = (" ".join(procwire_command()), str(runs), f"{wall_ms:.0f}", f"{worst_ms:.0f}", f"{taken[0].peak_mb:.0f}")
    claim = Claim("procwire --version", f"under {_START_TARGET_MS} ms", f"{wall_ms:.0f} ms", _START_TARGET_MS / wall_ms)
    return Section("Start-up", ("command", "runs", "median ms", "slowest ms", "peak MB"), [row], [claim])


def writers(path: Path, runs: int) -> Section:
    """Measure `procwire read` of an input to each output, from start to end."""
    count = measure(PROCWIRE.name, path).count
    rows: list[Sequence[str]] = []
    for way in _WAYS:
        argv = [*procwire_command(), "read", str(path), "--to", way]
        taken = [run_command(argv) for _ in range(runs + 1)][1:]
        wall_s = median(run.wall_s for run in taken)
        cpu_s = median(run.cpu_s for run in taken)
        peak = max(run.peak_mb for run in taken)
        rows.append((way, f"{count:,}", f"{wall_s:.2f}", f"{cpu_s:.2f}", f"{count / wall_s:,.0f}", f"{peak:,.0f}"))
    title = f"procwire read {path.name} to each output, thrown away"
    return Section(title, ("output", "rows", "wall s", "CPU s", "rows/s", "peak MB"), rows)
