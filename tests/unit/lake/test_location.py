"""Where the lake is, without it being said and with."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from procwire.errors import UsageError
from procwire.lake import Lake, location
from procwire.sources import folders


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


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty environment, on a machine whose own lake would be in the folder that this returns."""
    for name in ("PROCWIRE_LAKE", "XDG_DATA_HOME", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(location, "STATE_FOLDER", tmp_path / "state")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return tmp_path / "state" / "lake"


@pytest.mark.usefixtures("bare")
def test_a_relative_data_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the XDG specification says; else the lake would be where one happens to stand."""
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert location.resolve() == str(tmp_path / "home" / ".local" / "share" / "procwire" / "lake")


@pytest.mark.usefixtures("bare")
def test_without_a_home_the_lake_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers, whose accounts are numbers."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    for ask in (location.resolve, folders.state_folder):
        with pytest.raises(UsageError, match="found no home of user 1000, expected one: HOME names it"):
            ask()
    assert location.resolve("/lake") == "/lake"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [("", "found an empty location of a lake"), ("~nosuchuser/lake", "found no home folder for ~nosuch")],
)
def test_a_name_that_cannot_be_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        location.resolve(name)


def test_without_another_lake_none_is_named(bare: Path) -> None:
    assert not bare.exists()
    assert location.other_lakes(None) == ""


def test_a_user_without_a_lake_is_pointed_to_the_machines(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "connections").mkdir(parents=True)
    with pytest.raises(UsageError, match=rf"found no lake at .*home.* fills it\. The machine has one: --lake {bare}$"):
        Lake.open()
    # Who names a lake means no other.
    assert location.other_lakes("elsewhere") == ""
    monkeypatch.setenv("PROCWIRE_LAKE", "elsewhere")
    assert location.other_lakes(None) == ""


def test_a_user_who_may_not_look_gets_a_hint(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert location.other_lakes(None) == f". The machine's own, {bare}, is closed to this account: query it with sudo"


def test_root_without_a_lake_is_pointed_to_the_users(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "alice")
    user = SimpleNamespace(pw_name="alice", pw_uid=1000, pw_dir=str(tmp_path / "alice"))
    monkeypatch.setattr(pwd, "getpwnam", {"alice": user}.__getitem__)
    assert location.resolve() == str(bare)
    assert location.other_lakes(None) == ""
    own = tmp_path / "alice" / ".local" / "share" / "procwire" / "lake"
    (own / "connections").mkdir(parents=True)
    assert location.other_lakes(None) == f". alice has one: --lake {own}, or without sudo"
    monkeypatch.setenv("SUDO_USER", "nobody here")
    assert location.other_lakes(None) == ""
