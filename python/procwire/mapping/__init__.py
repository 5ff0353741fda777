"""Map logs of unknown formats: propose a mapping, and try one on a log's first records."""

from procwire.mapping.proposal import Proposal, propose

__all__ = ["Proposal", "propose"]
