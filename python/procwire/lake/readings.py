"""The lake's ledger: a Delta table beside the connections with a row for each log that was read and each recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from procwire.event import CONNECTION
from procwire.lake.durable import sync, sync_commits
from procwire.lake.location import is_remote
from procwire.lake.table import lake_errors
from procwire.ledger import FileLedger

__all__ = ["READINGS_SCHEMA", "Reading", "Readings"]

READINGS_SCHEMA = pa.schema(
    [
        ("end_time", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("name", pa.string()),
        ("bytes", pa.int64()),
        ("records", pa.int64()),
        ("events", pa.int64()),
        ("added", pa.int64()),
        ("duplicates", pa.int64()),
        ("left_out", pa.int64()),
        ("lost", pa.int64()),
        ("account", pa.string()),
    ]
)


@dataclass(slots=True)
class Reading:
    """What a log, or a recording, gave to the lake."""

    kind: str
    """`log` or `recording`."""
    source: str
    """Its identity: for a log of the BLAKE3 of its bytes."""
    name: str
    bytes: int = 0
    records: int = 0
    """Records seen, of any event."""
    events: int = 0
    """Rows of event 3 in it; of a recording, rows captured."""
    added: int = 0
    """Rows that this reading put into the lake."""
    duplicates: int = 0
    """Rows left out because the lake has their event."""
    left_out: int = 0
    """Rows that a configuration or --where left out."""
    lost: int = 0
    """Damaged records, events that a recording lost."""
    account: str = "{}"
    """Damage, warnings and the like by kind, as JSON."""
    end_time: datetime | None = None

    def take(self, file: FileLedger) -> None:
        """Take over the reader's account of the log."""
        self.bytes, self.records, self.events = file.bytes, file.records, file.by_event.get(CONNECTION.name, 0)
        damage = {kind: tally.count for kind, tally in file.damage.items()}
        warnings = {kind: tally.count for kind, tally in file.warnings.items()}
        self.lost = sum(damage.values())
        self.account = json.dumps({"format": file.format, "error": file.error, "damage": damage, "warnings": warnings})


class Readings:
    """The table at `uri`; made with its first row."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None) -> None:
        self._uri = uri
        self._options = dict(storage_options or {})

    def add(self, readings: Iterable[Reading]) -> None:
        """Append rows, dated now."""
        now = datetime.now(UTC)
        rows = [{**asdict(reading), "end_time": now} for reading in readings]
        if rows:
            with lake_errors(self._uri):
                write_deltalake(
                    self._uri,
                    pa.Table.from_pylist(rows, schema=READINGS_SCHEMA),
                    mode="append",
                    name="readings",
                    storage_options=self._options,
                )
            if not is_remote(self._uri):
                self._sync(now)

    def _sync(self, since: datetime) -> None:
        """What was added since: a half-written commit would keep the lake from being opened."""
        table = DeltaTable(self._uri)
        added = pa.table(table.get_add_actions(flatten=True)).select(["path", "modification_time"]).to_pylist()
        since_ms = int(since.timestamp() * 1000)
        sync(self._uri, [file["path"] for file in added if file["modification_time"] >= since_ms])
        sync_commits(self._uri, table.version() - 1)

    def all(self) -> list[Reading]:
        """Every row, oldest first."""
        with lake_errors(self._uri):
            if not DeltaTable.is_deltatable(self._uri, self._options):
                return []
            rows = DeltaTable(self._uri, storage_options=self._options).to_pyarrow_table().to_pylist()
        names = [column.name for column in fields(Reading)]
        found = [Reading(**{name: row[name] for name in names}) for row in rows]
        return sorted(found, key=lambda reading: (str(reading.end_time), reading.name))

    def compact(self) -> None:
        """Put its small files together."""
        with lake_errors(self._uri):
            if DeltaTable.is_deltatable(self._uri, self._options):
                DeltaTable(self._uri, storage_options=self._options).optimize.compact()
