"""The SQL functions on addresses, held to Python's `ipaddress`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_rows import address_bytes
from procwire.engine import connect
from procwire.query.functions import SCOPES, create_functions, network_ends

Network = IPv4Network | IPv6Network


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(threads=1)
    create_functions(connection)
    yield connection
    connection.close()


def answers(database: duckdb.DuckDBPyConnection, expression: str, texts: list[str | None]) -> list[object]:
    """What an expression over `ip` (text) and `address` (bytes) gives for each address."""
    rows = pa.table({"n": range(len(texts)), "ip": pa.array(texts, pa.string()),
                     "address": pa.array([address_bytes(text) for text in texts], pa.binary())})  # fmt: skip
    database.register("addresses", rows)
    return [row[0] for row in database.sql(f"SELECT {expression} FROM addresses ORDER BY n").fetchall()]


ADDRESSES = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 2**32 - 1).map(lambda n: IPv6Address((0xFFFF << 32) + n))
)


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """An address in one of its spellings."""
    address = draw(ADDRESSES)
    if isinstance(address, IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    forms = [str(address), address.exploded, str(address).upper(), f"{address}%eth0.1"]
    return draw(st.sampled_from([*forms, *([f"::ffff:{mapped}", f"::FFFF:{mapped}%2"] if mapped else [])]))


ALMOST = st.text("0123456789abcdefg:.%/ ", max_size=24)


@given(texts=st.lists(st.one_of(spelled(), ALMOST), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_text_is_read_as_python_reads_it(database: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    """Every spelling of an address gives its 16 bytes, and every other text null."""
    assert answers(database, "ip_bytes(ip)", list(texts)) == [address_bytes(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.256", "01.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "+1.2.3.4", "1.2.3.4/8", "::1\n", ":::",
     "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "1::2::3", ":1", "1:", "12345::", "g::", "fe80::1%",
     "::1.2.3", "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "localhost"],
)  # fmt: skip
def test_no_address_is_null_and_no_error(database: duckdb.DuckDBPyConnection, text: str) -> None:
    found = answers(database, "[ip_bytes(ip)::VARCHAR, ip_in(ip, '0.0.0.0/0')::VARCHAR, ip_scope(ip), "
                    "is_private(ip)::VARCHAR, is_global(ip)::VARCHAR]", [text])  # fmt: skip
    assert found == [[None] * 5]


def contains(network: Network, text: str | None) -> bool | None:
    """The reference: IPv4-mapped addresses are IPv4."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address in network


@st.composite
def networks(draw: st.DrawFn) -> Network:
    if draw(st.booleans()):
        return IPv4Network((draw(st.ip_addresses(v=4)), draw(st.integers(0, 32))), strict=False)
    network = IPv6Network((draw(st.ip_addresses(v=6)), draw(st.integers(0, 128))), strict=False)
    return network if not network.network_address.ipv4_mapped else IPv6Network("::/0")


@given(network=networks(), texts=st.lists(st.one_of(st.none(), spelled(), ALMOST), max_size=10), data=st.data())
@settings(max_examples=40, deadline=None)
def test_ip_in_is_pythons(
    database: duckdb.DuckDBPyConnection, network: Network, texts: list[str | None], data: st.DataObject
) -> None:
    """Of any address, those at the network's edges too, as text and as bytes."""
    ends = [int(network[0]), int(network[-1])]
    size = 2**network.max_prefixlen
    kind = IPv4Address if network.version == 4 else IPv6Address
    edges = [str(kind(n % size)) for end in ends for n in (end - 1, end, end + 1)]
    all_texts = [*edges, *texts]
    expected = [contains(network, text) for text in all_texts]
    # With bits of the host set, too.
    written = f"{data.draw(st.sampled_from([network[0], network[-1]]))}/{network.prefixlen}"
    assert answers(database, f"ip_in(ip, '{written}')", all_texts) == expected
    assert answers(database, f"ip_in(address, '{written}')", all_texts) == expected


