"""Host names: this machine's own, /etc/hosts', the sensor's, and those of reverse look-ups."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from enrich_rows import batch, column

from procwire.enrich import HostNames
from procwire.enrich.addresses import Addresses, OwnAddresses
from procwire.enrich.lookups import Answer
from procwire.event import LIVE_SCHEMA

ELSEWHERE = 1
"""No network namespace has this inode."""
LONG_S = 60.0
HOSTS = """127.0.0.1 localhost
192.0.2.10  printer.example printer  # the one on the stairs
192.0.2.10  other.example
2001:DB8:0::10 printer6.example
not-an-address name
192.0.2.11
"""


class Resolver:
    """Names every address but 198.51.100.99, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, address: str) -> Answer[str]:
        self.asked.append(address)
        assert self.go.wait(LONG_S)
        return Answer(None if address == "198.51.100.99" else f"host-{address}.example", LONG_S)


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(HOSTS)
    return path


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


@pytest.fixture
def names(hosts: Path, resolver: Resolver) -> Iterator[HostNames]:
    names = HostNames(True, machine_name="vm", hosts=hosts, resolve=resolver)
    yield names
    resolver.go.set()
    names.close()


def own_namespace() -> int:
    return Path("/proc/self/ns/net").stat().st_ino


def own_addresses() -> Addresses:
    with closing(OwnAddresses()) as own:
        return own.now


def row(src: str | None, dst: str | None, **others: object) -> dict[str, object]:
    return {
        "src_ip": src,
        "dst_ip": dst,
        "network_connection_initiated": True,
        "network_namespace_id": own_namespace(),
    } | others


def reported(batch: pa.RecordBatch, side: str = "dst") -> list[tuple[object, object]]:
    pairs = zip(column(batch, f"{side}_host_name"), column(batch, f"{side}_host_name_origin"), strict=True)
    return list(pairs)


