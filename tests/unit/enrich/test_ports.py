"""Port names: the system's services file, and IANA's names where there is none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from enrich_rows import batch, column

from procwire.enrich import PortNames
from procwire.enrich import ports as module
from procwire.enrich.ports import port_names
from procwire.event import LIVE_SCHEMA

SERVICES = """# comment
http\t\t80/tcp\t\twww # WorldWideWeb
other           80/tcp
https 443/tcp
quic 443/udp
broken 12x/tcp
alone
"""
OWN = module._parse(module._OWN)


@pytest.fixture
def services(tmp_path: Path) -> Path:
    path = tmp_path / "services"
    path.write_text(SERVICES)
    return path


def test_ports_are_named_by_protocol(services: Path) -> None:
    named = PortNames(services)(
        batch(
            {"network_protocol": "tcp", "src_port": 50_000, "dst_port": 443},
            {"network_protocol": "udp", "src_port": 443, "dst_port": 80},
            {"network_protocol": "tcp", "src_port": 80, "dst_port": 65_535},
            {"network_protocol": None, "src_port": 80, "dst_port": 80},
            {"network_protocol": "udp", "src_port": None, "dst_port": 0},
        )
    )
    assert named.schema == LIVE_SCHEMA
    assert column(named, "src_port_name") == [None, "quic", "http", None, None]
    assert column(named, "dst_port_name") == ["https", None, None, None, None]


def test_without_a_services_file_names_are_iana_s(tmp_path: Path) -> None:
    """As in slim containers, where the names would else be gone."""
    rows = [
        {"network_protocol": protocol, "dst_port": port}
        for port, protocol in [(53, "udp"), (445, "tcp"), (2049, "tcp"), (3389, "tcp"), (5432, "tcp"), (1, "udp")]
    ]
    named = PortNames(tmp_path / "none")(batch(*rows))
    expected = ["domain", "microsoft-ds", "nfs", "ms-wbt-server", "postgresql", "tcpmux"]
    assert column(named, "dst_port_name") == expected


def test_the_system_s_names_are_getservbyport_s() -> None:
    """Every port that has a name, and its neighbours, against the C library."""
    if not module._SYSTEM.exists():
        pytest.skip("no /etc/services here")
    named_ports = {port for port, _ in module._parse(module._SYSTEM)}
    ports = {near for port in named_ports for near in (port - 1, port, port + 1)}
    rows = [{"network_protocol": protocol, "dst_port": port} for protocol in ("tcp", "udp") for port in ports]
    named = PortNames()(batch(*rows))
    for row, name in zip(rows, column(named, "dst_port_name"), strict=True):
        try:
            expected = socket.getservbyport(int(str(row["dst_port"])), str(row["network_protocol"]))
        except OSError:
            expected = None
        assert name == expected, row


def test_the_table_of_ours_is_well_formed() -> None:
    """Each port once for a protocol; most of those below 1024 are there."""
    lines = [line for line in module._OWN.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    assert len(lines) == len(OWN)
    assert {protocol for _, protocol in OWN} == {"tcp", "udp"}
    assert all(0 < port < 65_536 for port, _ in OWN)
    assert all(name and not name.isspace() and len(name) <= 24 for name in OWN.values())
    assert sum(port < 1024 for port, _ in OWN) > 1000


def test_the_table_of_ours_agrees_with_the_system_s_on_what_is_met_daily() -> None:
    known = {
        (22, "tcp"): "ssh", (25, "tcp"): "smtp", (53, "tcp"): "domain", (53, "udp"): "domain", (67, "udp"): "bootps",
        (80, "tcp"): "http", (88, "tcp"): "kerberos", (123, "udp"): "ntp", (137, "udp"): "netbios-ns",
        (389, "tcp"): "ldap", (443, "tcp"): "https", (443, "udp"): "https", (514, "udp"): "syslog",
        (636, "tcp"): "ldaps", (993, "tcp"): "imaps", (3306, "tcp"): "mysql", (5353, "udp"): "mdns",
        (5672, "tcp"): "amqp",
    }  # fmt: skip
    assert {key: OWN.get(key) for key in known} == known


def test_names_are_those_of_ports_and_protocols_that_there_are(tmp_path: Path) -> None:
    services = tmp_path / "services"
    services.write_text("http 80/tcp\nweb 80/sctp\nbig 70000/tcp\nntp 123/udp\n")
    assert port_names(services) == {(80, "tcp"): "http", (123, "udp"): "ntp"}
