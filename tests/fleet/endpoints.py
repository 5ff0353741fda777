"""Hold all endpoints: the fleet's own addresses, broadcasts, vendors' services, the sites of the internet."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from event_rows import address_bytes
from fleet.chance import Floats, Integers, heavy_tailed, uniform
from fleet.machines import ROLES, Machines

__all__ = ["GROUPS", "SITES", "Columns", "Endpoints"]

SITES = 20_000
"""Of the internet, that people visit."""
# Few addresses of the internet have a reverse name: real logs lack half of them and more.
_WITH_NAME, _WITH_IPV6 = 0.45, 0.3

GROUPS = {
    "updates": 24, "telemetry": 6, "edr": 4, "office": 40, "chat": 16, "drive": 12, "browser-update": 8, "cdn": 60,
    "forwarder": 2, "vendor": 1,
}  # fmt: skip
"""Services of the internet that machines speak to by themselves, and how many addresses each has."""
_SPECIAL = {
    "broadcast": "255.255.255.255", "llmnr": "224.0.0.252", "llmnr6": "ff02::1:3", "mdns": "224.0.0.251",
    "ssdp": "239.255.255.250", "subnet": "10.10.255.255", "printer": "10.10.250.9",
}  # fmt: skip


class Columns(NamedTuple):
    """Hold the columns of all endpoints, by number."""

    ip: pa.Array
    host_name: pa.Array
    is_ipv6: pa.Array
    ip_bytes: pa.Array


class Endpoints:
    """Hold addresses by number: first the machines' IPv4 ones, then their IPv6 ones, then all others."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._ips = machines.addresses() + machines.ipv6_addresses()
        self._names: list[str | None] = [*machines.names(), *machines.names()]
        self._groups: dict[str, Integers] = {role: machines.of(role) for role in ROLES}
        for group, ip in _SPECIAL.items():
            self._groups[group] = np.array([self.add(ip)])
        for group, count in GROUPS.items():
            ips = _public_ipv4(uniform(machines.seed, 71, sum(map(ord, group)), np.arange(count)))
            self._groups[group] = np.array([self.add(ip, _vendor_name(group, number)) for number, ip in enumerate(ips)])
        self._add_sites()
        self._ipv6 = machines.has_ipv6()

    def _add_sites(self) -> None:
        draw, numbers = self._machines.seed, np.arange(SITES)
        shares, ipv6 = uniform(draw, 72, numbers), uniform(draw, 73, numbers) < _WITH_IPV6
        named = (uniform(draw, 74, numbers) < _WITH_NAME).tolist()
        ips = np.where(ipv6, _public_ipv6(shares), _public_ipv4(shares)).tolist()
        self._sites_at = len(self._ips)
        self._ips += ips
        self._names += [f"www.site{number:05d}.example" if named[number] else None for number in range(SITES)]
        ipv4 = np.flatnonzero(~ipv6)
        self._next_ipv4 = self._sites_at + ipv4[np.searchsorted(ipv4, numbers) % len(ipv4)]

    def group(self, name: str) -> Integers:
        """Return the endpoints of a group: a role's machines, or a service."""
        return self._groups[name]

    def add(self, ip: str, name: str | None = None) -> int:
        """Add an endpoint; return its number."""
        self._ips.append(ip)
        self._names.append(name)
        return len(self._ips) - 1

    def ip(self, number: int) -> str:
        """Return the address as text."""
        return self._ips[number]

    def sites(self, machine: Integers, share: Floats, rank: Integers) -> Integers:
        """Return sites that people visit: with a `share` below 0.6 one of their own favourites, else a popular one."""
        own = (heavy_tailed(uniform(rank, 3), 60) * 7_919 + machine * 104_729) % SITES
        common = heavy_tailed(uniform(rank, 4), SITES)
        site = np.where(share < 0.6, own, common)
        # A site with IPv6 is for machines that have it; others use the next one.
        return np.where(self._ipv6[machine], self._sites_at + site, self._next_ipv4[site])

    def prefer_ipv6(self, machine: Integers, remote: Integers) -> Integers:
        """Return the remote machine's IPv6 address every second time, if both machines have IPv6."""
        count = self._machines.count
        inside = remote < count
        both = inside & self._ipv6[machine] & self._ipv6[np.where(inside, remote, 0)]
        return np.where(both & (np.arange(len(remote)) % 2 == 0), remote + count, remote)

    def columns(self) -> Columns:
        """Return the columns of all endpoints so far."""
        return Columns(
            pa.array(self._ips),
            pa.array(self._names, pa.string()),
            pa.array([":" in ip for ip in self._ips]),
            pa.array([address_bytes(ip) for ip in self._ips], pa.binary()),
        )


def _vendor_name(group: str, number: int) -> str | None:
    return f"{group}-{number:02d}.vendor.example" if number % 2 == 0 else None


def _public_ipv4(shares: Floats) -> list[str]:
    """Return an address in 20.0.0.0 to 99.255.255.255, which is all public."""
    return [str(ip_address(number)) for number in ((20 << 24) + shares * (80 << 24)).astype(np.int64).tolist()]


def _public_ipv6(shares: Floats) -> list[str]:
    numbers = (shares * (1 << 52)).astype(np.int64).tolist()
    return [str(ip_address((0x2A00 << 112) | number << 40 | number)) for number in numbers]
