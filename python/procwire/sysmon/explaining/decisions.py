"""Decide about single connections: those of a log, or one that the user describes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from procwire.sysmon.evaluate import Decision, decide
from procwire.sysmon.explaining.given import given_texts
from procwire.sysmon.explaining.story import to_dict
from procwire.sysmon.forms import COLUMNS, NAMES_LOOKED_UP, sysmon_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.sysmon.model import Configuration

__all__ = ["Case", "described_case", "logged_cases"]


@dataclass(frozen=True, slots=True)
class Case:
    """Hold a connection, and a configuration's decision about it."""

    texts: Mapping[str, str | None]
    """Sysmon's text of each field, by Sysmon's name; None where the field has none."""
    missing: frozenset[str]
    """Fields that the description lacks; rules see `-` for them."""
    decision: Decision

    @property
    def title(self) -> str:
        """Return the time, the process and the peer, on one line."""
        shown = {name: text or "-" for name, text in self.texts.items()}
        return (
            "{UtcTime}  {Image} ({ProcessId})  {Protocol}  {SourceIp} port {SourcePort} to {DestinationIp} port "
            "{DestinationPort}".format_map(shown)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the case as values for JSON, with every step of the decision."""
        return {"event": self.texts, "not_given": sorted(self.missing), **to_dict(self.decision, self.missing)}


def described_case(configuration: Configuration, descriptions: Sequence[str], *, strict: bool = False) -> Case:
    r"""Decide about one connection, described by texts such as `Image=C:\a.exe,DestinationPort=443`.

    strict: reproduce Sysmon's bug of stale rule names. Raises UsageError as `given_texts` does.
    """
    texts = given_texts(*descriptions)
    # Use Sysmon's form of missing values, also for numbers: without a text they would stop elements that test them.
    unseen = set() if configuration.dns_lookup else set(NAMES_LOOKED_UP)
    seen: dict[str, str | None] = {name: "-" if name in unseen else texts.get(name, "-") for name in COLUMNS}
    missing = frozenset(COLUMNS) - set(texts) - {"RuleName"} - unseen
    return Case(seen, missing, decide(configuration, seen, strict=strict))


def logged_cases(
    configuration: Configuration, batches: Iterable[pa.RecordBatch], *, strict: bool = False
) -> Iterator[Case]:
    """Decide about each connection of batches of `event.SCHEMA`, one after the other.

    strict: reproduce Sysmon's bug of stale rule names.
    """
    for batch in batches:
        for row in batch.to_pylist():
            texts = sysmon_texts(row, dns_lookup=configuration.dns_lookup)
            yield Case(texts, frozenset(), decide(configuration, texts, strict=strict))
