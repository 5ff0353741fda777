"""The reverse look-up of one address, with the system's resolver configuration."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from procwire.enrich.lookups import Answer
from procwire.enrich.watched import Watched

if TYPE_CHECKING:
    from dns.resolver import Resolver

__all__ = ["ReverseLookup"]

_RESOLV_CONF = Path("/etc/resolv.conf")
_KEPT_AT_LEAST_S, _KEPT_AT_MOST_S = 60.0, 3600.0
_NO_NAME_KEPT_S = 300.0
_NO_ANSWER_KEPT_S = 60.0
_LIFETIME_S = 3.0
# One zone whose servers are down is common; so many in a row are a resolver that is.
_SILENCES = 8
_PAUSE_S = 30.0


class ReverseLookup:
    """Asks for the PTR record of an address. May take 3 s; used by several threads.

    A resolver that has answered nothing for 8 questions in a row is not asked for 30 s.
    """

    def __init__(self, resolv_conf: Path = _RESOLV_CONF, port: int = 53, lifetime_s: float = _LIFETIME_S) -> None:
        self._port = port
        self._lifetime_s = lifetime_s
        self._resolver: Watched[Resolver | None] = Watched(resolv_conf, self._configured)
        self._lock = Lock()
        self._silent = 0
        self._pause_until_s = 0.0
        self.unanswered = 0
        """Questions that no resolver answered, those not asked for that reason included."""

    def __call__(self, address: str) -> Answer[str]:
        from dns.exception import DNSException, Timeout
        from dns.resolver import NXDOMAIN, NoAnswer

        with self._lock:
            resolver = self._resolver.parsed
        if resolver is None or time.monotonic() < self._pause_until_s:
            self._count(self._silent)
            return Answer(None, _NO_ANSWER_KEPT_S)
        try:
            found = resolver.resolve_address(address)
        except (NXDOMAIN, NoAnswer):
            self._silent = 0
            return Answer(None, _NO_NAME_KEPT_S)
        except (DNSException, OSError) as error:
            self._count(self._silent + 1 if isinstance(error, Timeout) else 0)
            return Answer(None, _NO_ANSWER_KEPT_S)
        self._silent = 0
        # One of several, the same each time; names compare without case, and 0x20 randomisation comes back.
        name = min(record.target.to_text(omit_final_dot=True).lower() for record in found)
        ttl_s = 0 if found.rrset is None else found.rrset.ttl
        kept_s = min(max(ttl_s, _KEPT_AT_LEAST_S), _KEPT_AT_MOST_S)
        return Answer(name or None, kept_s)

    def _count(self, silent: int) -> None:
        with self._lock:
            self.unanswered += 1
            self._silent = silent
            if silent >= _SILENCES:
                self._silent = 0
                self._pause_until_s = time.monotonic() + _PAUSE_S

    def _configured(self, text: str) -> Resolver | None:
        from io import StringIO

        from dns.resolver import NoResolverConfiguration, Resolver

        resolver = Resolver(configure=False)
        try:
            resolver.read_resolv_conf(StringIO(text))
        except NoResolverConfiguration:
            return None
        resolver.port = self._port
        resolver.lifetime = self._lifetime_s
        return resolver
