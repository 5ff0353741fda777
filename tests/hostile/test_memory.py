"""Memory grows with configurations and rules, not with their square: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Prints how many MB the process took at most. Not what getrusage says: a child begins with its parent's.
MEASURED = """
import sys
from pathlib import Path
import pyarrow as pa
from procwire.event import LIVE_SCHEMA, SCHEMA
from procwire.sysmon import ConfigFilter
from procwire.sysmon import load as load_configuration
from procwire.sysmon.measuring.trial import Trial
from procwire.sigma import SigmaStream, load
peak_mb = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024
row = {"process_name": "C:\\\\a7.exe", "dst_host_name": "host7.example.com", "dst_port": 7, "record_kind": "connection"}
before_mb = peak_mb()
if sys.argv[1].endswith(".xml"):
    configuration = load_configuration(sys.argv[1])
    batch = pa.RecordBatch.from_pylist([{name: row.get(name) for name in SCHEMA.names}], schema=SCHEMA)
    ConfigFilter(configuration)(batch)
    trial = Trial(configuration)
    trial.add(batch)
    trial.report()
else:
    rules = load([sys.argv[1]])
    assert len(rules.rules) == 1, rules.problems
    SigmaStream(rules).matches(pa.RecordBatch.from_pylist([row], schema=LIVE_SCHEMA))
print(peak_mb() - before_mb)
"""


def peak_mb(path: Path) -> float:
    """What reading and applying a file takes at most."""
    command = [sys.executable, "-c", MEASURED, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def configuration(path: Path, count: int, condition: str) -> Path:
    filters = "\n".join(
        f'<Image condition="{condition}" name="rule {number}">C:\\a{number}.exe</Image>' for number in range(count)
    )
    path.write_text(
        '<Sysmon schemaversion="4.90"><EventFiltering><RuleGroup groupRelation="or"><NetworkConnect onmatch="include">'
        f"{filters}</NetworkConnect></RuleGroup></EventFiltering></Sysmon>"
    )
    return path


def rule(path: Path, count: int, field: str) -> Path:
    values = "\n".join(f"      - host{number}.example.com" for number in range(count))
    head = "title: A\nlogsource:\n  category: network_connection\n"
    path.write_text(f"{head}detection:\n  s:\n    {field}:\n{values}\n  condition: s\n")
    return path


@pytest.mark.parametrize("condition", ["is", "is not", "contains"])
def test_memory_is_linear_in_the_filters_of_a_configuration(tmp_path: Path, condition: str) -> None:
    """Four times as many take about four times as much; 10 MB of configuration took 7.9 GB once."""
    few = peak_mb(configuration(tmp_path / "few.xml", 8_000, condition))
    many = peak_mb(configuration(tmp_path / "many.xml", 32_000, condition))
    assert many < 6 * few
    assert many < 250


@pytest.mark.parametrize("field", ["DestinationHostname", "DestinationHostname|contains"])
def test_memory_is_linear_in_the_values_of_a_rule(tmp_path: Path, field: str) -> None:
    """100,000 values took 1.5 GB once."""
    few = peak_mb(rule(tmp_path / "few.yml", 8_000, field))
    many = peak_mb(rule(tmp_path / "many.yml", 32_000, field))
    assert many < 6 * few
    assert many < 150


@pytest.mark.long
def test_ten_megabytes_of_configuration(tmp_path: Path) -> None:
    path = configuration(tmp_path / "large.xml", 165_000, "is")
    assert path.stat().st_size > 10_000_000
    assert peak_mb(path) < 600


@pytest.mark.long
def test_a_hundred_thousand_values(tmp_path: Path) -> None:
    assert peak_mb(rule(tmp_path / "large.yml", 100_000, "DestinationHostname")) < 250
