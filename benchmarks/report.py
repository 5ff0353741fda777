"""Results as Markdown that is also readable on a terminal."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PEERS = ("evtx", "lxml", "duckdb", "polars", "pyarrow")


@dataclass(frozen=True)
class Claim:
    """Hold a target and the measurement; a `ratio` of 1 or more meets the target."""

    what: str
    target: str
    measured: str
    ratio: float

    @property
    def met(self) -> bool:
        """Return whether the target was met."""
        return self.ratio >= 1


@dataclass(frozen=True)
class Section:
    """Hold one benchmark's results."""

    title: str
    headings: Sequence[str]
    rows: list[Sequence[str]]
    claims: list[Claim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def document(
    sections: Sequence[Section], load_before: float, *, title: str = "Benchmarks", about: Sequence[str] | None = None
) -> str:
    """Return all results, targets first. about: lines that describe them; default: peers and units of `run.py`."""
    claims = [claim for section in sections for claim in section.claims]
    lines = [
        f"# {title} of {datetime.now(UTC):%Y-%m-%d}",
        "",
        *_machine(load_before, about or _readers()),
        "",
        "## Targets",
        "",
    ]
    lines += table(
        ("what", "target", "measured", "measured / target", ""),
        [
            (claim.what, claim.target, claim.measured, f"{claim.ratio:.2f}", "met" if claim.met else "MISSED")
            for claim in claims
        ],
    )
    for section in sections:
        lines += ["", f"## {section.title}", "", *table(section.headings, section.rows)]
        lines += [line for note in section.notes for line in ("", note)]
    return "\n".join(lines) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return a Markdown table with aligned columns."""
    everything = [headings, *rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(headings))]
    for index, row in enumerate(everything):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if index == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _machine(load_before: float, about: Sequence[str]) -> Iterator[str]:
    yield f"- procwire at commit {_commit()}; Python {platform.python_version()}"
    yield f"- {_cpu_model()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB; {platform.system()} {platform.release()}"
    yield f"- Load average before and after: {load_before:.2f}, {os.getloadavg()[0]:.2f}"
    yield from (f"- {line}" for line in about)


def _readers() -> list[str]:
    peers = ", ".join(f"{name} {version(name)}" for name in _PEERS)
    units = "MB and GB are 10^6 and 10^9 bytes of input; times are medians of fresh processes, warm page cache"
    return [f"Beside {peers}", units]


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return described.stdout.strip() or "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
