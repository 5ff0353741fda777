"""Describe what is planted among the harmless traffic: the truth that hunts must find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

__all__ = ["KINDS", "Beacon", "Kind", "Planted"]

Kind = Literal[
    "beacon", "port-scan", "host-sweep", "lateral-movement", "strobe", "system-binary", "listener", "port-mismatch",
    "first-seen",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Planted:
    """Describe something that a hunt must find."""

    kind: Kind
    computer_name: str
    process_name: str
    dst_ip: str | None
    """None where there are many. For a listener the machine's own."""
    dst_port: int | None
    """None where there are many."""
    first: datetime
    last: datetime
    events: int
    """Rows that the machine itself logs of it; the other end may log more."""


@dataclass(frozen=True, slots=True)
class Beacon(Planted):
    """Describe a program that connects to its server periodically."""

    period_s: float
    jitter: float
    """Each interval is drawn evenly from period times 1 - jitter to 1 + jitter."""
    sleeps: bool
    """Whether it calls only from 8 to 18 h local time."""
    destination: Literal["rare", "named", "cdn"]
    """An address that nobody else speaks to, without a name or with one; or one that browsers also speak to."""
