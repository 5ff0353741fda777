"""Add what the sensor does not know of a connection: names, containers, the envelope. One file per enrichment.

Each is an object that takes a batch of `event.LIVE_SCHEMA` and returns one with its own columns filled. It uses the
rules of its file, which a recording of lines uses too (`naming`), without Arrow. None waits for a network;
docs/enrichment.md says where each name comes from.
"""

from __future__ import annotations

from procwire.enrich.containers import ContainerIds
from procwire.enrich.envelope import Envelope
from procwire.enrich.hosts import HostNames
from procwire.enrich.ports import PortNames
from procwire.enrich.users import UserNames

__all__ = ["ContainerIds", "Envelope", "HostNames", "PortNames", "UserNames"]
