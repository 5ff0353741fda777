"""What a hunt needs is checked, and put together, before anything is read."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from procwire.errors import UsageError
from procwire.hunts import find, load, prepare, with_base_names
from procwire.query import QuerySource

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
NEW, TOP = (find(name, load()) for name in ("first_seen", "top_talkers"))


def test_a_period_cuts_the_source() -> None:
    source = QuerySource(["a"], since=NOON)
    prepared = prepare(TOP, source, {"min_connections": 2})
    assert (prepared.source, prepared.parameters) == (source, {"min_connections": 2})


def test_a_hunt_for_what_is_new_sees_what_was_before() -> None:
    prepared = prepare(NEW, QuerySource(["a"], since=NOON, until=NOON.replace(hour=13)), {})
    assert prepared.source == QuerySource(["a"], until=NOON.replace(hour=13))
    assert prepared.parameters == {"since": NOON.isoformat()}


def test_since_is_given_once() -> None:
    """As the user calls it: on the command line both are options."""
    names = {"since": "--since", "parameter": "--param"}
    with pytest.raises(UsageError, match=r"^found --since and --param since=2024-01-01, expected one of them$"):
        prepare(NEW, QuerySource(since=NOON), {"since": "2024-01-01"}, names=names)
    with pytest.raises(UsageError, match=r"^found since and parameter since=2024-01-01"):
        prepare(NEW, QuerySource(since=NOON), {"since": "2024-01-01"})
    assert prepare(NEW, QuerySource(), {"since": "2024-01-01"}).parameters == {"since": "2024-01-01"}


def test_contradictions_and_parameters_are_refused() -> None:
    with pytest.raises(UsageError, match="found until"):
        prepare(NEW, QuerySource(since=NOON, until=NOON), {})
    with pytest.raises(UsageError, match="parameter 'no_such'"):
        prepare(TOP, QuerySource(), {"no_such": 1})


def test_base_names_stand_for_paths_where_there_are_any() -> None:
    batch = pa.record_batch({"process_name": ["C:\\a\\b.exe", "/usr/bin/nc", "System", None], "n": [1, 2, 3, 4]})
    assert with_base_names(batch).to_pydict() == {"process_name": ["b.exe", "nc", "System", None], "n": [1, 2, 3, 4]}
    assert with_base_names(batch.select(["n"])) == batch.select(["n"])


def test_a_list_of_hunts_needs_no_arrow() -> None:
    """It takes longer to import than all else that a list needs."""
    code = """
import sys
from procwire.hunts import find, load
print(find("beacons", load()).title)
assert not {"pyarrow", "duckdb", "deltalake"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
