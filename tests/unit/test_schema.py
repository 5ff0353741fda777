"""The Rust core and the data dictionary agree: columns, types, order, and the names that the readers recognise."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pytest

import procwire
from procwire import _core
from procwire.event import EVENTS, LIVE_SCHEMA, SCHEMA, Event, Field

EXAMPLE = Path(__file__).parents[2] / "examples" / "sysmon.evtx"
ARROW_TYPES = {
    "Utf8": pa.string(),
    "Binary": pa.binary(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Boolean": pa.bool_(),
    'Timestamp(µs, "UTC")': pa.timestamp("us", tz="UTC"),
}

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)


@every_event
def test_columns_of_the_core_are_those_of_the_dictionary(event: Event) -> None:
    columns = [(name, ARROW_TYPES[kind]) for name, kind in _core.columns(event.name)]
    assert columns == [(field.name, field.type) for field in event.fields]


def test_columns_of_the_sensor_are_those_of_a_recording() -> None:
    """So a batch from the sensor needs no columns added before enrichment."""
    columns = [(name, ARROW_TYPES[kind]) for name, kind in _core.live_columns()]
    assert columns == [(field.name, field.type) for field in LIVE_SCHEMA]


def test_core_knows_no_event_that_the_dictionary_does_not() -> None:
    with pytest.raises(ValueError, match=f"expected one of {', '.join(event.name for event in EVENTS)}"):
        _core.columns("file-creation")


def test_batches_of_the_core_have_the_dictionarys_schema() -> None:
    """As they pass from Rust to Python, in any notation."""
    assert procwire.scan(EXAMPLE).schema == SCHEMA
    scanner = _core.Scanner([("example", str(EXAMPLE), False)])
    batch = scanner.step(60.0)
    assert batch is not None
    assert pa.record_batch(batch).schema == SCHEMA


def test_version_of_the_core_is_the_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert _core.version() == project["project"]["version"]


def value(event: Event, field: Field, number: int) -> str:
    """Return a text of the field's type that no other field has."""
    if field.name == "event_id":
        return str(event.id)
    if field.name == "provider_name":
        return "Microsoft-Windows-Sysmon"
    if field.name.endswith("_ip"):
        return f"10.0.0.{number}"
    if "guid" in field.name:
        return f"{{00000000-0000-0000-0000-0000000000{number:02X}}}"
    if pa.types.is_timestamp(field.type):
        return f"2020-01-01T00:00:{number:02}.000Z"
    if pa.types.is_boolean(field.type):
        return "true"
    return str(100 + number) if pa.types.is_integer(field.type) else f"0x{number}"


def logged(event: Event) -> list[Field]:
    return [field for field in event.fields if field.xml]


def values(event: Event) -> dict[str, str]:
    return {field.name: value(event, field, number) for number, field in enumerate(logged(event))}


def as_xml(event: Event) -> bytes:
    """Return an event as XML, with each field in the place that the dictionary names."""
    texts = values(event)
    attributes: dict[str, str] = {}
    elements = ""
    for field in logged(event):
        element, _, attribute = field.xml.partition("/@")
        if field.group == "system" and attribute:
            attributes[element] = attributes.get(element, "") + f" {attribute}={quoteattr(texts[field.name])}"
        elif field.group == "system":
            elements += f"<{element}>{escape(texts[field.name])}</{element}>"
    system = "".join(f"<{element}{text}/>" for element, text in attributes.items()) + elements
    data = "".join(
        f"<Data Name={quoteattr(field.xml)}>{escape(texts[field.name])}</Data>"
        for field in logged(event)
        if field.group == "event"
    )
    return f"<Event><System>{system}</System><EventData>{data}</EventData></Event>".encode()


def as_json(event: Event) -> bytes:
    """Return an event as evtx_dump writes it, with each field in the place that the dictionary names."""
    texts = values(event)
    system: dict[str, Any] = {}
    for field in logged(event):
        element, _, attribute = field.xml.partition("/@")
        if field.group == "system" and attribute:
            system.setdefault(element, {"#attributes": {}})["#attributes"][attribute] = texts[field.name]
        elif field.group == "system":
            system[element] = texts[field.name]
    data = {field.xml: texts[field.name] for field in logged(event) if field.group == "event"}
    return json.dumps({"Event": {"System": system, "EventData": data}}).encode()


@every_event
@pytest.mark.parametrize("write", [as_xml, as_json], ids=["xml", "json"])
def test_readers_look_where_the_dictionary_says(write: Callable[[Event], bytes], event: Event, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(write(event))
    ledger = procwire.Ledger()
    [row] = procwire.read(tmp_path / "log", ledger=ledger, event=event).to_pylist()
    assert (ledger.warnings, ledger.damage) == ({}, {})
    for field in logged(event):
        found, expected = row[field.name], values(event)[field.name]
        if pa.types.is_timestamp(field.type):
            found = found.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert (str(found).lower() if isinstance(found, bool) else str(found)) == expected, field.name


def test_evtx_reader_looks_where_the_dictionary_says() -> None:
    """Every field that Sysmon 6 writes has values in the example; RuleName came later."""
    table = procwire.read(EXAMPLE)
    empty = {name for name in table.schema.names if table[name].null_count == table.num_rows}
    assert empty == {"rule_name", "source_line"}
