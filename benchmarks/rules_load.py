"""Events and configurations for measuring rules: similar to a fleet's, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa

from procwire.event import SCHEMA

__all__ = ["BATCH_ROWS", "configuration", "event_batches"]

BATCH_ROWS = 65_536
"""Columns as returned by `procwire read`."""

_IMAGES = 400
_USERS = 300
_HOSTS = 20_000
_ADDRESSES = 100_000
# Destinations have 9 bits of entropy then; real logs have 1 to 5 (benchmarks/README.md).
_PLACES = 10
_START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
_PORTS = (443, 80, 53, 445, 389, 88, 135, 3389, 22, 8080, 5985, 123, 137, 1433, 9200, 8443, 25, 587, 993, 3128)
_FOLDERS = ("C:\\Windows\\System32\\", "C:\\Program Files\\Vendor{}\\", "C:\\Users\\user{}\\AppData\\Local\\Temp\\",
            "C:\\ProgramData\\Tool{}\\", "C:\\Program Files (x86)\\Suite{}\\bin\\")  # fmt: skip


def event_batches(count: int, seed: int = 3) -> Iterator[pa.RecordBatch]:
    """Yield batches of `event.SCHEMA`, `count` events in total. Few programs make most, and most go to few hosts."""
    random = np.random.default_rng(seed)
    images = pa.array([_FOLDERS[n % 5].format(n % 37) + f"program{n}.exe" for n in range(_IMAGES)])
    users = pa.array(["NT AUTHORITY\\SYSTEM", *(f"CORP\\user{n}" for n in range(1, _USERS))])
    hosts = pa.array([f"host{n}.{('example.com', 'corp.example', 'cdn.example.net')[n % 3]}" for n in range(_HOSTS)])
    numbers = random.integers(0x01000000, 0xDF000000, _ADDRESSES)
    addresses = pa.array([f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in numbers.tolist()])
    ports = pa.array([*_PORTS, *random.integers(1024, 65536, 480).tolist()], pa.int32())
    for start in range(0, count, BATCH_ROWS):
        rows = min(BATCH_ROWS, count - start)
        columns = {
            "event_creation_time": pa.array(
                _START_US + 1000 * np.arange(start, start + rows), pa.timestamp("us", "UTC")
            ),
            "process_guid": pa.repeat(pa.scalar("{A98268C1-957F-5ACD-0000-0010EB030000}"), rows),
            "process_id": pa.array(random.integers(1, 16_000, rows) * 4, pa.int64()),
            "process_name": images.take(_skewed(random, _IMAGES, rows)),
            "user_name": users.take(_skewed(random, _USERS, rows)),
            "network_protocol": pa.array(["tcp", "udp"]).take(pa.array((random.random(rows) < 0.2).astype("int64"))),
            "network_connection_initiated": pa.array(random.random(rows) < 0.9),
            "src_is_ipv6": pa.repeat(pa.scalar(False), rows),
            "src_ip": addresses.take(_skewed(random, 2_000, rows)),
            "src_port": pa.array(random.integers(49_152, 65_536, rows), pa.int32()),
            "dst_is_ipv6": pa.repeat(pa.scalar(False), rows),
            "dst_ip": addresses.take(_skewed(random, _ADDRESSES, rows, _PLACES)),
            "dst_host_name": hosts.take(_skewed(random, _HOSTS, rows, _PLACES)),
            "dst_port": ports.take(_skewed(random, len(ports), rows)),
        }
        arrays = [columns.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMA]
        yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _skewed(random: np.random.Generator, bound: int, count: int, exponent: int = 4) -> pa.Int64Array:
    """Return numbers below `bound`, mostly small ones: a power law."""
    return pa.array((bound * random.random(count) ** exponent).astype("int64"))


def configuration(filters: int, seed: int = 4) -> bytes:
    """Return a configuration with about this many filters: nine in ten include, like public configurations.

    Every fifth part of the including filters stands in Rules of two.
    """
    random = np.random.default_rng(seed)
    excluding = max(filters // 10, 1)
    include = [_filter(random, number) for number in range(filters - excluding)]
    rules = include[: len(include) // 5]
    pairs = [
        f'<Rule name="pair{n}" groupRelation="and">{a}{b}</Rule>'
        for n, (a, b) in enumerate(zip(rules[::2], rules[1::2], strict=False))
    ]
    exclude = [_filter(random, filters + number) for number in range(excluding)]
    return "\n".join(
        [
            '<Sysmon schemaversion="4.90"><EventFiltering>',
            *_group("include", [*include[len(rules) :], *pairs]),
            *_group("exclude", exclude),
            "</EventFiltering></Sysmon>",
        ]
    ).encode()


def _group(onmatch: str, operands: Sequence[str]) -> list[str]:
    opened = f'<RuleGroup name="" groupRelation="or"><NetworkConnect onmatch="{onmatch}">'
    return [opened, *operands, "</NetworkConnect></RuleGroup>"]


def _filter(random: np.random.Generator, number: int) -> str:
    program = int(random.integers(0, _IMAGES))
    kinds = (
        ("Image", "image", f"program{program}.exe"),
        ("Image", "end with", f"\\program{program}.exe"),
        ("Image", "begin with", _FOLDERS[program % 5].format(program % 37)),
        ("Image", "contains any", f"\\tool{program};\\suite{program};\\vendor{program}\\"),
        ("DestinationPort", "is", str(int(random.integers(1, 65536)))),
        ("DestinationHostname", "end with", f"host{int(random.integers(0, _HOSTS))}.example.com"),
        ("DestinationHostname", "contains", f"t{int(random.integers(0, _HOSTS))}.cdn"),
        ("DestinationIp", "begin with", f"{int(random.integers(1, 223))}.{int(random.integers(0, 255))}."),
        ("User", "contains", f"user{int(random.integers(0, _USERS))}"),
        ("DestinationPort", "is any", ";".join(map(str, random.integers(1, 65536, 3).tolist()))),
    )
    field, condition, value = kinds[number % len(kinds)]
    return f'<{field} condition="{condition}" name="rule{number}">{escape(value)}</{field}>'
