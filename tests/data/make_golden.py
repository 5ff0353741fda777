"""Make a golden lake, and golden files of a recording, with the procwire that is installed.

Usage: make_golden.py NAME, which writes tests/data/lakes/NAME and tests/data/recordings/NAME. tests/data/PROVENANCE.md
says which commit made which. Later versions must read, append to, compact and verify what is here: never remake one.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from procwire.event import EVENTS, LIVE_SCHEMA, Event
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.lake.recording import LakeOutput
from procwire.ledger import Ledger
from procwire.recorder import RecordingLedger
from procwire.recorder.record_ids import RecordIds
from procwire.recorder.status import StatusFile
from procwire.sinks import open_sink
from procwire.sinks.recording import RecordingOutput

DATA = Path(__file__).parent
START = datetime(2024, 3, 1, 12, tzinfo=UTC)


def main(name: str) -> None:
    """Write everything of that name. Raises OSError if it is there already."""
    folder = DATA / "lakes" / name
    folder.mkdir(parents=True)
    logs = [write_log(folder / f"log{number}.xml", number) for number in range(3)]
    lake = Lake.open(folder / "lake", create=True)
    Ingest(lake).run([str(log) for log in logs[:2]], ledger=Ledger())
    output = LakeOutput(lake, "recording:golden", "golden")
    output.write(live(0, 4))
    output.close()
    lake.compact()
    # Beside what is compact, files as they are appended.
    Ingest(lake).run([str(logs[2])], ledger=Ledger())
    lake.append([live(4, 3)], source="recording:golden", version=1)
    tables = {part.table.layout.name: rows(part) for part in lake.tables()}
    readings = [
        {"kind": reading.kind, "source": reading.source, "added": reading.added} for reading in lake.readings.all()
    ]
    (folder / "expected.json").write_text(json.dumps({"tables": tables, "readings": readings}, indent=1) + "\n")
    write_recordings(DATA / "recordings" / name)


def write_log(path: Path, number: int) -> Path:
    """Write a log in XML with two rows of each event, the last of them one that the log before has too."""
    body = b""
    for event in EVENTS:
        made = [log_row(event, 2 * number + place) for place in range(3 if number == 1 else 2)]
        batch = pa.RecordBatch.from_pylist(
            [{key: value for key, value in row.items() if key in event.schema.names} for row in made], event.schema
        )
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            sink = open_sink("xml", file, event.schema)
            sink.write(batch)
            sink.close()
        body += part.read_bytes().partition(b"<Events>")[2].rpartition(b"</Events>")[0]
        part.unlink()
    path.write_bytes(b"<Events>" + body + b"</Events>\n")
    return path


def log_row(event: Event, number: int) -> dict[str, Any]:
    """Return what an event of a log holds; the fourth has no time of creation to the microsecond."""
    time = START + timedelta(hours=5 * number, milliseconds=number)
    return {
        "event_creation_time": time,
        "event_recorded_time": time + timedelta(microseconds=1_234),
        "record_id": 100 * number + event.id,
        "event_id": event.id,
        "process_guid": "{A98268C1-957F-5ACD-0000-0010EB030000}",
        "process_id": 4_000 + number,
        "process_name": f"C:\\Tools\\golden{number}.exe",
        "user_name": "WS-1\\Zoë",
        "network_protocol": "tcp",
        "network_connection_initiated": True,
        "src_ip": "10.0.0.5",
        "src_port": 49_000 + number,
        "dst_ip": "2001:db8::9" if number % 2 else "203.0.113.9",
        "dst_port": 443,
        "computer_name": "WS-1",
        "provider_name": "Microsoft-Windows-Sysmon",
        "channel": "Microsoft-Windows-Sysmon/Operational",
        "process_command_line": f"golden {number}",
        "dns_query_name": f"host{number}.example",
        "dns_query_results": "::ffff:203.0.113.9;",
    }


def live(first: int, count: int) -> pa.RecordBatch:
    """Return rows of a recording."""
    made = [
        {
            "event_creation_time": START + timedelta(seconds=number, microseconds=number),
            "event_recorded_time": START + timedelta(seconds=number, microseconds=number + 5),
            "record_id": number + 1,
            "event_id": 3,
            "process_id": 77,
            "process_name": "/usr/bin/golden",
            "dst_ip": "198.51.100.7",
            "dst_port": 53,
            "network_protocol": "udp",
            "computer_name": "server",
            "record_kind": "close" if number % 3 == 2 else "connection",
            "sent_bytes": 517 if number % 3 == 2 else None,
            "effective_user_id": 0,
            "process_image_device": 64_769,
            "process_image_inode": 1_837_251,
            "process_mount_namespace_id": 4_026_531_841,
            "process_image_state": "memfd" if number % 2 else None,
            "process_name_truncated": False,
            "process_ancestry": '["12 /usr/bin/\\"bash\\"", "1 /usr/lib/systemd/systemd"]',
            "host_name_server": "192.0.2.53",
            "nat_src_ip": "203.0.113.7",
            "nat_src_port": 41_495,
            "nat_dst_ip": "2001:db8::9",
            "nat_dst_port": 8_053,
            "interface_index": 2,
        }
        for number in range(first, first + count)
    ]
    return pa.RecordBatch.from_pylist(made, schema=LIVE_SCHEMA)


def rows(lake: Lake) -> list[dict[str, Any]]:
    """Return the values of a table's rows that are not null, in a stable order."""
    found = pa.Table.from_batches(lake.batches()).to_pylist()
    kept = [{name: plain(value) for name, value in row.items() if value is not None} for row in found]
    return sorted(kept, key=lambda row: (row["computer_name"], row["record_id"]))


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


def write_recordings(folder: Path) -> None:
    """Write a file of each format that a recording writes, and what it keeps beside."""
    folder.mkdir(parents=True)
    for way in ("ndjson", "csv", "xml", "arrow", "parquet"):
        output = RecordingOutput(
            way,
            folder / f"golden.{way}",
            LIVE_SCHEMA,
            rotate_bytes=None,
            rotate_s=None,
            keep=None,
            terminal=None,
            stream=None,
        )
        output.write(live(0, 4))
        output.close()
    ids = RecordIds(folder)
    ids.take(41)
    ids.close()
    status = StatusFile(folder)
    status.write(RecordingLedger("poll"))
    [path] = folder.glob("recorder-*.json")
    # It is removed at the end of the recording.
    path.rename(folder / "status.json")
    status.close()


if __name__ == "__main__":
    main(sys.argv[1])
