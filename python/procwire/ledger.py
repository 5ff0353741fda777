"""The ledger of a reading: counts what each input yielded, what was skipped, and what was damaged, and where."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from procwire.errors import InputError
from procwire.words import counted, counted_rows

__all__ = ["READ_ERROR", "Example", "FileLedger", "Ledger", "Tally"]

# Number of inputs that the summary names; the ledger has all of them.
_LISTED = 10
READ_ERROR = "read error"
"""The kind of damage of an input that could not be read or unpacked to its end."""
EXAMPLES_PER_KIND = 1_000
"""Places stored per kind of damage or warning, here and in the core; beyond that they are only counted."""


@dataclass(slots=True)
class Example:
    """Hold a place in an input and what was found there."""

    offset: int
    """Byte offset in the unpacked input."""
    line: int | None
    """Line, from 1, where the input has lines."""
    detail: str

    def __str__(self) -> str:
        where = f"offset {self.offset}" if self.line is None else f"line {self.line}, offset {self.offset}"
        return f"{where}: {self.detail}"


@dataclass(slots=True)
class Tally:
    """Count a kind of damage or warning, and hold its first 1,000 places."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class FileLedger:
    """Count what one input yielded."""

    name: str
    format: str | None = None
    bytes: int = 0
    """Bytes read, unpacked."""
    records: int = 0
    """Records seen, of any event."""
    events: int = 0
    """Rows of the requested events (event 3 by default), recovered ones included."""
    by_event: dict[str, int] = field(default_factory=dict)
    """Rows by `procwire.event.Event.name`, where there are any."""
    recovered: int = 0
    other_events: int = 0
    """Sysmon records of an event that was not requested."""
    other_providers: int = 0
    damage: dict[str, Tally] = field(default_factory=dict)
    warnings: dict[str, Tally] = field(default_factory=dict)
    error: str | None = None
    """Why it could not be opened or recognised."""
    named: bool = True
    """Whether the user named it; if not, it was found in a folder or an archive, where other files are no fault."""
    unreadable: bool = False
    """Whether it could not be read, so that it is unknown whether it holds a log."""
    not_followed: str | None = None
    """What it is, if it is left out on purpose: a link to a folder, a pipe, ..."""

    @classmethod
    def from_core(cls, account: Mapping[str, Any]) -> FileLedger:
        """Return the ledger of one input that `procwire._core` reports."""

        def tallies(raw: Mapping[str, Any]) -> dict[str, Tally]:
            return {
                kind: Tally(count, [Example(*example) for example in examples])
                for kind, (count, examples) in raw.items()
            }

        plain = {key: value for key, value in account.items() if key not in ("damage", "warnings")}
        return cls(**plain, damage=tallies(account["damage"]), warnings=tallies(account["warnings"]))

    @property
    def read_error(self) -> str | None:
        """Return where reading it ended, and why; None if it was read to its end."""
        tally = self.damage.get(READ_ERROR)
        return None if tally is None else f"{READ_ERROR} at {tally.examples[0]}"

    def __add__(self, other: FileLedger) -> FileLedger:
        """Return the ledger of two parts of the same input."""
        return replace(
            self,
            format=self.format or other.format,
            bytes=self.bytes + other.bytes,
            records=self.records + other.records,
            events=self.events + other.events,
            by_event=dict(Counter(self.by_event) + Counter(other.by_event)),
            recovered=self.recovered + other.recovered,
            other_events=self.other_events + other.other_events,
            other_providers=self.other_providers + other.other_providers,
            damage=_merge(self.damage, other.damage),
            warnings=_merge(self.warnings, other.warnings),
        )


def _merge(one: Mapping[str, Tally], other: Mapping[str, Tally]) -> dict[str, Tally]:
    merged = dict(one)
    for kind, tally in other.items():
        before = merged.get(kind, Tally())
        examples = (before.examples + tally.examples)[:EXAMPLES_PER_KIND]
        merged[kind] = Tally(before.count + tally.count, examples)
    return merged


