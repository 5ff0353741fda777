"""Where the lake is, without it being said and with."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.lake import location


def test_resolve_takes_the_argument_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROCWIRE_LAKE", "s3://bucket/lake/")
    monkeypatch.chdir(tmp_path)
    assert location.resolve("here") == str(tmp_path / "here")
    assert location.resolve() == "s3://bucket/lake"


def test_default_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROCWIRE_LAKE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert location.resolve() == str(tmp_path / "procwire" / "lake")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert location.resolve() == str(tmp_path / ".local" / "share" / "procwire" / "lake")


def test_default_of_root_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that gave up root cannot write into root's home."""
    monkeypatch.delenv("PROCWIRE_LAKE", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert location.resolve() == "/var/lib/procwire/lake"


@pytest.mark.parametrize(
    ("given", "remote"), [("s3://a/b", True), ("az://a", True), ("/var/lake", False), ("a b", False)]
)
def test_is_remote(given: str, remote: bool) -> None:
    assert location.is_remote(given) is remote


def test_file_uri_is_a_folder() -> None:
    assert location.resolve("file:///var/lake") == "/var/lake"
