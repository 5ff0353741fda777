"""Rows of which next to nothing is known, and rows that hold what engines read differently."""

from __future__ import annotations

import pyarrow as pa

from event_rows import Row
from hunting_ground import DAY_S, row, table

__all__ = ["ODD_TEXTS", "odd_rows"]

ODD_TEXTS = (
    "", "-", "a", "it's \"quoted\"", "back\\slash", "C:\\Users\\Ann\\AppData\\App.EXE", "/home/bob/.local/bin/x",
    "100%", "a_b", "$1 \\1 ${x}", "ÄÖÜ İSTANBUL ΑΣ ΣΑΣ", "ß ﬁ Ǆ", "😀.exe", "e\u0301",
    "line\nbreak", "cr\rlf\r\n", "tab\t", "a\u2028b",
    "日本語\\プロセス.exe", "trailing\n", "[x](y)*", "NULL",
)  # fmt: skip
_ADDRESSES = ("10.0.0.5", "203.0.113.9", "2001:db8::1", "fe80::1", "::1", "127.0.0.1", "ff02::fb", "224.0.0.251",
              "::ffff:10.0.0.1", None)  # fmt: skip


def odd_rows() -> pa.Table:
    """A few hundred, no two at the same time."""
    rows: list[Row] = []
    for number, text in enumerate(ODD_TEXTS * 2):
        for direction in (True, False, None):
            rows.append(
                row(
                    len(rows) * 97.000001,
                    process_name=text,
                    user_name=f"DOM\\{text}" if number % 2 else text,
                    computer_name=text if number % 5 == 0 else f"PC-{number % 3}.corp.example",
                    dst_host_name=text if number % 3 else None,
                    src_ip=_ADDRESSES[(number + 3) % len(_ADDRESSES)],
                    dst_ip=_ADDRESSES[number % len(_ADDRESSES)],
                    dst_port=(22, 443, 445, 53, None)[number % 5],
                    network_protocol=("tcp", "udp")[number % 2],
                    network_connection_initiated=direction,
                    process_guid="{A98268C1-957F-5ACD-0000-0010EB030000}" if number % 4 else None,
                    record_kind=("connection", "attempt", "close", "existing", "loss")[number % 5],
                    sent_bytes=number * 100 if number % 5 == 2 else None,
                    outcome=("established", "refused", None)[number % 3],
                    record_id=9_000_000 + len(rows),
                )
            )
    rows += [
        dict.fromkeys(row()) | {"event_creation_time": row(at_s * 60.5)["event_creation_time"]} | known
        for at_s in range(20)
        for known in ({}, {"network_connection_initiated": True}, {"network_connection_initiated": False})
    ]
    # Closes record sizes: a beacon that has them.
    for beat in range(2 * DAY_S // 600):
        for kind in ("connection", "close"):
            rows.append(
                row(
                    beat * 600 + (kind == "close") * 2.5,
                    process_name="/opt/agent",
                    record_kind=kind,
                    sent_bytes=500 + beat % 7 if kind == "close" else None,
                    record_id=9_500_000 + len(rows),
                )
            )
    return table(rows)
