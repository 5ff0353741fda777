"""The starter configurations: without a fault, and what they log of real logs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import procwire
from procwire.sysmon.check import check
from procwire.sysmon.parse import load

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "examples" / "configs"
NAMES = ["log-everything.xml", "quiet-workstation.xml", "server-linux.xml", "server-windows.xml"]

# 153 connections of a workstation at rest; attacks of many kinds; an attacked Linux server.
EXAMPLE, ATTACKS, LINUX = "examples/sysmon.evtx", "tests/data/json/mordor", "tests/data/linux"
LOGGED = {
    ("log-everything.xml", EXAMPLE): {"": 153},
    ("log-everything.xml", ATTACKS): {"": 829},
    ("log-everything.xml", LINUX): {"": 6},
    ("quiet-workstation.xml", EXAMPLE): {},
    ("quiet-workstation.xml", ATTACKS): {
        "Remote Services": 195, "Inbound connection": 116, "Command and Scripting Interpreter": 104,
        "Process Injection": 40, "Steal or Forge Kerberos Tickets": 14, "Unknown process": 10,
    },
    ("quiet-workstation.xml", LINUX): {},
    ("server-windows.xml", EXAMPLE): {"Outbound": 115},
    ("server-windows.xml", ATTACKS): {
        "Remote Services": 253, "Outbound": 168, "Command and Scripting Interpreter": 104, "Web Shell": 16,
    },
    ("server-windows.xml", LINUX): {"Outbound": 6},
    ("server-linux.xml", EXAMPLE): {"Outbound": 124},
    ("server-linux.xml", ATTACKS): {"Outbound": 300, "Remote Services": 208, "Cloud Instance Metadata API": 8},
    ("server-linux.xml", LINUX): {"Outbound": 4, "Web Shell": 2},
}  # fmt: skip
"""Configuration and log, to the connections that are logged, by the rule's name without the technique's number."""


def logged(config: str, logs: str) -> Counter[str]:
    names = procwire.read(ROOT / logs, config=CONFIGS / config)["rule_name"].to_pylist()
    return Counter((name or "").rpartition("technique_name=")[2] for name in names)


def test_every_starter_is_tested_here_and_listed() -> None:
    assert sorted(path.name for path in CONFIGS.iterdir()) == NAMES
    assert all(f"(configs/{name})" in (ROOT / "examples" / "README.md").read_text() for name in NAMES)


@pytest.mark.parametrize("config", NAMES)
def test_starter_has_no_fault(config: str) -> None:
    configuration = load(CONFIGS / config)
    assert configuration.findings == ()
    assert check(configuration) == ()


@pytest.mark.parametrize(("config", "logs"), LOGGED)
def test_starter_logs_what_it_is_there_to_log(config: str, logs: str) -> None:
    assert logged(config, logs) == LOGGED[config, logs]
