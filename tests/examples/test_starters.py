"""The starter configurations: without a fault, and what they log of real logs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import procwire
from procwire.rules.parse import load

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "examples" / "configs"
NAMES = ["log-everything.xml", "quiet-workstation.xml", "server-linux.xml", "server-windows.xml"]

# Connections that are logged, by rule: of examples/sysmon.evtx (153 connections of a workstation at rest), of the attacks
# in tests/data/json/mordor, and of the attacked Linux server in tests/data/linux.
EXAMPLE, ATTACKS, LINUX = "examples/sysmon.evtx", "tests/data/json/mordor", "tests/data/linux"
LOGGED: dict[tuple[str, str], dict[str | None, int]] = {}


def logged(config: str, logs: str) -> Counter[str | None]:
    return Counter(procwire.read(ROOT / logs, config=CONFIGS / config)["rule_name"].to_pylist())


def test_every_starter_is_tested_here_and_listed() -> None:
    assert sorted(path.name for path in CONFIGS.iterdir()) == NAMES
    assert all(f"(configs/{name})" in (ROOT / "examples" / "README.md").read_text() for name in NAMES)


@pytest.mark.parametrize("config", NAMES)
def test_starter_has_no_fault(config: str) -> None:
    assert load(CONFIGS / config).findings == ()


@pytest.mark.parametrize(("config", "logs"), LOGGED)
def test_starter_logs_what_it_is_there_to_log(config: str, logs: str) -> None:
    assert logged(config, logs) == LOGGED[config, logs]
