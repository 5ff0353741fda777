"""Every example runs, and says what it is there to say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPECTED = {
    "convert.sh": "connections.parquet",
    "ledger.py": "× bad chunk, first at offset 462848",
    "networks.py": "40.64.0.0/10: 2 connections",
    "traffic.py": "made traffic for 1 s",
    "top_talkers.py": "│ svchost.exe         │        36 │",
}


def test_every_example_is_run_here() -> None:
    assert {path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".sh")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_says_what_it_is_there_to_say(name: str) -> None:
    path = ROOT / "examples" / name
    command = [sys.executable, str(path)] if path.suffix == ".py" else ["bash", str(path)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert EXPECTED[name] in done.stdout
