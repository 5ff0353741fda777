"""Fill src_port_name and dst_port_name: the names that the system's services file has for ports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from procwire.bounded import read_bounded
from procwire.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PortNames", "port_names"]

_SYSTEM = Path("/etc/services")
_OWN = Path(__file__).with_name("services.txt")
_PORTS = 65_536
_PROTOCOLS = ("tcp", "udp")
_MOST_DIGITS = 5
_MOST_BYTES = 16 << 20


class PortNames:
    """Fill src_port_name and dst_port_name from port and protocol; null for a port without a name.

    The names are /etc/services', as getservbyport returns them; on a machine without that file, IANA's. Read once.
    """

    def __init__(self, services: Path = _SYSTEM) -> None:
        import pyarrow as pa

        names = port_names(services)
        # Where a protocol's names begin in the table.
        self._first = pa.array([0, _PORTS], pa.int32())
        # One array for both protocols, so that a name is found by its place.
        self._names = pa.array([names.get(key) for key in _keys()], pa.string())

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with src_port_name and dst_port_name filled."""
        import pyarrow.compute as pc

        from procwire.enrich.columns import column, replaced

        first = pc.if_else(pc.equal(column(batch, "network_protocol"), "udp"), self._first[1], self._first[0])
        for side in ("src", "dst"):
            places = pc.add(column(batch, f"{side}_port"), first)
            batch = replaced(batch, f"{side}_port_name", self._names.take(places))
        return batch


def port_names(services: Path = _SYSTEM) -> dict[tuple[int, str], str]:
    """Return (port, protocol) to name, of tcp and udp."""
    return _parse(services) or _parse(_OWN)


def _keys() -> list[tuple[int, str]]:
    return [(port, protocol) for protocol in _PROTOCOLS for port in range(_PORTS)]


def _parse(path: Path) -> dict[tuple[int, str], str]:
    """Return (port, protocol) to name; empty where the file cannot be read."""
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8", "replace")
    except (OSError, UsageError):
        return {}
    names: dict[tuple[int, str], str] = {}
    for line in text.splitlines():
        name, place, *_ = [*line.partition("#")[0].split(), "", ""]
        port, _, protocol = place.partition("/")
        if protocol in _PROTOCOLS and port.isdecimal() and len(port) <= _MOST_DIGITS and int(port) < _PORTS:
            names.setdefault((int(port), protocol), name)
    return names
