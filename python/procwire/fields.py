"""What a column of an event's table is: its names in three vocabularies, the kind of its values, its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import Names

__all__ = ["GROUPS", "Field", "Group", "Kind"]

Group = Literal["event", "system", "provenance", "address", "live", "rules", "derived"]

GROUPS: tuple[Group, ...] = get_args(Group)

Kind = Literal["text", "time", "int", "long", "flag", "bytes"]
"""The kind of values in a column; `Field.type` is the corresponding Arrow type."""


@dataclass(frozen=True, slots=True)
class Field:
    """Describe a column of an event's table."""

    name: str
    """The standard name."""
    sysmon: str
    """Sysmon's name, in `EventData` or `System`; a name of ours for columns that Sysmon does not have."""
    ossem_cdm: str
    """The name in OSSEM's current dictionary, or a name of ours in its style."""
    kind: Kind
    group: Group
    description: str
    sample: str
    xml: str = ""
    """Its place in the event's XML: a `Data` name, or a path in `System` (`Provider/@Name`)."""
    sql: str = ""
    """For a derived column: the DuckDB expression over the standard names."""

    @property
    def type(self) -> pa.DataType:
        """Return the column's Arrow type."""
        return _types()[self.kind]

    def named(self, names: Names) -> str:
        """Return the field's name in a vocabulary."""
        return {"ossem": self.name, "sysmon": self.sysmon, "ossem-cdm": self.ossem_cdm}[names]


@cache
def _types() -> dict[Kind, pa.DataType]:
    import pyarrow as pa

    return {
        "text": pa.string(),
        "time": pa.timestamp("us", tz="UTC"),
        "int": pa.int32(),
        "long": pa.int64(),
        "flag": pa.bool_(),
        "bytes": pa.binary(),
    }