def _totals(tallies: Iterable[Mapping[str, Tally]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for tally in tallies:
        total.update({kind: entry.count for kind, entry in tally.items()})
    return total


def _first(lines: Sequence[str], rest: str) -> list[str]:
    """Return the first ten lines, and one that says how many more there are."""
    return [*lines[:_LISTED], *[f"{len(lines) - _LISTED:,} more{rest}"] * (len(lines) > _LISTED)]


def _counts(counter: Mapping[str, int]) -> list[str]:
    return [f"{count:,} × {kind}" for kind, count in sorted(counter.items())]


@dataclass(slots=True)
class Ledger:
    """Count a complete reading; it is updated while the reading runs, and final at its end."""

    files: list[FileLedger] = field(default_factory=list)
    configuration: str | None = None
    """The Sysmon configuration that was applied to the rows."""
    asked: dict[str, str] = field(default_factory=lambda: {"connection": "network connections"})
    """The names of the requested events, with the plural nouns for their rows."""
    unlogged: int = 0
    """Number of rows of event 3 that the configuration does not log."""

    @property
    def records(self) -> int:
        """Return the number of records seen, of any event."""
        return sum(file.records for file in self.files)

    @property
    def events(self) -> int:
        """Return the number of rows of the requested events, recovered ones included."""
        return sum(file.events for file in self.files)

    @property
    def by_event(self) -> Counter[str]:
        """Return the number of rows of the requested events, by `procwire.event.Event.name`."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.by_event)
        return total

    @property
    def recovered(self) -> int:
        """Return the number of rows carved from slack space or broken chunks."""
        return sum(file.recovered for file in self.files)

    @property
    def bytes(self) -> int:
        """Return the number of unpacked bytes read."""
        return sum(file.bytes for file in self.files)

    @property
    def damage(self) -> Counter[str]:
        """Return how often each kind of damage occurred."""
        return _totals(file.damage for file in self.files)

    @property
    def warnings(self) -> Counter[str]:
        """Return how often each kind of warning occurred."""
        return _totals(file.warnings for file in self.files)

    @property
    def unread(self) -> list[FileLedger]:
        """Return the inputs that could not be read, including named ones that were not recognised."""
        return [file for file in self.files if file.error is not None and (file.named or file.unreadable)]

    @property
    def skipped(self) -> list[FileLedger]:
        """Return the files in folders and archives that hold no log."""
        return [file for file in self.files if file.error is not None and not (file.named or file.unreadable)]

    @property
    def not_followed(self) -> list[FileLedger]:
        """Return the inputs left out on purpose: links to folders, pipes and devices in folders."""
        return [file for file in self.files if file.not_followed is not None]

    @property
    def damaged(self) -> bool:
        """Return whether anything could not be read."""
        return bool(self.damage) or bool(self.unread)

    @property
    def nothing_read(self) -> bool:
        """Return whether no input could be opened and recognised."""
        return not self._read

    @property
    def _read(self) -> list[FileLedger]:
        return [file for file in self.files if file.error is None and file.not_followed is None]

    def check_read(self) -> None:
        """Raise InputError, with the reasons, if no input could be opened and recognised."""
        if self.nothing_read:
            causes = [f"{file.name}: {file.error}" for file in self.files if file.error is not None]
            raise InputError("; ".join(causes[:3]) or "found no file, expected a log")

    def summary(self) -> str:
        """Return the ledger in one line, and one more each for damage, inputs not followed, and warnings."""
        parts = [
            counted(len(self._read), "file"),
            counted(self.records, "record"),
            *self._row_counts(),
        ]
        if self.recovered:
            parts.append(f"{self.recovered:,} of them recovered")
        if self.configuration is not None:
            parts.append(f"{self.unlogged:,} of them not logged by {self.configuration}")
        other_events = sum(file.other_events for file in self.files)
        other_providers = sum(file.other_providers for file in self.files)
        if other_events:
            parts.append(counted(other_events, "other Sysmon event"))
        if other_providers:
            parts.append(f"{other_providers:,} of other providers")
        if self.skipped:
            parts.append(f"{counted(len(self.skipped), 'file')} without a log skipped")
        lines = [", ".join(parts)]
        damage = _counts({kind: count for kind, count in self.damage.items() if kind != READ_ERROR})
        damage += _first([f"{file.name}: {file.error}" for file in self.unread], " inputs not read")
        damage += _first(
            [f"{file.name}: {file.read_error}" for file in self._read if file.read_error], " not read to their end"
        )
        if damage:
            lines.append("damage: " + "; ".join(damage))
        if self.not_followed:
            reasons = [f"{file.name}: {file.not_followed}" for file in self.not_followed]
            lines.append("not followed: " + "; ".join(_first(reasons, "")))
        if self.warnings:
            lines.append(
                "warnings: " + "; ".join(f"{count:,} × {kind}" for kind, count in sorted(self.warnings.items()))
            )
        return "\n".join(lines)

    def _row_counts(self) -> Iterator[str]:
        by_event = self.by_event if len(self.asked) > 1 else dict.fromkeys(self.asked, self.events)
        return (counted_rows(by_event[name], rows) for name, rows in self.asked.items())

    def to_json(self) -> str:
        """Return the totals and the ledger of each input as JSON."""
        totals: dict[str, Any] = {
            "records": self.records,
            "events": self.events,
            "by_event": dict(self.by_event),
            "recovered": self.recovered,
            "other_events": sum(file.other_events for file in self.files),
            "other_providers": sum(file.other_providers for file in self.files),
            "damage": dict(self.damage),
            "warnings": dict(self.warnings),
        }
        if self.configuration is not None:
            totals |= {"configuration": self.configuration, "unlogged": self.unlogged}
        return json.dumps({"totals": totals, "files": [asdict(file) for file in self.files]}, indent=2)
