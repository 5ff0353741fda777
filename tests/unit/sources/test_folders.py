"""Where a recorder keeps things: the service's folders, root's, a user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procwire.sources.folders import runtime_folder, state_folder

VARIABLES = ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    return monkeypatch


def test_root_has_the_machines_folders(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(os, "geteuid", lambda: 0)
    bare.setenv("XDG_RUNTIME_DIR", "/run/user/0")
    assert (runtime_folder(), state_folder()) == (Path("/run/procwire"), Path("/var/lib/procwire"))


def test_user_has_their_own(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(os, "geteuid", lambda: 1_000)
    assert runtime_folder().name == "procwire-1000"
    assert state_folder() == Path("/home/someone/.local/state/procwire")
    bare.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    bare.setenv("XDG_STATE_HOME", "/home/someone/state")
    assert (runtime_folder(), state_folder()) == (Path("/run/user/1000/procwire"), Path("/home/someone/state/procwire"))


def test_service_has_those_that_systemd_makes(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
    bare.setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
    assert (runtime_folder(), state_folder()) == (Path("/run/a"), Path("/var/lib/a"))
