"""Turn rows of numbers into batches of the event table, as Sysmon 13 and later log them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa

from fleet.chance import Integers
from fleet.endpoints import Columns, Endpoints
from fleet.machines import Machines
from fleet.processes import Processes
from fleet.rows import Rows
from procwire.event import LIVE_SCHEMA

__all__ = ["BATCH_ROWS", "Tables"]

BATCH_ROWS = 65_536
_PORT_NAMES = {
    53: "domain", 67: "bootps", 68: "bootpc", 80: "http", 88: "kerberos", 123: "ntp", 135: "epmap", 137: "netbios-ns",
    138: "netbios-dgm", 389: "ldap", 443: "https", 445: "microsoft-ds", 1433: "ms-sql-s", 1900: "ssdp",
    3389: "ms-wbt-server", 5353: "mdns", 5355: "llmnr", 9100: "pdl-datastream",
}  # fmt: skip
_CONSTANTS = {
    "provider_name": "Microsoft-Windows-Sysmon", "provider_guid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    "channel": "Microsoft-Windows-Sysmon/Operational", "event_id": 3, "event_version": 5, "event_level": 4,
    "event_task": 3, "event_opcode": 0, "event_keywords": "0x8000000000000000", "logger_user_sid": "S-1-5-18",
    "recovered": False, "record_kind": "connection",
}  # fmt: skip
_RECORDS_A_DAY = 4_000_000
_TIME = pa.timestamp("us", tz="UTC")


class Tables:
    """Make batches from rows; computes what they share once."""

    def __init__(self, machines: Machines, endpoints: Endpoints) -> None:
        self._machines, self._ends = machines, endpoints.columns()
        self._names = pa.array(machines.names())
        self._ipv6 = np.array(self._ends.is_ipv6)
        self._port_names = pa.array([_PORT_NAMES.get(port) for port in range(65_536)], pa.string())

    def batches(self, rows: Rows) -> Iterator[pa.RecordBatch]:
        """Return batches of `event.LIVE_SCHEMA` of a day's rows, sorted by time."""
        rows = rows.take(np.lexsort((rows.machine, rows.time_ms)))
        processes = Processes(rows, self._machines.seed)
        texts = processes.columns()
        record_id = _record_ids(rows)
        for start in range(0, len(rows), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            of = processes.of[part]
            columns = {
                **self._connection(rows.take(part)),
                "record_id": pa.array(record_id[part]),
                **{
                    name: text.take(pa.array(of))
                    for name, text in zip(
                        ("process_guid", "process_id", "process_name", "user_name"), texts, strict=True
                    )
                },
            }
            yield _batch(columns, len(of))

    def _connection(self, rows: Rows) -> dict[str, pa.Array]:
        """Return the columns of a batch that depend on the machine, the remote end and the ports."""
        remote_ipv6 = self._ipv6[rows.remote]
        local = np.where(remote_ipv6, rows.machine + self._machines.count, rows.machine)
        # As in real logs, inbound TCP has the local end as its destination, inbound UDP as its source.
        is_source = ~rows.inbound | rows.udp
        client_is_source = ~(rows.inbound & rows.udp)
        time_us = rows.time_ms * 1000
        return {
            "event_creation_time": pa.array(time_us).cast(_TIME),
            "event_recorded_time": pa.array(time_us + 2_000 + rows.client_port * 31 % 1_500_000).cast(_TIME),
            "computer_name": self._names.take(pa.array(rows.machine)),
            "network_protocol": pa.array(["tcp", "udp"]).take(pa.array(rows.udp.astype(np.int8))),
            "network_connection_initiated": pa.array(~rows.inbound),
            "logger_process_id": pa.array(2_000 + rows.machine * 4),
            "logger_thread_id": pa.array(3_000 + rows.machine * 4),
            **_end("src", np.where(is_source, local, rows.remote), self._ends),
            **_end("dst", np.where(is_source, rows.remote, local), self._ends),
            **self._port("src", np.where(client_is_source, rows.client_port, rows.port)),
            **self._port("dst", np.where(client_is_source, rows.port, rows.client_port)),
        }

    def _port(self, side: str, port: Integers) -> dict[str, pa.Array]:
        number = pa.array(port.astype(np.int32))
        return {f"{side}_port": number, f"{side}_port_name": self._port_names.take(number)}


def _end(side: str, number: Integers, ends: Columns) -> dict[str, pa.Array]:
    return {f"{side}_{name}": values.take(pa.array(number)) for name, values in ends._asdict().items()}


def _record_ids(rows: Rows) -> Integers:
    """Return record ids: each machine counts its own records, with gaps for other events than 3."""
    order = np.argsort(rows.machine, kind="stable")
    machine = rows.machine[order]
    first = np.searchsorted(machine, machine)
    count = np.empty(len(rows), np.int64)
    count[order] = np.arange(len(rows)) - first
    return rows.time_ms // 86_400_000 % 10_000 * _RECORDS_A_DAY + 3 * count


def _batch(columns: dict[str, pa.Array], count: int) -> pa.RecordBatch:
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else _constant(field.name).slice(0, count)
        for field in LIVE_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=LIVE_SCHEMA)


@cache
def _constant(name: str) -> pa.Array:
    """Return a column with one value in all rows, or null."""
    kind = LIVE_SCHEMA.field(name).type
    if name not in _CONSTANTS:
        return pa.nulls(BATCH_ROWS, kind)
    return pa.repeat(pa.scalar(_CONSTANTS[name], kind), BATCH_ROWS)
