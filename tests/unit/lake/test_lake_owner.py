"""Root reads logs into the machine's own lake, and the recorder, which gave up root, still writes there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from procwire.lake import owner
from procwire.sources.privileges import recording_account

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(owner, "STATE_FOLDER", tmp_path)
    table = tmp_path / "lake" / "connections"
    (table / "_delta_log").mkdir(parents=True)
    (table / "_delta_log" / "0.json").touch()
    (table / "day=2024-03-01").mkdir()
    return tmp_path / "lake"


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*")) if path.is_dir() and not path.is_symlink()}


def test_folders_that_root_made_are_handed_over(lake: Path) -> None:
    owner.hand_over(str(lake))
    assert owners(lake) == {recording_account().pw_uid}
    # Who may write a folder may replace what is in it; a file's own rights are as they were.
    assert (lake / "connections" / "_delta_log" / "0.json").stat().st_uid == 0
    assert lake.parent.stat().st_uid == 0


def test_what_is_another_accounts_stays(lake: Path) -> None:
    os.chown(lake / "connections", 4242, 4242)
    owner.hand_over(str(lake))
    assert owners(lake) == {recording_account().pw_uid, 4242}


def test_a_link_is_not_followed(lake: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (lake / "connections" / "day=2024-03-02").symlink_to(secret)
    owner.hand_over(str(lake))
    assert secret.stat().st_uid == 0
    moved = lake.rename(tmp_path / "moved")
    lake.symlink_to(secret)
    owner.hand_over(str(lake))
    assert (secret.stat().st_uid, moved.is_dir()) == (0, True)


def test_any_lake_of_an_account_stays_its_own(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root makes in it belongs to the owner of its folder."""
    monkeypatch.setattr(owner, "STATE_FOLDER", lake / "none")
    os.chown(lake, 4242, 4242)
    owner.hand_over(str(lake))
    assert owners(lake) == {4242}


def test_a_lake_of_roots_is_left_as_it_is(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.hand_over(str(lake / "connections"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    owner.hand_over(str(lake))
    assert owners(lake) == {0}


def test_without_a_lake_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "STATE_FOLDER", tmp_path)
    owner.hand_over(str(tmp_path / "lake"))
    assert list(tmp_path.iterdir()) == []
