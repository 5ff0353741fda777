"""Show the connections to some networks: with 16-byte addresses a network is a range, for IPv4 and IPv6 alike."""

import ipaddress

import procwire

NETWORKS = ["40.64.0.0/10", "fe80::/10"]


def bounds(network: str) -> tuple[str, str]:
    """Return the first and the last address of a network, as hexadecimal digits; IPv4 as ::ffff:a.b.c.d."""
    net = ipaddress.ip_network(network)
    mapped = 0xFFFF << 32 if net.version == 4 else 0
    first, last = (int(end) | mapped for end in (net.network_address, net.broadcast_address))
    return f"{first:032x}", f"{last:032x}"


for network in NETWORKS:
    first, last = bounds(network)
    table = procwire.read(
        "examples/sysmon.evtx",
        columns=["process_base_name", "dst_ip", "dst_port"],
        where=f"dst_ip_bytes BETWEEN unhex('{first}') AND unhex('{last}')",
    )
    print(f"{network}: {table.num_rows} connections")
    for row in table.group_by(["process_base_name", "dst_ip", "dst_port"]).aggregate([([], "count_all")]).to_pylist():
        print("  {count_all:>3} × {process_base_name} → {dst_ip} port {dst_port}".format(**row))
