"""Try a mapping on the first records of a log."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from procwire.event import CONNECTION
from procwire.ledger import Ledger
from procwire.mapping.sample import first_records
from procwire.select import TEXT_GROUPS, Selection
from procwire.sources import read_batches
from procwire.sources.mappings import LogMapping, load_mapping

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["Trial", "try_mapping"]

_SAMPLED = 1_000


@dataclass(frozen=True, slots=True)
class Trial:
    """Hold what a mapping makes of a log's first records."""

    rows: list[dict[str, object]]
    """The first rows, by column; null columns are left out."""
    unused: dict[str, str]
    """The keys that the mapping does not use, with a value of each."""
    ledger: Ledger
    """What was read, skipped and damaged."""


def try_mapping(
    mapping: LogMapping | str | os.PathLike[str],
    logs: Sequence[str | os.PathLike[str]],
    *,
    limit: int = 3,
    names: Names = "ossem",
) -> Trial:
    """Read the first rows of logs with a mapping.

    limit: how many rows. names: the vocabulary of the rows' columns. Raises UsageError for a file that is no mapping,
    and InputError if no log can be read.
    """
    loaded = mapping if isinstance(mapping, LogMapping) else load_mapping(mapping)
    ledger = Ledger()
    selection = Selection(names=names, limit=limit, groups=TEXT_GROUPS, event=CONNECTION)
    with closing(read_batches(logs, ledger=ledger, mapping=loaded)) as batches:
        rows = [row for batch in selection.apply(batches) for row in batch.to_pylist()]
    ledger.check_read()
    used = {*loaded.text, *(key for _, keys in loaded.fields for key in keys), *(key for key, _ in loaded.records)}
    values = {key: value for record in first_records(logs, _SAMPLED) for key, value in record.items() if value}
    unused = {key: value for key, value in values.items() if not any(_is_used(key, each) for each in used)}
    return Trial([{name: value for name, value in row.items() if value is not None} for row in rows], unused, ledger)


def _is_used(key: str, used: str) -> bool:
    """Return whether a key of a record is one of the mapping's: of a record within a document it is the end."""
    return key == used or key.endswith(f".{used}")
