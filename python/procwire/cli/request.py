"""What a recording is asked to do: between the options of `procwire record` and what sets it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from procwire.choices import Level, Names
from procwire.choices import ProtocolChoice as Protocol
from procwire.choices import SensorName as Sensor

__all__ = ["Level", "Names", "Protocol", "Request", "Sensor", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go: a file, or stdout (with syslog the system's log, with lake a lake) without one."""

    way: str
    path: Path | None
    to_stdout: bool

    @property
    def name(self) -> str:
        """What the account calls it."""
        elsewhere = "the lake" if self.way == "lake" else "the system's log"
        return "stdout" if self.to_stdout else str(self.path or elsewhere)


@dataclass(frozen=True, slots=True)
class Request:
    """What to record, and how."""

    images: list[str] | None
    """Processes to record, of `-n`; empty for all of them; None without it."""
    config: Path | None
    lenient: bool
    strict_sysmon: bool
    keep_unlogged: bool
    targets: tuple[Target, ...]
    names: Names
    columns: list[str] | None
    where: list[str]
    """Predicates that must all hold."""
    duration_s: float | None
    count: int | None
    sensor: Sensor
    interval_s: float
    protocol: Protocol
    udp_idle_s: float
    attempts: bool
    closes: bool
    existing: bool
    dns_lookup: bool
    user: str | None
    rotate_bytes: int | None
    rotate_s: float | None
    keep: int | None
    ring_bytes: int
    ledger: Path | None
    detect: tuple[Path, ...]
    """Sigma rules: files, and folders."""
    level: Level | None
    """Of these rules the least; None for all of them."""
    lists: Mapping[str, Path]
    """For names of placeholders in these rules the files with their values."""
    force: bool
    """Whether `ledger` may be overwritten."""
    lake: str | None
    """Absolute path or URI; None without a lake."""
