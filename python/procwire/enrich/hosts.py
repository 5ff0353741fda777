"""src_host_name and dst_host_name, and where each comes from."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.enrich.addresses import Addresses, OwnAddresses, can_be_asked, can_be_own
from procwire.enrich.columns import Distinct, column, replaced
from procwire.enrich.lookups import Answer, Lookups
from procwire.enrich.reverse import ReverseLookup
from procwire.enrich.watched import Watched

__all__ = ["HostNames"]

# A name and its origin.
Named = tuple[str | None, str | None]

_HOSTS = Path("/etc/hosts")
_NAMESPACE = Path("/proc/self/ns/net")
_THREADS = 8
_UNNAMED: Named = (None, None)
_LOCAL, _REVERSE = "local", "reverse"
_LOOPBACK = pa.scalar("127.0.0.1")
_NO_TEXT, _NO_FLAG = pa.scalar(None, pa.string()), pa.scalar(None, pa.bool_())


class HostNames:
    """Fills src_host_name, dst_host_name and their origins, where the sensor has not.

    This machine's own ends have this machine's name, as Sysmon shows them. With `lookup` the others have what
    /etc/hosts says, else the name that a reverse look-up gave: one is begun at the first sight of an address, and
    rows have null until it has an answer. Never waits.
    """

    def __init__(
        self,
        lookup: bool,
        *,
        machine_name: str | None = None,
        hosts: Path = _HOSTS,
        resolve: Callable[[str], Answer[str]] | None = None,
    ) -> None:
        self._lookup = lookup
        self._machine: Named = (machine_name or socket.gethostname(), _LOCAL)
        self._own = OwnAddresses()
        self._namespace = pa.scalar(_own_namespace(), pa.int64())
        self._hosts = Watched(hosts, _parse_hosts)
        self._known: tuple[Addresses, dict[str, str], dict[str | None, Named]] | None = None
        # Without look-ups their library is not even imported: by now it may not be readable.
        self._resolve = resolve or (ReverseLookup() if lookup else _unasked)
        self._others: Lookups[str, Named] = Lookups(self._reverse, at_sight=self._at_sight, threads=_THREADS)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        initiated = self._initiated_elsewhere(batch)
        batch = self._side(batch, "src", initiated)
        return self._side(batch, "dst", None if initiated is None else pc.invert(initiated))

    def counters(self) -> Mapping[str, int]:
        """Reverse look-ups so far: asked; of these named, unanswered by any resolver, and failed otherwise; and
        dropped, since too many were under way."""
        others = self._others
        return {
            "asked": others.asked,
            "named": others.answered,
            "unanswered": self._resolve.unanswered if isinstance(self._resolve, ReverseLookup) else 0,
            "failed": others.failed,
            "dropped": others.dropped,
        }

    def close(self) -> None:
        """Stop looking up; nobody waits for answers."""
        self._others.close()
        self._own.close()

    def _initiated_elsewhere(self, batch: pa.RecordBatch) -> pa.Array | None:
        """For rows of other network namespaces, such as containers', whether the process is the source; else null.

        Their addresses cannot be listed from here, but which end is the process's is known. In the namespace of
        the recorder the addresses themselves tell, and better: a transparent proxy has ends with others' addresses.
        """
        if not self._namespace.is_valid:
            return None
        elsewhere = pc.not_equal(column(batch, "network_namespace_id"), self._namespace)
        if not elsewhere.true_count:
            return None
        # Of udp whose direction is not known the source is the local end.
        known = pc.coalesce(
            column(batch, "network_connection_initiated"),
            pc.if_else(pc.equal(column(batch, "network_protocol"), "udp"), True, _NO_FLAG),
        )
        return pc.if_else(elsewhere, known, _NO_FLAG)

    def _side(self, batch: pa.RecordBatch, side: str, own_end: pa.Array | None) -> pa.RecordBatch:
        addresses = column(batch, f"{side}_ip")
        given = column(batch, f"{side}_host_name")
        unnamed = addresses if given.null_count == len(given) else pc.if_else(pc.is_null(given), addresses, _NO_TEXT)
        asked = unnamed
        if own_end is not None:
            own = pc.fill_null(pc.and_(own_end, _can_be_own(unnamed)), False)
            # An address that is this machine's for sure.
            asked = pc.if_else(own, _LOOPBACK, unnamed)
        names, origins = self._names(asked)
        if unnamed is not addresses:
            names = pc.coalesce(given, names)
            origins = pc.coalesce(column(batch, f"{side}_host_name_origin"), origins)
        batch = replaced(batch, f"{side}_host_name", names)
        return replaced(batch, f"{side}_host_name_origin", origins)

    def _names(self, addresses: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The names of the addresses, and their origins."""
        distinct = Distinct(addresses)
        values = cast("list[str | None]", distinct.values)
        known = self._known_now()
        asked = [None if address in known else address for address in values]
        others = self._others.look_up(asked)
        found = [other or known.get(address, _UNNAMED) for address, other in zip(values, others, strict=True)]
        names, origins = [name for name, _ in found], [origin for _, origin in found]
        return distinct.spread(names, pa.string()), distinct.spread(origins, pa.string())

    def _known_now(self) -> dict[str | None, Named]:
        """Whatever needs no look-up by its address: this machine's own, the broadcast ones, and /etc/hosts."""
        own, hosts = self._own.now, self._hosts.parsed
        if self._known is None or self._known[0] is not own or self._known[1] is not hosts:
            known: dict[str | None, Named] = {None: _UNNAMED}
            if self._lookup:
                known |= {address: (name, _REVERSE) for address, name in hosts.items()}
            known |= dict.fromkeys(own.broadcast, _UNNAMED)
            known |= dict.fromkeys(own.own, self._machine)
            self._known = (own, hosts, known)
        return self._known[2]

    def _at_sight(self, address: str) -> Answer[Named] | None:
        if address.startswith("127.") or address == "::1":
            return Answer(self._machine, math.inf)
        if not self._lookup or not can_be_asked(address):
            return Answer(None, math.inf)
        return None

    def _reverse(self, address: str) -> Answer[Named]:
        name, kept_s = self._resolve(address)
        return Answer((name, _REVERSE) if name else None, kept_s)


def _unasked(address: str) -> Answer[str]:
    raise AssertionError(f"found a look-up of {address}, expected none")


def _own_namespace() -> int | None:
    try:
        return _NAMESPACE.stat().st_ino
    except OSError:
        return None


def _can_be_own(addresses: pa.Array) -> pa.Array:
    # A received broadcast has this machine's end as its destination, but is no machine's name.
    distinct = Distinct(addresses)
    values = cast("list[str | None]", distinct.values)
    return distinct.spread([value is not None and can_be_own(value) for value in values], pa.bool_())


def _parse_hosts(text: str) -> dict[str, str]:
    """Address to its first name."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        address, name, *_ = [*line.partition("#")[0].split(), "", ""]
        try:
            canonical = str(ip_address(address)) if name else ""
        except ValueError:
            continue
        names.setdefault(canonical, name)
    return names
