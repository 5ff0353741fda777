"""Load a mapping: a TOML file that says which keys of an unknown log hold which fields of a connection."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path

from procwire.bounded import read_bounded
from procwire.errors import UsageError
from procwire.event import FIELDS, Field
from procwire.words import nearest

__all__ = ["LOCAL_FIRST", "MAPPED", "LogMapping", "load_mapping"]

_MOST_BYTES = 1 << 20
_MOST_KEYS = 1_000
MAPPED: tuple[Field, ...] = tuple(field for field in FIELDS if field.group in ("event", "system"))
"""The fields that a mapping can fill."""
LOCAL_FIRST: dict[str, str] = {
    "LocalIp": "src_ip", "LocalPort": "src_port", "LocalHostname": "src_host_name",
    "RemoteIp": "dst_ip", "RemotePort": "dst_port", "RemoteHostname": "dst_host_name",
}  # fmt: skip
"""Names for the ends in logs that distinguish this computer's end from the peer's: columns of outbound connections.

For inbound ones (by `Initiated`) they are exchanged."""
_KNOWN = ("provider", "records", "text", "fields", "values")


@dataclass(frozen=True, slots=True)
class LogMapping:
    """Define which records of a log are connections, and where their fields are.

    A key is the name of a column, or a path of keys separated by dots (`src.ip`); names that contain dots are also
    found.
    """

    provider: str | None
    """The rows' `provider_name`, unless a key has it."""
    records: tuple[tuple[str, tuple[str, ...]], ...]
    """Keys and their allowed values: each key must have one of them. If empty, every record is a connection."""
    text: tuple[str, ...]
    """Keys that hold the event as text: XML, JSON or Sysmon's message text."""
    fields: tuple[tuple[str, tuple[str, ...]], ...]
    """Columns and their keys; the first key that has a value counts."""
    values: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Columns and the meaning of their values: pairs of the log's value, in any case, and the value that it means."""
    local_first: bool
    """Whether the source in `fields` is this computer's end, and the destination the peer's."""


def load_mapping(path: str | os.PathLike[str]) -> LogMapping:
    """Read a mapping from a TOML file.

    Raises UsageError, which names all mistakes, for an invalid mapping, and OSError if the file cannot be read.
    """
    import tomllib

    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{Path(path)}: found no TOML, expected a mapping: {error or 'nested too deeply'}") from error
    errors: list[str] = []
    for key in document.keys() - set(_KNOWN):
        errors.append(f"found {key!r}, expected one of {', '.join(_KNOWN)}{_nearest(key, _KNOWN)}")
    provider = document.get("provider")
    if provider is not None and not isinstance(provider, str):
        errors.append(f"provider: found {provider!r}, expected a text")
    mapping = LogMapping(
        provider=provider if isinstance(provider, str) else None,
        records=tuple(
            (key, _texts(f"records.{key}", value, errors)) for key, value in _flat(document, "records", errors)
        ),
        text=_texts("text", document.get("text", []), errors),
        fields=tuple(
            (_column(f"fields.{name}", name, errors), _texts(f"fields.{name}", keys, errors))
            for name, keys in _table(document, "fields", errors).items()
        ),
        values=tuple(
            (_column(f"values.{name}", name, errors), _meanings(f"values.{name}", meanings, errors))
            for name, meanings in _table(document, "values", errors).items()
        ),
        local_first=any(name in LOCAL_FIRST for name in _table(document, "fields", [])),
    )
    columns = [column for column, _ in mapping.fields]
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        errors.append(f"fields: found two names of {column}, expected one: either source and destination, or local and "
                      "remote")  # fmt: skip
    if not errors and not mapping.fields and not mapping.text:
        errors.append("found neither fields nor text, expected a key of one of them")
    if sum(len(keys) for _, keys in (*mapping.fields, *mapping.records)) > _MOST_KEYS:
        errors.append(f"found more than {_MOST_KEYS:,} keys, expected fewer")
    if errors:
        raise UsageError("\n".join(f"{Path(path)}: {error}" for error in errors))
    return mapping


def _table(document: Table[str, object], name: str, errors: list[str]) -> dict[str, object]:
    found = document.get(name, {})
    if isinstance(found, dict):
        return found
    errors.append(f"{name}: found {found!r}, expected a table [{name}]")
    return {}


def _flat(document: Table[str, object], name: str, errors: list[str]) -> list[tuple[str, object]]:
    """Return a table's keys and values; `a.b = 1`, which TOML nests, is the key `a.b`."""

    def walk(table: Table[str, object], before: str) -> list[tuple[str, object]]:
        return [
            pair
            for key, value in table.items()
            for pair in (walk(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)])
        ]

    return walk(_table(document, name, errors), "")


def _texts(where: str, found: object, errors: list[str]) -> tuple[str, ...]:
    values = found if isinstance(found, list) else [found]
    if all(isinstance(value, (str, int, float, bool)) for value in values):
        return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    errors.append(f"{where}: found {found!r}, expected a text or a list of texts")
    return ()


def _meanings(where: str, found: object, errors: list[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, dict):
        errors.append(f"{where}: found {found!r}, expected a table of what the log has and what it stands for")
        return ()
    return tuple((key, meaning) for key, value in found.items() for meaning in _texts(f"{where}.{key}", value, errors))


def _column(where: str, name: str, errors: list[str]) -> str:
    """Return the column for a field's name, which is Sysmon's or the standard one."""
    if name in LOCAL_FIRST:
        return LOCAL_FIRST[name]
    for field in MAPPED:
        if name.lower() in (field.sysmon.lower(), field.name):
            return field.name
    known = [*LOCAL_FIRST, *(name for field in MAPPED for name in (field.sysmon, field.name))]
    errors.append(f"{where}: found no field of this name, expected one of Sysmon's{_nearest(name, known)}")
    return name


def _nearest(name: str, known: Iterable[str]) -> str:
    found = nearest(name, known, cutoff=0.6)
    return f"; did you mean {found!r}?" if found else ""
