"""user_name: /etc/passwd first, the system's name service beside the stream."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from enrich_rows import batch, column

from procwire.enrich import UserNames
from procwire.enrich import users as module
from procwire.event import LIVE_SCHEMA

PASSWD = """root:x:0:0:root:/root:/bin/bash
toor:x:0:0:the same account again:/root:/bin/sh
www-data:x:33:33::/var/www:/usr/sbin/nologin
+@netgroup:x:50:::::
broken line
"""


@pytest.fixture
def passwd(tmp_path: Path) -> Path:
    path = tmp_path / "passwd"
    path.write_text(PASSWD)
    return path


@pytest.fixture
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that knows nobody."""

    def getpwuid(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr(module, "pwd", SimpleNamespace(getpwuid=getpwuid))


@pytest.mark.usefixtures("no_service")
@pytest.mark.parametrize("repeat", [1, 20])
def test_uids_have_their_first_account_s_name(passwd: Path, repeat: int) -> None:
    """The same for few rows as for many, which are looked up by distinct uid."""
    rows = [{"user_id": uid} for uid in (0, 33, None, 50, 4711, 2**32 - 1)] * repeat
    named = UserNames(passwd)(batch(*rows))
    assert named.schema == LIVE_SCHEMA
    assert column(named, "user_name") == ["root", "www-data", None, None, None, None] * repeat


@pytest.mark.usefixtures("no_service")
def test_passwd_is_read_again_when_it_changes(passwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procwire.files.watching._LOOK_AGAIN_S", 0.0)
    names = UserNames(passwd)
    assert column(names(batch({"user_id": 4711})), "user_name") == [None]
    passwd.write_text(PASSWD + "new:x:4711:4711::/:/bin/sh\n")
    assert column(names(batch({"user_id": 4711})), "user_name") == ["new"]
    passwd.unlink()
    assert column(names(batch({"user_id": 33})), "user_name") == [None]


def test_the_system_s_own_accounts_have_their_names() -> None:
    account = pwd.getpwuid(os.getuid()).pw_name
    assert column(UserNames()(batch({"user_id": os.getuid()})), "user_name") == [account]


def test_accounts_of_the_name_service_are_found_at_once_if_it_is_quick(
    passwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row of a process of an LDAP account has the name, since a batch waits a moment."""
    monkeypatch.setattr(module, "_WAIT_S", 60.0)
    monkeypatch.setattr(module, "pwd", SimpleNamespace(getpwuid=lambda uid: SimpleNamespace(pw_name=f"ldap-{uid}")))
    named = UserNames(passwd)(batch({"user_id": 5000}, {"user_id": 0}, {"user_id": 5001}))
    assert column(named, "user_name") == ["ldap-5000", "root", "ldap-5001"]


def test_a_name_service_that_hangs_delays_no_more_than_one_batch(passwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wait in vain later batches do not wait; the name comes when it is there."""
    answer = threading.Event()
    waits: list[float] = []

    def getpwuid(uid: int) -> SimpleNamespace:
        assert answer.wait(60)
        return SimpleNamespace(pw_name=f"late-{uid}")

    monkeypatch.setattr(module, "pwd", SimpleNamespace(getpwuid=getpwuid))
    names = UserNames(passwd)
    look_up: Callable[..., list[str | None]] = names._others.look_up

    def noting_wait(uids: list[int | None], wait_s: float) -> list[str | None]:
        waits.append(wait_s)
        return look_up(uids, wait_s)

    monkeypatch.setattr(names._others, "look_up", noting_wait)
    for uid in (5000, 5001, 5000):
        assert column(names(batch({"user_id": uid})), "user_name") == [None]
    assert waits == [module._WAIT_S, 0.0, 0.0]
    answer.set()
    assert look_up([5000, 5001], 60.0) == ["late-5000", "late-5001"]
    assert column(names(batch({"user_id": 5001})), "user_name") == ["late-5001"]
    names.close()
