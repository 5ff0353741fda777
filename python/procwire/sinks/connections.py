"""Lay out the columns of a connection at a glance: time, process, user, direction, source, destination."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from rich.cells import cell_len

from procwire.paths import base_names
from procwire.sinks.cells import sysmon_time
from procwire.sinks.layout import Column, shorten, shorten_middle
from procwire.sinks.plain import plain_text

__all__ = [
    "CONNECTION_COLUMNS",
    "MARK",
    "account",
    "address",
    "base_name",
    "connection_columns",
    "fit_endpoint",
    "fit_ends",
    "gap",
    "process_and_id",
]

CONNECTION_COLUMNS = (
    "event_creation_time", "process_name", "process_id", "user_name", "network_protocol",
    "network_connection_initiated", "src_ip", "src_host_name", "src_port", "src_port_name",
    "dst_ip", "dst_host_name", "dst_port", "dst_port_name",
)  # fmt: skip
"""What the table needs of each event."""

_WIDE = 120
# Parts of a text that are fitted apart; no log value holds it, since controls are replaced before.
MARK = "\x00"


def connection_columns(width: int) -> list[Column]:
    """Return the columns that fill `width`."""
    wide = width >= _WIDE
    time = 23 if wide else 14
    free = max(width - time - 5 - 5 - 6 * gap(width), 60)
    process, user, source = (free * share // 100 for share in ((22, 18, 26) if wide else (23, 15, 30)))
    target = free - process - user - source
    return [
        Column("TIME (UTC)", time, _time if wide else _short_time, shorten, "dim"),
        Column("PROCESS", process, process_and_id, fit_ends, "bold"),
        Column("USER", user, _user if wide else account, fit_ends),
        Column("PROTO", 5, lambda batch: plain_text(batch.column("network_protocol")), shorten),
        Column("DIR", 5, _direction, shorten, "magenta"),
        Column("SOURCE", source, lambda batch: _endpoint(batch, "src"), fit_endpoint, "cyan"),
        Column("DESTINATION", target, lambda batch: _endpoint(batch, "dst"), fit_endpoint, "green"),
    ]


def gap(width: int) -> int:
    """Return the number of spaces between columns."""
    return 2 if width >= _WIDE else 1


def _time(batch: pa.RecordBatch) -> pa.StringArray:
    return sysmon_time(batch.column("event_creation_time"))


def _short_time(batch: pa.RecordBatch) -> pa.StringArray:
    return pc.utf8_slice_codeunits(_time(batch), 5, 19)


def base_name(batch: pa.RecordBatch) -> pa.StringArray:
    """Return the last part of process_name."""
    return base_names(plain_text(batch.column("process_name")))


def process_and_id(batch: pa.RecordBatch) -> pa.StringArray:
    """Return process name and id, as `svchost.exe 1476`."""
    return _joined(base_name(batch), " ", batch.column("process_id"))


def _user(batch: pa.RecordBatch) -> pa.StringArray:
    return pc.replace_substring(plain_text(batch.column("user_name")), "\\", f"{MARK}\\", max_replacements=1)


def account(batch: pa.RecordBatch) -> pa.StringArray:
    """Return user_name without its domain."""
    return pc.replace_substring_regex(plain_text(batch.column("user_name")), r"(?s)^.*\\", "")


def _direction(batch: pa.RecordBatch) -> pa.StringArray:
    return pc.if_else(batch.column("network_connection_initiated"), "→ out", "← in")


def _joined(head: pa.StringArray, sign: str, number: pa.Array) -> pa.StringArray:
    tail = pc.fill_null(pc.binary_join_element_wise(f"{MARK}{sign}", number.cast(pa.string()), ""), "")
    return pc.binary_join_element_wise(pc.fill_null(head, "-"), tail, "")


def address(batch: pa.RecordBatch, end: str) -> pa.StringArray:
    """Return `10.0.0.1:443`, `[::1]:443`, marked for `fit_ends`, which keeps the port."""
    ip = plain_text(batch.column(f"{end}_ip"))
    bracketed = pc.binary_join_element_wise("[", ip, f"{MARK}]", "")
    return _joined(pc.if_else(pc.match_substring(ip, ":"), bracketed, ip), ":", batch.column(f"{end}_port"))


def _endpoint(batch: pa.RecordBatch, end: str) -> pa.StringArray:
    host = _named(" ", plain_text(batch.column(f"{end}_host_name")), "")
    port = _named(" (", plain_text(batch.column(f"{end}_port_name")), ")")
    return pc.binary_join_element_wise(address(batch, end), MARK, host, port, "")


def _named(before: str, texts: pa.StringArray, after: str) -> pa.StringArray:
    return pc.fill_null(pc.binary_join_element_wise(before, texts, after, ""), "")


def fit_ends(text: str, width: int) -> str:
    """Shorten the part before the first mark."""
    head, _, rest = text.partition(MARK)
    tail = rest.replace(MARK, "")
    room = width - cell_len(tail)
    if cell_len(head) <= room:
        return head + tail
    return shorten(head, room) + tail if room > 1 else shorten_middle(head + tail, width)


def fit_endpoint(text: str, width: int) -> str:
    """Return address and port, then as much of the names as fits."""
    address, _, names = text.rpartition(MARK)
    fitted = fit_ends(address, width)
    room = width - cell_len(fitted)
    return fitted + shorten(names, room) if room > 4 or cell_len(names) <= room else fitted
