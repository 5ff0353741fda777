"""Recording: from a live source, by way of enrichment, rules and a predicate, to the outputs; with its account."""

from procwire.recorder.ledger import ConfigurationLedger, DetectionLedger, OutputLedger, RecordingLedger
from procwire.recorder.loop import Recorder
from procwire.recorder.reload import Changes, LiveRules

__all__ = [
    "Changes",
    "ConfigurationLedger",
    "DetectionLedger",
    "LiveRules",
    "OutputLedger",
    "Recorder",
    "RecordingLedger",
]
