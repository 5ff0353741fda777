"""Fill src_host_name and dst_host_name, and where each comes from."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.enrich.addresses import LOOPBACK, Addresses, Named, OwnAddresses, can_be_asked, can_be_own
from procwire.enrich.lookups import Answer, HolderOf, Lookups
from procwire.enrich.reverse import ReverseLookup
from procwire.files.watching import Watched

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HostNames"]

_HOSTS = Path("/etc/hosts")
_NAMESPACE = Path("/proc/self/ns/net")
_THREADS = 8
_UNNAMED: Named = (None, None)
_LOCAL, _REVERSE = "local", "reverse"


class HostNames:
    """Fill src_host_name, dst_host_name and their origins, where the sensor has not.

    This machine's own ends have this machine's name, as Sysmon shows them. With `lookup` the others have the name in
    /etc/hosts, else the one that a reverse look-up found: it starts at the first sight of an address, and rows have
    null until it has an answer. Never waits.
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
        self.namespace = _own_namespace()
        """Inode of the network namespace whose addresses are known; None where it cannot be seen."""
        self._hosts = Watched(hosts, _parse_hosts)
        self._known: tuple[Addresses, dict[str, str], dict[str | None, Named]] | None = None
        # Without look-ups do not import their library: by now it may not be readable.
        self._resolve = resolve or (ReverseLookup() if lookup else _unasked)
        self._others: Lookups[str, Named] = Lookups(self._reverse, at_sight=self._at_sight, threads=_THREADS)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with names of hosts and their origins filled."""
        from procwire.enrich import host_columns

        return host_columns.filled(batch, self.namespace, self._found)

    def named(self, address: str, *, is_own: bool = False, holder: int | None = None) -> Named:
        """Return the name of one address, by the rules for batches.

        is_own: it is this machine's end in another namespace. holder: the user whose connection needs the name.
        """
        asked = LOOPBACK if is_own and can_be_own(address) else address
        return self._found([asked], lambda _: holder)[0]

    def counters(self) -> Mapping[str, int]:
        """Return counts of reverse look-ups so far.

        asked; of these named, unanswered by any resolver, and failed otherwise; and dropped, since too many were under
        way.
        """
        others = self._others
        return {
            "asked": others.asked,
            "named": others.answered,
            "unanswered": self._resolve.unanswered if isinstance(self._resolve, ReverseLookup) else 0,
            "failed": others.failed,
            "dropped": others.dropped,
        }

    def close(self) -> None:
        """Stop looking up, without waiting for answers."""
        self._others.close()
        self._own.close()

    def _found(self, addresses: Sequence[str | None], holder_of: HolderOf = lambda _: None) -> list[Named]:
        known = self._known_now()
        others = self._others.look_up(
            [None if address in known else address for address in addresses], holder_of=holder_of
        )
        return [other or known.get(address, _UNNAMED) for address, other in zip(addresses, others, strict=True)]

    def _known_now(self) -> dict[str | None, Named]:
        """Return names that need no look-up by address: this machine's own, the broadcast ones, and /etc/hosts."""
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


def _parse_hosts(text: str) -> dict[str, str]:
    """Return each address's first name."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        address, name, *_ = [*line.partition("#")[0].split(), "", ""]
        try:
            canonical = str(ip_address(address)) if name else ""
        except ValueError:
            continue
        names.setdefault(canonical, name)
    return names
