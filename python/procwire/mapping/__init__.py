"""Map logs of unknown formats: propose a mapping, and try one on a log's first records."""

from procwire.mapping.proposal import Proposal, propose
from procwire.mapping.trial import Trial, try_mapping

__all__ = ["Proposal", "Trial", "propose", "try_mapping"]
