"""The anchors of a ProcessGuid: they stay where they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from procwire.sources import boot
from procwire.sources.boot import boot_id, boot_time_ns, machine_id

pytestmark = pytest.mark.skipif(not Path("/proc/sys/kernel/random/boot_id").exists(), reason="needs Linux' /proc")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runtime folder, which is not there yet."""
    monkeypatch.setattr(boot, "RUNTIME_FOLDER", tmp_path / "run")
    monkeypatch.setattr(boot, "runtime_folder", lambda: tmp_path / "run")
    return tmp_path / "run"


def shift_clock(monkeypatch: pytest.MonkeyPatch, by_ns: int) -> None:
    """As a correction of the wall clock does."""
    real = time.clock_gettime_ns
    shifts = {time.CLOCK_REALTIME: by_ns}
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: real(clock) + shifts.get(clock, 0))


def test_boot_time_is_now_less_the_time_since() -> None:
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert abs(boot_time_ns() / 1e9 - (time.time() - uptime_s)) < 3_600


def test_boot_time_is_written_once_and_survives_a_clock_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = boot_time_ns()
    assert (folder / "boot").read_text().split() == [boot_id(), str(first)]
    assert (folder / "boot").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in folder.iterdir()] == ["boot"]
    shift_clock(monkeypatch, 5 * 10**9)
    assert boot_time_ns() == first


@pytest.mark.parametrize("text", ["other-boot 17", "", "garbage", "a b c", "\xff"])
def test_anchor_of_another_boot_is_written_again(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "boot").write_text(text)
    now_ns = boot_time_ns()
    assert now_ns > 10**18
    assert (folder / "boot").read_text() == f"{boot_id()} {now_ns}\n"


def test_boot_time_is_computed_where_it_cannot_be_kept(folder: Path) -> None:
    folder.write_text("a file, where the folder should be")
    assert boot_time_ns() > 10**18


def test_own_anchor_is_used_where_the_machine_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in-the-way").touch()
    monkeypatch.setattr(boot, "RUNTIME_FOLDER", tmp_path / "in-the-way" / "run")
    monkeypatch.setattr(boot, "runtime_folder", lambda: tmp_path / "own")
    first = boot_time_ns()
    shift_clock(monkeypatch, 10**9)
    assert boot_time_ns() == first
    assert (tmp_path / "own" / "boot").exists()


def test_machine_id_is_its_first_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine-id"
    path.write_text("ffb12c0300112233445566778899aabb\n")
    monkeypatch.setattr(boot, "_MACHINE_IDS", (tmp_path / "none", path))
    assert machine_id() == 0xFFB12C03
    monkeypatch.setattr(boot, "_MACHINE_IDS", (tmp_path / "none",))
    assert machine_id() == 0
