"""The lake's ledger: a Delta table beside the connections with a row for each log that was read and each recording."""

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
    """The ledger of the lake at `location`: its table is made with its first row."""

    def __init__(self, location: str, storage_options: Mapping[str, str] | None) -> None:
        self._uri = f"{location}/{READINGS.name}"
        self._options = storage_options

    def add(self, readings: Iterable[Reading]) -> None:
        """Append rows, dated now. Raises LakeError if they cannot be written."""
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
        """The table, if there is one; what a power cut tore is put aside before."""
        return Table(self._uri, self._options, READINGS) if is_table(self._uri, self._options) else None