def test_networks_of_mapped_addresses_hold_ipv4(database: duckdb.DuckDBPyConnection) -> None:
    found = answers(database, "[ip_in(ip, '::ffff:10.0.0.0/104'), ip_in(ip, '::ffff:0:0/96'), ip_in(ip, '::/0')]",
                    ["10.1.2.3", "::ffff:11.1.2.3", "::1"])  # fmt: skip
    assert found == [[True, True, False], [False, True, False], [False, False, True]]


def test_a_network_without_length_is_an_address(database: duckdb.DuckDBPyConnection) -> None:
    assert answers(database, "ip_in(ip, '10.0.0.1')", ["10.0.0.1", "10.0.0.2"]) == [True, False]
    assert answers(database, "ip_in(ip, '2001:DB8::1')", ["2001:db8:0::1", "2001:db8::2"]) == [True, False]


@pytest.mark.parametrize(
    "network", ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "::/129", "::/08", "10.0.0.0/8/8",
                "2001:db8::/32/128", "10.0.0.0/255.0.0.0"]
)  # fmt: skip
def test_no_network_is_an_error_that_names_it(database: duckdb.DuckDBPyConnection, network: str) -> None:
    """A mistyped network that quietly holds nothing would be a finding missed."""
    for ip in ("ip", "address"):
        with pytest.raises(duckdb.Error, match="found network"):
            answers(database, f"ip_in({ip}, '{network}')", ["10.0.0.1"])
    assert answers(database, f"network_first('{network}') IS NULL", ["::"]) == [True]


def test_networks_may_come_from_a_column(database: duckdb.DuckDBPyConnection) -> None:
    """As from a list of networks to watch."""
    sql = "list_filter(['10.0.0.0/8', '10.1.0.0/16', 'fd00::/8'], lambda network: ip_in(ip, network))"
    assert answers(database, sql, ["10.1.2.3", "fd00::1"]) == [["10.0.0.0/8", "10.1.0.0/16"], ["fd00::/8"]]


EDGES = [
    str(ip_address(n))
    for _, names in SCOPES
    for name in names
    for end in (int(ip_network(name)[0]), int(ip_network(name)[-1]))
    for n in (end - 1, end, end + 1)
    if 0 <= n < 2**128 and (":" not in name or n >= 2**32)
]


def scope(text: str) -> str:
    """The reference: the first network that holds the address."""
    return next((kind for kind, names in SCOPES for name in names if contains(ip_network(name), text)), "global")


@given(texts=st.lists(spelled(), max_size=20))
@settings(max_examples=10, deadline=None)
def test_scopes_are_those_of_the_networks(database: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    """Of text and of bytes; at every network's edges."""
    all_texts: list[str | None] = [*EDGES, *texts]
    expected = [scope(text or "") for text in all_texts]
    for ip in ("ip", "address"):
        assert answers(database, f"ip_scope({ip})", all_texts) == expected
        for name, kinds in {"private": ("private", "loopback", "link-local", "shared"), "loopback": ("loopback",),
                            "multicast": ("multicast",), "global": ("global",)}.items():  # fmt: skip
            assert answers(database, f"is_{name}({ip})", all_texts) == [kind in kinds for kind in expected]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("10.0.0.1", "private"), ("172.31.255.255", "private"), ("172.32.0.0", "global"), ("192.168.1.1", "private"),
     ("100.64.0.1", "shared"), ("169.254.1.1", "link-local"), ("127.0.0.53", "loopback"), ("8.8.8.8", "global"),
     ("224.0.0.251", "multicast"), ("255.255.255.255", "broadcast"), ("0.0.0.0", "unspecified"), ("::1", "loopback"),
     ("fe80::1", "link-local"), ("fd12::1", "private"), ("ff02::fb", "multicast"), ("2606:4700::1111", "global"),
     ("::ffff:192.168.0.1", "private"), ("fec0:0:0:ffff::1", "private"), ("::", "unspecified")],
)  # fmt: skip
def test_scopes_of_addresses_that_people_know(database: duckdb.DuckDBPyConnection, text: str, kind: str) -> None:
    assert answers(database, "ip_scope(ip)", [text]) == [kind]


def test_network_ends() -> None:
    assert network_ends("10.0.0.0/8") == (address_bytes("10.0.0.0"), address_bytes("10.255.255.255"))
