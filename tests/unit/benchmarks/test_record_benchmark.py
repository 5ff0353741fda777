"""The recorder's benchmark: its load does what it says, and its arithmetic is right. No figure is asserted."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

_BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(_BENCHMARKS))
    return {name: importlib.import_module(f"record_{name}") for name in ("workloads", "rates", "costs")}


@pytest.mark.skipif(sys.platform != "linux", reason="the load is for Linux")
def test_load_of_a_count_makes_so_many(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    program = modules["workloads"].Programs.build(tmp_path)
    for kind in ("tcp", "udp"):
        load = program.run(kind, 0, 1, count=100)
        assert (load.made, load.failed, load.events, len(load.pids)) == (100, 0, 200, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="the load is for Linux")
def test_load_with_a_wrong_command_line_fails(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    program = modules["workloads"].Programs.build(tmp_path)
    with pytest.raises(RuntimeError, match="found exit code 2"):
        program.run("tcp", 0, 1)


def test_slowdown_is_of_the_time_a_connection_takes(modules: dict[str, ModuleType]) -> None:
    load = modules["workloads"].Load
    off, on = load(2_000, 0, 1.0, 0.02, [1]), load(1_600, 0, 1.0, 0.02, [2])
    run = modules["rates"].Watched(off, on, 0, 0, used_s=0.032, user_part=0.5, others_pct=0.0, quiet=True)
    assert run.slowdown_pct == pytest.approx(25.0)
    assert (run.off.each_us, run.added_us, run.event_us) == pytest.approx((10.0, 2.5, 10.0))
    assert run.all_pct == pytest.approx(225.0)


def test_slope_is_that_of_the_best_line(modules: dict[str, ModuleType]) -> None:
    slope = modules["costs"].slope
    assert slope([0.0, 1.0, 2.0], [5.0, 7.0, 9.0]) == pytest.approx(2.0)
    assert slope([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 2.0, 1.0]) == pytest.approx(0.0)
    assert slope([1.0], [5.0]) == 0.0
