"""Recording: from a live source, by way of enrichment and selection, to the outputs; with an account of it all."""

from procwire.recorder.ledger import OutputLedger, RecordingLedger
from procwire.recorder.loop import Recorder

__all__ = ["OutputLedger", "Recorder", "RecordingLedger"]
