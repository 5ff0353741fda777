r"""Read the examples beside a Sigma rule: events, and whether the rule should match them.

`rule.test.yml`, beside `rule.yml`, is a list of::

    - name: what it shows            # may be left out
      match: true                    # or false
      event:                         # or `events`, a list, for rules that correlate
        Image: C:\Windows\System32\notepad.exe
        DestinationPort: 888
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from procwire.bounded import read_bounded
from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA
from procwire.query.functions import network_ends
from procwire.sigma.loading import reading
from procwire.sigma.model.fields import ADDRESS_BYTES, Kind, column_of, kind_of
from procwire.sigma.problems import Unusable

__all__ = ["Example", "batch_of", "examples_beside", "read_examples"]

_KEYS = {"name", "match", "event", "events"}
_FIRST_TIME = datetime(2024, 1, 1, 12, tzinfo=UTC)
_TYPES: Mapping[Kind, pa.DataType] = {"number": pa.int64(), "flag": pa.bool_(), "time": pa.timestamp("us", tz="UTC")}


@dataclass(frozen=True, slots=True)
class Example:
    """Hold one or more consecutive events, with Sysmon's names, and whether the rule should match them."""

    name: str
    match: bool
    events: tuple[Mapping[str, object], ...]


def examples_beside(rule: Path) -> Path:
    """Return the path of a rule's examples."""
    return rule.with_name(f"{rule.stem}.test{rule.suffix}")


def read_examples(path: Path) -> list[Example]:
    """Return the examples of a file. Raises UsageError, with the place, for an invalid one."""
    try:
        text = read_bounded(path, reading.MOST_BYTES).decode("utf-8-sig")
        _, found = next(reading.documents_of(text), (1, None))
        if isinstance(found, yaml.YAMLError):
            raise found
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    except yaml.YAMLError as error:
        line, reason = reading.problem_of(error)
        raise UsageError(f"{path}:{line or 1} is not YAML: {reason}") from error
    if not isinstance(found, list) or not found:
        raise UsageError(f"{path}: found {_kind(found)}, expected a list of examples")
    return [_example(one, f"{path}: example {number}") for number, one in enumerate(found, 1)]


def batch_of(example: Example, *, linux: bool) -> pa.RecordBatch:
    """Return the example's events as rows of the table, a second apart if they have no time.

    Raises UsageError for a field that does not exist, or a value that it cannot have.
    """
    rows = [_row(event, number, linux) for number, event in enumerate(example.events)]
    others = {name for row in rows for name in row if name not in LIVE_SCHEMA.names}
    schema = pa.schema([*LIVE_SCHEMA, *((name, _TYPES.get(kind_of(name), pa.string())) for name in sorted(others))])
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def _example(found: object, place: str) -> Example:
    if not isinstance(found, dict) or not {"match"} <= set(found) <= _KEYS or ("event" in found) == ("events" in found):
        given = f"keys {', '.join(map(str, found))}" if isinstance(found, dict) else _kind(found)
        raise UsageError(f"{place}: found {given}, expected match, and event or events (and name)")
    events = found["events"] if "events" in found else [found["event"]]
    if not isinstance(found["match"], bool):
        raise UsageError(f"{place}: found match {found['match']!r}, expected true or false")
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        raise UsageError(f"{place}: found no event, expected fields and their values under Sysmon's names")
    return Example(str(found.get("name") or ""), found["match"], tuple(events))


def _row(event: Mapping[str, object], number: int, linux: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "provider_name": "Linux-Sysmon" if linux else "Microsoft-Windows-Sysmon",
        "record_kind": "connection",
        "event_creation_time": _FIRST_TIME + timedelta(seconds=number),
        "record_id": number,
    }
    for name, value in event.items():
        column = _column(str(name))
        row[column] = _value(str(name), kind_of(column), value)
    for text, data in ADDRESS_BYTES.items():
        row[data] = network_ends(row[text])[0] if row.get(text) else None
    return row


def _column(name: str) -> str:
    try:
        return column_of(name).name
    except Unusable as error:
        raise UsageError(f"{error}, expected a field of Sysmon's, such as DestinationIp") from error


def _value(name: str, kind: Kind, value: object) -> object:
    if value is None or value in ("", "-"):
        return None
    try:
        return _READ[kind](value) if kind in _READ else str(value)
    except (ValueError, KeyError) as error:
        raise UsageError(f"found {name} {value!r}, expected a value of kind {kind}") from error


def _flag(value: object) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


def _time(value: object) -> datetime:
    time = datetime.fromisoformat(str(value))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_READ: Mapping[Kind, Callable[[object], object]] = {
    "number": lambda value: int(str(value)),
    "flag": _flag,
    "time": _time,
    "address": lambda value: str(ip_address(str(value))),
}


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
