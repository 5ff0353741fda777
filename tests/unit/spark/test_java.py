"""Which Java is taken: what the user chose, else the better known of what lies around."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.spark import java


def home(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Javas; none is chosen."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java, "_FOLDERS", (str(tmp_path / "jvm"),))
    return tmp_path / "jvm"


@pytest.mark.parametrize(
    ("versions", "taken"),
    [(["25.0.1", "21.0.2", "17.0.15"], "17.0.15"), (["1.8.0_402", "21.0.2"], "21.0.2"), (["25", "11.0.1"], None),
     ([], None)],
)  # fmt: skip
def test_what_lies_around(around: Path, versions: list[str], taken: str | None) -> None:
    homes = {version: home(around / version, version) for version in versions}
    assert java.find_java() == (homes[taken] if taken else None)


@pytest.mark.parametrize(("chosen", "counts"), [("21.0.2", True), ("25", False)])
def test_the_chosen_one_counts_if_spark_runs_on_it(
    around: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, counts: bool
) -> None:
    other = home(around / "17", "17.0.15")
    mine = home(tmp_path / "mine", chosen)
    monkeypatch.setenv("JAVA_HOME", str(mine))
    assert java.find_java() == (mine if counts else other)


def test_a_home_without_java_is_none(tmp_path: Path) -> None:
    assert java.java_version(tmp_path) is None
    (tmp_path / "release").write_text('JAVA_VERSION="17"\n')
    assert java.java_version(tmp_path) is None
