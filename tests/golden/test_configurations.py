"""Real configurations: parsed as Sysmon's own loader parsed them, and of one mind over real logs.

The repository's own are always read; the whole corpus where PROCWIRE_CORPUS names its folder, as in test_truth.py.
"""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
import truth
from compiled import decode, ordered, printed

import procwire
from procwire.errors import ConfigurationError
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.forms import COLUMNS
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse
from rule_cases import Verdict, by_reference, by_sql

CORPUS = Path(os.environ["PROCWIRE_CORPUS"]) if os.environ.get("PROCWIRE_CORPUS") else None
ROOTS = [truth.DATA, CORPUS] if CORPUS else [truth.DATA]


def files(*endings: str) -> list[Path]:
    found = [path for root in ROOTS for path in sorted((root / "configs").rglob("*")) if path.is_file()]
    return [path for path in found if path.name.removesuffix(".gz").endswith(endings) and path.parent.name != "schemas"]


def name(path: Path) -> str:
    return "/".join(path.parts[path.parts.index("configs") + 1 :])


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def beside(path: Path, ending: str) -> bytes:
    """What belongs to a file, in the same folder or its sibling `configs`; packed or not."""
    stem = path.name.removesuffix(".gz").removesuffix(".bin").removesuffix(".rules").removesuffix(ending)
    folder = path.parent.parent / "configs" if path.parent.name == "baseline" else path.parent
    [found] = [other for other in (folder / f"{stem}{ending}", folder / f"{stem}{ending}.gz") if other.exists()]
    return content(found)


@pytest.mark.parametrize("path", files(".bin"), ids=name)
def test_rules_equal_those_that_sysmon_compiles(path: Path) -> None:
    """Every event's elements, with relations, fields, conditions, values, names and their order."""
    assert ordered(parse(beside(path, ".xml")).elements) == decode(content(path))


@pytest.mark.parametrize("path", files(".rules"), ids=name)
def test_rules_equal_those_that_sysmon_prints(path: Path) -> None:
    [_, *lines] = content(path).decode().removesuffix("\n").split("\n")
    assert printed(ordered(parse(beside(path, ".xml")).elements)) == lines


def test_compiled_rules_are_many() -> None:
    """Rules of every kind are among them."""
    elements = [element for path in files(".bin") for element in decode(content(path))]
    filters = [reported for element in elements for reported in element.filters]
    assert len(filters) > 1300
    assert {reported.group is not None for reported in filters} == {True, False}
    assert len({reported.condition for reported in filters}) >= 8
    assert len({element.event for element in elements}) >= 15


@pytest.mark.parametrize("path", files(".xml", ".cfg"), ids=name)
def test_real_configurations_parse(path: Path) -> None:
    """As they are; those of a schema that Sysmon refuses are refused with its version, and read if asked leniently."""
    data = content(path)
    version = re.search(rb"<Sysmon[^>]*schemaversion\s*=\s*\"([0-9.]+)\"", data)
    assert version is not None
    lenient = parse(data, lenient=True)
    count = len(
        re.findall(rb"<NetworkConnect\s[^>]*(?:onmatch|default)", re.sub(rb"<!--.*?-->", b"", data, flags=re.S))
    )
    assert len(lenient.network_connect) == count
    if float(version[1]) >= 4:
        assert parse(data) == lenient
    else:
        with pytest.raises(ConfigurationError, match=rf"found schemaversion {version[1].decode()}, expected 4\.0"):
            parse(data)


@pytest.mark.parametrize("path", files(".xml", ".cfg"), ids=name)
def test_all_ways_agree_over_real_events(path: Path) -> None:
    """What it logs of real events, and under which names: by the reference, by SQL, and by what `read` uses."""
    configuration = parse(content(path), lenient=True)
    batch = distinguishing_rows(configuration)
    rows = batch.to_pylist()
    for strict in (False, True):
        expected = by_reference(configuration, rows, strict=strict)
        assert by_sql(configuration, rows, strict=strict) == expected
        assert ConfigFilter(configuration, strict=strict).names(batch).to_pylist() == expected


def test_real_configurations_tell_events_apart() -> None:
    """Complete ones log some and exclude some: else the test above could not fail."""
    counts: Counter[Verdict] = Counter()
    for path in files("main.xml", "sysmon-modular-config.xml", "21_real_world_olaf.xml"):
        configuration = parse(content(path))
        counts.update(by_reference(configuration, distinguishing_rows(configuration).to_pylist()))
    assert counts[None] > 100
    assert counts["-"] > 0
    assert len(counts) >= 10
    assert sum(counts.values()) - counts[None] > 100


# Filters times events that the reference, row by row, is asked for.
_MOST_ANSWERS = 150_000


@cache
def events() -> pa.Table:
    """Every event of the real logs."""
    logs = [case.path for root in ROOTS for case in truth.cases(root) if case.events]
    return procwire.read([truth.EXAMPLE, *logs])


def distinguishing_rows(configuration: Configuration) -> pa.RecordBatch:
    """Real events, each once as far as the configuration distinguishes them; of many for many filters only some."""
    asked = {COLUMNS[filter_.field].name for element in configuration.network_connect for filter_ in element.filters}
    numbered = events().append_column("number", pa.array(range(events().num_rows)))
    first = numbered.group_by(sorted(asked)).aggregate([("number", "min")])["number_min"].sort()
    count = sum(1 for element in configuration.network_connect for _ in element.filters)
    first = first.take(pa.array(range(0, len(first), 1 + len(first) * count // _MOST_ANSWERS)))
    [batch] = events().take(first).combine_chunks().to_batches()
    return batch
