"""The lake's ledger: a Delta table beside the connections, with a row for each log read and each recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.event import CONNECTION
from procwire.lake.files import write_days
from procwire.lake.location import is_remote
from procwire.lake.maintenance import tidy
from procwire.lake.schema import READINGS
from procwire.lake.table import Table, is_table
from procwire.lake.verified import damage
from procwire.ledger import FileLedger

__all__ = ["Reading", "Readings"]


@dataclass(slots=True)
class Reading:
    """Hold what a log or a recording contributed to the lake."""

    kind: str
    """`log` or `recording`."""
    source: str
    """Its identity: for a log the BLAKE3 of its bytes."""
    name: str
    bytes: int = 0
    records: int = 0
    """Number of records seen, of any event."""
    events: int = 0
    """Number of rows of event 3 in a log, or captured by a recording."""
    added: int = 0
    """Number of rows that this reading added to the lake."""
    duplicates: int = 0
    """Number of rows left out because the lake has their event."""
    left_out: int = 0
    """Number of rows that a configuration or --where left out."""
    lost: int = 0
    """Number of damaged records, or of events that a recording lost."""
    account: str = "{}"
    """The log's format and error, and the counts of damage and warnings by kind, as JSON."""
    end_time: datetime | None = None

    def take(self, file: FileLedger) -> None:
        """Copy the figures of the reader's ledger for the log."""
        self.bytes, self.records, self.events = file.bytes, file.records, file.by_event.get(CONNECTION.name, 0)
        damage = {kind: tally.count for kind, tally in file.damage.items()}
        warnings = {kind: tally.count for kind, tally in file.warnings.items()}
        self.lost = sum(damage.values())
        self.account = json.dumps({"format": file.format, "error": file.error, "damage": damage, "warnings": warnings})


class Readings:
    """Read and append the ledger of the lake at `location`; the first row creates its table."""

    def __init__(self, location: str, storage_options: Mapping[str, str] | None) -> None:
        self._uri = f"{location}/{READINGS.name}"
        self._options = storage_options

    def add(self, readings: Iterable[Reading]) -> None:
        """Append rows with the current time as `end_time`. Raises LakeError if they cannot be written."""
        now = datetime.now(UTC)
        rows = [{**asdict(reading), "end_time": now} for reading in readings]
        if not rows:
            return
        if not is_remote(self._uri):
            Path(self._uri).mkdir(exist_ok=True)
        table = self._table() or Table.create(self._uri, self._options, READINGS)
        table.make_writable()
        table.commit(write_days(table.files, pa.Table.from_pylist(rows, schema=READINGS.schema), READINGS), {})
        tidy(table, {None})

    def all(self) -> list[Reading]:
        """Return every row, oldest first. Raises LakeError if they cannot be read."""
        table = self._table()
        names = [column.name for column in fields(Reading)]
        found = []
        if table is None:
            return []
        table.check_commits()
        for file in table.snapshot():
            with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
                rows = READINGS.widened(pq.read_table(stream)).to_pylist()
            found += [Reading(**{name: row[name] for name in names}) for row in rows]
        return sorted(found, key=lambda reading: (str(reading.end_time), reading.name))

    def _table(self) -> Table | None:
        """Return the table, None if there is none; set torn commits of a power cut aside first."""
        return Table(self._uri, self._options, READINGS) if is_table(self._uri, self._options) else None
