"""Take the first records of a log of unknown format, as keys and texts."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from procwire.errors import InputError
from procwire.sources.inputs import open_inputs

__all__ = ["Record", "first_records"]

Record = dict[str, str]
"""A record's values as text, by their keys: paths with dots between."""

_SAMPLE_BYTES = 4 << 20
_MOST_KEYS = 2_000
_MOST_DEPTH = 32


def first_records(paths: Sequence[str | os.PathLike[str]], count: int) -> list[Record]:
    """Return up to `count` records from the beginning of the first log that has some: JSON, or CSV with a header.

    Raises InputError if no log can be read, or none has records.
    """
    reasons = []
    for entry in open_inputs(paths):
        if isinstance(entry.source, Exception):
            reasons.append(f"{entry.name}: {entry.source}")
            continue
        if isinstance(entry.source, str):
            with Path(entry.source).open("rb") as file:
                head = file.read(_SAMPLE_BYTES)
        else:
            head = entry.source.read(_SAMPLE_BYTES)
        records = list(islice(_records(_text(head)), count))
        if records:
            return records
        reasons.append(f"{entry.name}: found neither objects of JSON nor a CSV with a header, expected one of them")
    raise InputError("; ".join(reasons) or "found no log, expected one")


def _text(head: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if head.startswith(mark):
            return head.decode(encoding, "replace")
    return head.decode("utf-8", "replace")


def _records(text: str) -> Iterator[Record]:
    start = text.lstrip()
    if start.startswith(("{", "[")):
        for document in _documents(start):
            yield from _objects(document)
        return
    yield from _rows(text)


def _documents(text: str) -> Iterator[object]:
    """Yield the documents of JSON that stand one after the other; the last one may be cut, and is then left out."""
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        while at < len(text) and text[at] in " \t\r\n,\x1e":
            at += 1
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if text.startswith("[", at):
                # A list that is cut: its elements are records.
                at += 1
                continue
            following = text.find("\n", at)
            if following < 0:
                return
            at = following + 1
            continue
        yield document


def _objects(document: object) -> Iterator[Record]:
    if isinstance(document, list):
        for element in document:
            yield from _objects(element)
    elif isinstance(document, dict):
        record: Record = {}
        _flatten(document, "", record, _MOST_DEPTH)
        if record:
            yield record


def _flatten(table: dict[str, object], before: str, into: Record, depth: int) -> None:
    for key, value in table.items():
        if len(into) >= _MOST_KEYS:
            return
        if isinstance(value, dict) and depth:
            _flatten(value, f"{before}{key}.", into, depth - 1)
        elif isinstance(value, bool):
            into[before + key] = str(value).lower()
        elif isinstance(value, (str, int, float)):
            into[before + key] = str(value)


def _rows(text: str) -> Iterator[Record]:
    header = text.splitlines()[0] if text else ""
    delimiter = max(",;\t|", key=header.count)
    if header.count(delimiter) < 2:
        return
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter):
            yield {key: value for key, value in row.items() if isinstance(key, str) and isinstance(value, str)}
    except csv.Error:
        return
