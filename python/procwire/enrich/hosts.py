"""src_host_name and dst_host_name, and where each comes from."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.enrich.addresses import OwnAddresses, can_be_asked, can_be_own
from procwire.enrich.columns import Distinct, column, replaced
from procwire.enrich.lookups import Answer, Lookups
from procwire.enrich.reverse import ReverseLookup
from procwire.enrich.watched import Watched

__all__ = ["HostNames"]

_HOSTS = Path("/etc/hosts")
_NAMESPACE = Path("/proc/self/ns/net")
_THREADS = 8
_NO_TEXT = pa.scalar(None, pa.string())
_LOCAL, _REVERSE = "local", "reverse"

# A name and its origin.
Named = tuple[str, str] | tuple[None, None]
_UNNAMED: Named = (None, None)


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
        self._machine_name = machine_name or socket.gethostname()
        self._own = OwnAddresses()
        self._namespace = pa.scalar(_own_namespace(), pa.int64())
        self._hosts = Watched(hosts, _parse_hosts)
        self._peers: Lookups[str, str] = Lookups(resolve or ReverseLookup(), threads=_THREADS)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        initiated = self._initiated_elsewhere(batch)
        batch = self._side(batch, "src", initiated)
        return self._side(batch, "dst", None if initiated is None else pc.invert(initiated))

    def counters(self) -> Mapping[str, int]:
        """Reverse look-ups so far: asked, with a name, failed, and dropped since too many were under way."""
        peers = self._peers
        return {"asked": peers.asked, "named": peers.answered, "failed": peers.failed, "dropped": peers.dropped}

    def close(self) -> None:
        """Stop looking up; nobody waits for answers."""
        self._peers.close()
        self._own.close()

    def _initiated_elsewhere(self, batch: pa.RecordBatch) -> pa.Array | None:
        """For rows of other network namespaces, such as containers', whether the process is the source; else null.

        Their addresses cannot be listed from here, but which end is the process's is known. In the namespace of
        the recorder the addresses themselves tell, and better: a transparent proxy has ends with others' addresses.
        """
        if self._namespace.as_py() is None:
            return None
        elsewhere = pc.not_equal(column(batch, "network_namespace_id"), self._namespace)
        if not elsewhere.true_count:
            return None
        return pc.if_else(elsewhere, column(batch, "network_connection_initiated"), pa.scalar(None, pa.bool_()))

    def _side(self, batch: pa.RecordBatch, side: str, own_end: pa.Array | None) -> pa.RecordBatch:
        addresses = column(batch, f"{side}_ip")
        given = column(batch, f"{side}_host_name")
        unnamed = addresses if given.null_count == len(given) else pc.if_else(pc.is_null(given), addresses, _NO_TEXT)
        own = None if own_end is None else pc.fill_null(pc.and_(own_end, self._can_be_own(unnamed)), False)
        names, origins = self._names(unnamed if own is None else pc.if_else(own, _NO_TEXT, unnamed))
        if own is not None:
            names = pc.if_else(own, self._machine_name, names)
            origins = pc.if_else(own, _LOCAL, origins)
        if unnamed is not addresses:
            names = pc.coalesce(given, names)
            origins = pc.coalesce(column(batch, f"{side}_host_name_origin"), origins)
        batch = replaced(batch, f"{side}_host_name", names)
        return replaced(batch, f"{side}_host_name_origin", origins)

    def _can_be_own(self, addresses: pa.Array) -> pa.Array:
        distinct = Distinct(addresses)
        values = cast("list[str | None]", distinct.values)
        # A received broadcast has this machine's end as its destination, but is no machine's name.
        return distinct.spread([value is not None and can_be_own(value) for value in values], pa.bool_())

    def _names(self, addresses: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The names of the addresses, and their origins."""
        distinct = Distinct(addresses)
        values = cast("list[str | None]", distinct.values)
        own, broadcast = self._own.now
        hosts = self._hosts.parsed if self._lookup else {}
        found: list[Named] = []
        for address in values:
            if address in own or _is_loopback(address):
                found.append((self._machine_name, _LOCAL))
            elif name := hosts.get(address):
                found.append((name, _REVERSE))
            else:
                found.append(_UNNAMED)
        if self._lookup:
            asked = [
                address if named is _UNNAMED and _can_be_asked(address, broadcast) else None
                for address, named in zip(values, found, strict=True)
            ]
            peers = self._peers.look_up(asked)
            found = [(peer, _REVERSE) if peer else named for peer, named in zip(peers, found, strict=True)]
        text = pa.string()
        return distinct.spread([name for name, _ in found], text), distinct.spread(
            [origin for _, origin in found], text
        )


def _own_namespace() -> int | None:
    try:
        return _NAMESPACE.stat().st_ino
    except OSError:
        return None


def _is_loopback(address: str | None) -> bool:
    return address is not None and (address == "::1" or address.startswith("127."))


def _can_be_asked(address: str | None, broadcast: frozenset[str]) -> bool:
    return address is not None and address not in broadcast and can_be_asked(address)


def _parse_hosts(text: str) -> dict[str | None, str]:
    """Address to its first name."""
    names: dict[str | None, str] = {}
    for line in text.splitlines():
        address, name, *_ = [*line.partition("#")[0].split(), "", ""]
        try:
            canonical = str(ip_address(address)) if name else ""
        except ValueError:
            continue
        names.setdefault(canonical, name)
    return names
