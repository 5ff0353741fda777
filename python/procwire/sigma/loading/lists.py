"""Put values from files in the place of placeholders: `Image|expand: '%tools%'` with a file for `tools`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from procwire.bounded import read_bounded
from procwire.errors import UsageError
from procwire.sigma.loading.limits import MOST_TESTS
from procwire.sigma.problems import Unusable

__all__ = ["Lists", "expanded", "placeholders_of", "read_lists"]

Lists = Mapping[str, tuple[str, ...]]
"""Names of placeholders, and the values of each."""

_MOST_BYTES = 16 << 20
_MOST_VALUES = 100_000
_PLACEHOLDER = re.compile(r"%([^%\\]+)%")


def read_lists(files: Mapping[str, str | Path]) -> Lists:
    r"""Return the values in each file: one a line, or in a file `*.csv` a column.

    Of lines, white space around them, empty ones and those that begin with `#` are left out. Of CSV the column with
    the name of the placeholder counts; a file with a single column may do without a header. Values stand for what they
    would in a rule: `*` and `?` are wildcards, `\*` is not.

    Raises UsageError, with the path, for a file that cannot be read, is too large, or has no value.
    """
    return {name: _read(name, Path(path)) for name, path in files.items()}


def _read(name: str, path: Path) -> tuple[str, ...]:
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: found text that is not UTF-8, expected the values of {name}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}, the values of {name}: {error}") from error
    if "\0" in text:
        raise UsageError(f"{path}: found a zero byte, expected the values of {name} as text")
    try:
        found = _of_csv(name, path, text) if path.suffix.lower() == ".csv" else _of_lines(text)
        values = tuple(dict.fromkeys(found))
    except csv.Error as error:
        raise UsageError(f"{path}: found CSV that cannot be read: {error}") from error
    if not values:
        raise UsageError(f"{path}: found no values, expected those of {name}, one a line")
    if len(values) > _MOST_VALUES:
        raise UsageError(f"{path}: found {len(values):,} values of {name}, expected {_MOST_VALUES:,} at most")
    return values


def _of_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        value = line.strip()
        if value and not value.startswith("#"):
            yield value


def _of_csv(name: str, path: Path, text: str) -> Iterator[str]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    header = [cell.strip() for cell in rows[0]] if rows else []
    folded = [cell.casefold() for cell in header]
    if name.casefold() in folded:
        place, rows = folded.index(name.casefold()), rows[1:]
    elif len(header) <= 1:
        place = 0
    else:
        raise UsageError(f"{path}: found the columns {', '.join(header[:10])}, expected one of the name {name}")
    for row in rows:
        if place < len(row) and (value := row[place].strip()):
            yield value


def placeholders_of(detection: object) -> set[str]:
    """Return the names of the placeholders in a detection."""
    return {name for key, value in _items(detection) for one in _values(value) for name in _names(key, one)}


def expanded(detection: Any, lists: Lists) -> Any:
    """Return a detection with the values of the placeholders that there are lists for; the others stay.

    Raises Unusable for more values than a rule may have.
    """
    if isinstance(detection, list):
        return [expanded(one, lists) for one in detection]
    if not isinstance(detection, Mapping):
        return detection
    return dict(_expanded(key, value, lists) for key, value in detection.items())


def _expanded(key: Any, value: Any, lists: Lists) -> tuple[Any, Any]:
    values = _values(value)
    if not _expands(key) or isinstance(value, Mapping):
        return key, expanded(value, lists)
    found = [name for one in values for name in _names(key, one)]
    if not any(name in lists for name in found):
        return key, value
    modifiers = key.split("|")[1:]
    if "all" in modifiers:
        raise Unusable(f"found {key}, which asks for every value of a list at once; leave out all, or expand")
    if any(name not in lists for name in found):
        # What stays a placeholder is reported as one.
        return key, value
    total = sum(prod(len(lists[name]) for name in _names(key, one)) for one in values)
    if total > MOST_TESTS:
        raise Unusable(f"found {total:,} values of {key}, expected {MOST_TESTS:,} at most")
    plain = "|".join(part for part in key.split("|") if part != "expand")
    return plain, [text for one in values for text in _texts(one, lists)]


def _texts(value: Any, lists: Lists) -> Iterator[Any]:
    if not isinstance(value, str) or not (names := _PLACEHOLDER.findall(value)):
        yield value
        return
    # Texts between placeholders, in turn with names.
    texts = _PLACEHOLDER.split(value)[::2]
    for chosen in product(*(lists[name] for name in names)):
        yield texts[0] + "".join(one + text for one, text in zip(chosen, texts[1:], strict=True))


def _items(detection: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(detection, list):
        for one in detection:
            yield from _items(one)
    elif isinstance(detection, Mapping):
        for key, value in detection.items():
            if isinstance(value, Mapping) or (isinstance(value, list) and not _expands(key)):
                yield from _items(value)
            else:
                yield key, value


def _expands(key: object) -> bool:
    return isinstance(key, str) and "expand" in key.split("|")[1:]


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(key: Any, value: Any) -> list[str]:
    return _PLACEHOLDER.findall(value) if _expands(key) and isinstance(value, str) else []
