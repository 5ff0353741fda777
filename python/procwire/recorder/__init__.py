"""Recording: from a live source, through enrichment, rules and a predicate, to the outputs, with a ledger."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from procwire.recorder.ledger import ConfigurationLedger, DetectionLedger, OutputLedger, RecordingLedger

if TYPE_CHECKING:
    from procwire.recorder.loop import Recorder
    from procwire.recorder.notices import Notice
    from procwire.recorder.reload import Changes, LiveRules

__all__ = [
    "Changes",
    "ConfigurationLedger",
    "DetectionLedger",
    "LiveRules",
    "Notice",
    "OutputLedger",
    "Recorder",
    "RecordingLedger",
]

_HOMES = {"Changes": "reload", "LiveRules": "reload", "Notice": "notices", "Recorder": "loop"}


def __getattr__(name: str) -> object:
    # Import on first use: a recording of lines works without Arrow.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
