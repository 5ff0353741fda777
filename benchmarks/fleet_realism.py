"""How a made-up fleet compares with real logs: `python benchmarks/fleet_realism.py [--logs PATH]...`.

Per source: events per host and hour while there are any, shares, and entropies in bits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import fleet
import procwire

_FIGURES = {
    "events": "count(*)",
    "hosts": "count(DISTINCT computer_name)",
    "events per host-hour": "count(*) / count(DISTINCT (computer_name, date_trunc('hour', event_creation_time)))",
    "programs": "count(DISTINCT lower(process_name))",
    "destinations": "count(DISTINCT dst_ip)",
    "% inbound": "100 * avg((NOT network_connection_initiated)::INT)",
    "% udp": "100 * avg((network_protocol = 'udp')::INT)",
    "% to port 53": "100 * avg((dst_port = 53)::INT)",
    "% IPv6": "100 * avg(src_is_ipv6::INT)",
    "% dst without name": "100 * avg((dst_host_name IS NULL)::INT)",
    "entropy of dst_ip": "entropy(dst_ip)",
    "entropy of dst_port": "entropy(dst_port)",
    "entropy of process": "entropy(lower(process_name))",
    "top destination %": "100 * max(n) / count(*)",
}


def figures(table: pa.Table) -> list[float]:
    with duckdb.connect() as connection:
        connection.register("events", table)
        columns = ", ".join(f"({sql})::DOUBLE" for sql in _FIGURES.values())
        counted = "SELECT *, count(*) OVER (PARTITION BY dst_ip) AS n FROM events"
        return list(connection.execute(f"SELECT {columns} FROM ({counted})").fetchone() or ())


def _sources(logs: list[Path]) -> Iterator[tuple[str, pa.Table]]:
    for planted in (False, True):
        batches, _ = fleet.generate(seed=1, hosts=60, days=5, planted=planted)
        yield "fleet" + " with plants" * planted, pa.Table.from_batches(batches)
    for path in logs:
        yield path.name[:24], pa.Table.from_batches(procwire.scan(path), schema=procwire.SCHEMA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, action="append", default=[], help="real logs; folders too")
    found = [(name, figures(table)) for name, table in _sources(parser.parse_args().logs)]
    print("| |" + "|".join(name for name, _ in found) + "|")
    print("|---|" + "--:|" * len(found))
    for number, name in enumerate(_FIGURES):
        print(f"| {name} |" + "|".join(f" {values[number]:,.1f} " for _, values in found) + "|")


if __name__ == "__main__":
    main()
