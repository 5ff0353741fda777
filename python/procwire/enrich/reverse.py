"""Look up the name of one address, with the system's resolver configuration."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from procwire.enrich.lookups import Answer
from procwire.files.watching import Watched

if TYPE_CHECKING:
    from dns.resolver import Resolver

__all__ = ["ReverseLookup"]

_RESOLV_CONF = Path("/etc/resolv.conf")
_KEPT_AT_LEAST_S, _KEPT_AT_MOST_S = 60.0, 3600.0
_NO_NAME_KEPT_S = 300.0
_NO_ANSWER_KEPT_S = 60.0
_LIFETIME_S = 3.0
# So many timeouts in a row mean that a resolver is down, or the servers of zones that processes connect to.
# A query that a resolver answers whichever zones are down distinguishes the two.
_SILENCES = 8
_ANSWERED_BY_ALL = (".", "NS")
_PAUSE_S = 30.0


class ReverseLookup:
    """Query the PTR record of an address. May take 3 s; used by several threads.

    A resolver that has answered nothing for 8 queries in a row, and does not name the root's servers either, is not
    queried for 30 s.
    """

    def __init__(self, resolv_conf: Path = _RESOLV_CONF, port: int = 53, lifetime_s: float = _LIFETIME_S) -> None:
        self._port = port
        self._lifetime_s = lifetime_s
        self._resolver: Watched[Resolver | None] = Watched(resolv_conf, self._configured)
        self._lock = Lock()
        self._silent = 0
        self._pause_until_s = 0.0
        self.unanswered = 0
        """Queries that no resolver answered, including those not made for that reason."""

    def __call__(self, address: str) -> Answer[str]:
        """Return the name of an address, None without one, and for how long the answer is valid."""
        from dns.exception import DNSException, Timeout
        from dns.resolver import NXDOMAIN, NoAnswer

        with self._lock:
            resolver = self._resolver.parsed
        if resolver is None or time.monotonic() < self._pause_until_s:
            self._count()
            return Answer(None, _NO_ANSWER_KEPT_S)
        try:
            found = resolver.resolve_address(address)
        except (NXDOMAIN, NoAnswer):
            self._silent = 0
            return Answer(None, _NO_NAME_KEPT_S)
        except (DNSException, OSError) as error:
            if not isinstance(error, Timeout):
                self._silent = 0
            elif self._is_silent_again() and not self._answers(resolver):
                self._pause_until_s = time.monotonic() + _PAUSE_S
            self._count()
            return Answer(None, _NO_ANSWER_KEPT_S)
        self._silent = 0
        # One of several, the same each time; names compare without case, and 0x20 randomisation is echoed.
        name = min(record.target.to_text(omit_final_dot=True).lower() for record in found)
        ttl_s = 0 if found.rrset is None else found.rrset.ttl
        kept_s = min(max(ttl_s, _KEPT_AT_LEAST_S), _KEPT_AT_MOST_S)
        return Answer(name or None, kept_s)

    def _count(self) -> None:
        with self._lock:
            self.unanswered += 1

    def _is_silent_again(self) -> bool:
        """Count a timeout; return whether it is the last of so many in a row."""
        with self._lock:
            self._silent += 1
            if self._silent < _SILENCES:
                return False
            self._silent = 0
            return True

    def _answers(self, resolver: Resolver) -> bool:
        """Return whether a resolver answers at all, even with a refusal."""
        from dns.exception import DNSException, Timeout

        try:
            resolver.resolve(*_ANSWERED_BY_ALL)
        except Timeout:
            return False
        except (DNSException, OSError):
            return True
        return True

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
