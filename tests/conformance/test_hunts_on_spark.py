"""Every hunt gives the same rows, in the same order, on DuckDB and on a cluster of Spark."""

from __future__ import annotations

import pytest
from agreement import Engines, assert_same

from procwire.hunts import Hunt, load

pytestmark = pytest.mark.filterwarnings("ignore")
HUNTS = load()
# So that there is much to compare.
_WIDER: dict[str, dict[str, object]] = {
    "beacons": {"min_score": 0.3},
    "fan_out": {"min_hosts": 3, "web": True},
    "first_seen": {"since": "2026-01-06"},
    "lateral_movement": {"max_share": 1.0},
    "listeners": {"max_share": 1.0},
    "long_tail": {"max_share": 0.5},
    "port_mismatch": {"max_share": 1.0},
    "port_scans": {"min_ports": 2},
    "rare_destinations": {"internal": True, "max_share": 0.4},
    "strobes": {"connections": 20, "hours": 1.5},
    "system_binaries": {"internal": True},
}


@pytest.mark.parametrize("hunt", HUNTS, ids=lambda hunt: hunt.name)
def test_hunt_is_the_same(hunt: Hunt, engines: Engines) -> None:
    """With parameters of every type; and it finds something, or nothing would be compared."""
    required: dict[str, object] = {"process": "APP.exe", "destination": "203.0.113.9", "computer": "pc-1"}
    given = {parameter.name: required[parameter.name] for parameter in hunt.parameters if parameter.required}
    given |= _WIDER.get(hunt.name, {})
    expected = hunt.run(engines.duckdb, **given).read_all()
    assert expected.num_rows
    assert_same(expected, hunt.run(engines.spark, **given).read_all())