def after_answers(names: HostNames, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows named, once nothing is under way."""
    names(rows)
    others = names._others
    others.look_up(list(others._waiting), LONG_S)
    return names(rows)


def test_own_addresses_have_the_machine_s_name(names: HostNames, resolver: Resolver) -> None:
    """All of them, as Sysmon shows it, loopback too: 127.0.0.1 has the Computer's name in its logs."""
    own = sorted(own_addresses().own | {"127.0.0.53", "::1"})
    named = names(batch(*[row(address, address) for address in own]))
    assert named.schema == LIVE_SCHEMA
    assert reported(named, "src") == reported(named) == [("vm", "local")] * len(own)
    assert resolver.asked == []


def test_without_a_name_given_it_is_the_hostname() -> None:
    import socket

    names = HostNames(False)
    assert reported(names(batch(row("127.0.0.1", None))), "src") == [(socket.gethostname(), "local")]
    names.close()


def test_a_peer_has_null_first_and_its_name_later(names: HostNames, resolver: Resolver) -> None:
    """The stream never waits for a name, and what has none is not asked for again."""
    resolver.go.clear()
    rows = batch(row("127.0.0.1", "198.51.100.1"), row("127.0.0.1", "198.51.100.99"))
    assert reported(names(rows)) == [(None, None)] * 2
    resolver.go.set()
    for _ in range(2):
        assert reported(after_answers(names, rows)) == [("host-198.51.100.1.example", "reverse"), (None, None)]
    assert sorted(resolver.asked) == ["198.51.100.1", "198.51.100.99"]
    assert names.counters() == {"asked": 2, "named": 1, "unanswered": 0, "failed": 0, "dropped": 0}


def test_a_user_who_connects_to_many_hosts_keeps_no_other_user_s_host_unnamed(
    names: HostNames, resolver: Resolver
) -> None:
    resolver.go.clear()
    many = [row("127.0.0.1", f"198.51.{index // 256}.{index % 256}", user_id=1000) for index in range(2_000)]
    names(batch(*many))
    assert names.counters()["dropped"] > 0
    other = batch(row("127.0.0.1", "203.0.113.1", user_id=1001))
    names(other)
    assert names._others.awaits(["203.0.113.1"])
    resolver.go.set()
    assert reported(after_answers(names, other)) == [("host-203.0.113.1.example", "reverse")]


def test_many_rows_are_named_as_few_are(names: HostNames) -> None:
    rows = [row("127.0.0.1", f"198.51.100.{index % 7}") for index in range(500)]
    named = after_answers(names, batch(*rows))
    assert reported(named) == [(f"host-198.51.100.{index % 7}.example", "reverse") for index in range(500)]
    assert reported(named, "src") == [("vm", "local")] * 500


def test_names_of_dns_answers_stay_and_are_not_asked_for(names: HostNames, resolver: Resolver) -> None:
    given = {"dst_host_name": "www.example", "dst_host_name_origin": "dns"}
    rows = batch(row("127.0.0.1", "198.51.100.1", **given), row("127.0.0.1", "198.51.100.2"), row(None, None))
    assert reported(after_answers(names, rows)) == [
        ("www.example", "dns"),
        ("host-198.51.100.2.example", "reverse"),
        (None, None),
    ]
    assert resolver.asked == ["198.51.100.2"]


def test_hosts_is_honoured_first_and_read_again(
    names: HostNames, hosts: Path, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procwire.files.watching._LOOK_AGAIN_S", 0.0)
    rows = batch(row("192.0.2.10", "2001:db8::10"))
    named = names(rows)
    assert reported(named, "src") == [("printer.example", "reverse")]
    assert reported(named) == [("printer6.example", "reverse")]
    hosts.write_text("192.0.2.10 moved.example\n")
    assert reported(names(rows), "src") == [("moved.example", "reverse")]
    assert resolver.asked == ["2001:db8::10"]


@pytest.mark.parametrize(
    "address",
    ["224.0.0.251", "239.255.255.250", "ff02::fb", "255.255.255.255", "0.0.0.0", "::", "fe80::1234", "no address"],
)
def test_what_is_no_host_of_the_dns_is_not_asked_for(names: HostNames, resolver: Resolver, address: str) -> None:
    assert reported(names(batch(row(None, address)))) == [(None, None)]
    assert resolver.asked == []
    assert names.counters()["asked"] == 0


def test_the_networks_broadcast_addresses_are_not_asked_for(names: HostNames, resolver: Resolver) -> None:
    broadcast = sorted(own_addresses().broadcast)
    named = names(batch(*[row(None, address) for address in broadcast]))
    assert reported(named) == [(None, None)] * len(broadcast)
    assert resolver.asked == []


def test_without_look_ups_only_own_ends_are_named(hosts: Path, resolver: Resolver) -> None:
    """Not even /etc/hosts, for that is a look-up too."""
    names = HostNames(False, machine_name="vm", hosts=hosts, resolve=resolver)
    named = names(batch(row("127.0.0.1", "198.51.100.1"), row("127.0.0.1", "192.0.2.10")))
    assert reported(named, "src") == [("vm", "local")] * 2
    assert reported(named) == [(None, None)] * 2
    assert resolver.asked == []
    names.close()


def test_own_ends_of_other_namespaces_are_reported_by_direction(names: HostNames, resolver: Resolver) -> None:
    """A container's address is not among the machine's, but the end that the process has is known."""
    elsewhere = {"network_namespace_id": ELSEWHERE}
    rows = batch(
        row("172.17.0.2", "198.51.100.1", **elsewhere),
        row("198.51.100.1", "172.17.0.2", network_connection_initiated=False, **elsewhere),
        row("198.51.100.1", "224.0.0.251", network_connection_initiated=False, **elsewhere),
        row("198.51.100.1", "198.51.100.2", network_connection_initiated=None, **elsewhere),
        row("198.51.100.1", "198.51.100.2"),
        # Of udp in the middle of a flow the direction is not known, and the source is the process's end.
        row("172.17.0.2", "198.51.100.1", network_connection_initiated=None, network_protocol="udp", **elsewhere),
    )
    named = after_answers(names, rows)
    peer, other = ("host-198.51.100.1.example", "reverse"), ("host-198.51.100.2.example", "reverse")
    assert reported(named, "src") == [("vm", "local"), peer, peer, peer, peer, ("vm", "local")]
    assert reported(named) == [peer, ("vm", "local"), (None, None), other, other, peer]
    assert "172.17.0.2" not in resolver.asked


def test_a_transparent_proxy_s_end_is_not_this_machine_s(names: HostNames) -> None:
    """In the recorder's own namespace the addresses decide, not the direction."""
    rows = batch(row("198.51.100.1", "198.51.100.2", network_connection_initiated=False))
    assert reported(after_answers(names, rows)) == [("host-198.51.100.2.example", "reverse")]


def test_rows_without_addresses_have_no_names(names: HostNames) -> None:
    """Such as those that report a loss."""
    loss = {"event_id": 255, "record_kind": "loss", "events_lost": 3}
    named = names(batch(loss))
    assert reported(named) == reported(named, "src") == [(None, None)]
    assert reported(names(batch())) == []


ADDRESSES_COME_AND_GO = """
import subprocess
from procwire.enrich.addresses import Addresses, OwnAddresses

own = OwnAddresses()
assert own.now == (frozenset(), frozenset()), own.now
first = own.now
assert own.now is first
subprocess.run("ip link set lo up".split(), check=True)
subprocess.run("ip addr add 192.0.2.77/24 broadcast 192.0.2.255 dev lo".split(), check=True)
subprocess.run("ip addr add 2001:db8::77/64 dev lo".split(), check=True)
assert own.now.own == {"127.0.0.1", "::1", "192.0.2.77", "2001:db8::77"}, own.now
assert own.now.broadcast == {"192.0.2.255"}, own.now
subprocess.run("ip addr del 192.0.2.77/24 dev lo".split(), check=True)
assert own.now.own == {"127.0.0.1", "::1", "2001:db8::77"}, own.now
"""


def test_addresses_that_come_and_go_are_noticed() -> None:
    """In a network namespace of the test's own, which is gone with it."""
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs root, unshare and ip to make a network namespace")
    subprocess.run(["unshare", "--net", sys.executable, "-c", ADDRESSES_COME_AND_GO], check=True, timeout=LONG_S)


def test_own_addresses_are_those_that_the_kernel_lists() -> None:
    """Against another of its lists, for IPv6."""
    listed = Path("/proc/net/if_inet6")
    if not listed.exists():
        pytest.skip("no IPv6 here")
    from ipaddress import IPv6Address

    expected = {str(IPv6Address(bytes.fromhex(line.split()[0]))) for line in listed.read_text().splitlines()}
    assert {address for address in own_addresses().own if ":" in address} == expected


def test_without_rtnetlink_only_loopback_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may leave it out; a recording continues without it."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("procwire.enrich.addresses.socket.socket", refused)
    names = HostNames(False, machine_name="vm")
    assert reported(names(batch(row("127.0.0.1", "192.0.2.2"))), "src") == [("vm", "local")]
    names.close()


PENDING_AT_THE_END = """
import threading
from procwire.enrich import HostNames
from procwire.event import LIVE_SCHEMA
import pyarrow as pa

names = HostNames(True, resolve=lambda address: threading.Event().wait())
names(pa.RecordBatch.from_pylist([{"dst_ip": f"198.51.100.{last}"} for last in range(100)], schema=LIVE_SCHEMA))
assert names.counters()["asked"] == 100
names.close()
print("end")
"""


def test_look_ups_under_way_do_not_keep_the_process_alive() -> None:
    """Ctrl-C ends a recording at once, though a resolver never answers."""
    done = subprocess.run(
        [sys.executable, "-c", PENDING_AT_THE_END], check=True, timeout=LONG_S, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("end\n", "")
