"""What procwire alone takes: peak memory, start-up, and rows a second to each output."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from contenders import PROCWIRE
from make_inputs import INPUTS, MB, make
from process import Run, measure, procwire_command, run_command
from report import Claim, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

_PEAK_TARGET_MB = 250
_START_TARGET_MS = 150
_WAYS = ("ndjson", "csv", "parquet", "xml")


def peak_memory(directory: Path, size: int) -> Section:
    """Peak memory of each reader on inputs of this size, which are removed again."""
    rows: list[Sequence[str]] = []
    peaks = {}
    for name in [*INPUTS, "winlogbeat.json.gz"]:
        with _input(directory, name, size) as path:
            runs = {
                "scan": measure(PROCWIRE.name, path),
                "read to ndjson": run_command([*procwire_command(), "read", str(path), "--to", "ndjson"]),
            }
            if name.endswith("dense.evtx") or name == "winlogbeat.json":
                runs["read from a pipe to ndjson"] = _read_from_pipe(path)
            bytes_on_disk = path.stat().st_size
        for way, run in runs.items():
            rows.append((name, f"{bytes_on_disk / 1e9:.2f}", way, f"{run.wall_s:.1f}", f"{run.peak_mb:,.0f}"))
            peaks[f"{name}, {way}"] = run.peak_mb
    worst = max(peaks, key=lambda what: peaks[what])
    claim = Claim(
        f"peak memory, worst of {len(peaks)}: {worst}",
        f"under {_PEAK_TARGET_MB} MB",
        f"{peaks[worst]:,.0f} MB",
        _PEAK_TARGET_MB / peaks[worst],
    )
    return Section("Peak memory", ("input", "GB", "how", "wall s", "peak MB"), rows, [claim])


@contextmanager
def _input(directory: Path, name: str, size: int) -> Iterator[Path]:
    path = _packed(directory, size) if name.endswith(".gz") else make(directory / name, size)
    try:
        yield path
    finally:
        path.unlink()


def _packed(directory: Path, size: int) -> Path:
    """Lines of Winlogbeat, so many bytes when unpacked: one gzip member again and again."""
    member_bytes = min(size, 16 * MB)
    member = gzip.compress(b"".join(INPUTS["winlogbeat.json"](member_bytes)), compresslevel=1)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "winlogbeat.json.gz"
    with path.open("wb") as output:
        output.writelines(member for _ in range(-(-size // member_bytes)))
    return path


def _read_from_pipe(path: Path) -> Run:
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        return run_command([*procwire_command(), "read", "-", "--to", "ndjson"], stdin=cat.stdout)


def start_up(runs: int) -> Section:
    """From the start of `procwire --version` to its end."""
    taken = [run_command([*procwire_command(), "--version"]) for _ in range(runs + 1)][1:]
    wall_ms = median(run.wall_s for run in taken) * 1000
    worst_ms = max(run.wall_s for run in taken) * 1000
    row = (" ".join(procwire_command()), str(runs), f"{wall_ms:.0f}", f"{worst_ms:.0f}", f"{taken[0].peak_mb:.0f}")
    claim = Claim("procwire --version", f"under {_START_TARGET_MS} ms", f"{wall_ms:.0f} ms", _START_TARGET_MS / wall_ms)
    return Section("Start-up", ("command", "runs", "median ms", "slowest ms", "peak MB"), [row], [claim])


def writers(path: Path, runs: int) -> Section:
    """`procwire read` of an input to each output, from its start to its end."""
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
