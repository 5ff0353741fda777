"""Giving up root, in a process of its own, as the kernel reports each of its threads."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from typing import Any

import pytest

from procwire.errors import UsageError
from procwire.sources.privileges import recording_account

needs_root = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")

REPORTED = """
import json, os, pathlib, threading
from procwire.sources.privileges import *
def reported():
    keep = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    texts = [path.read_text() for path in pathlib.Path("/proc/self/task").glob("*/status")]
    found = [dict(line.split(":", 1) for line in text.splitlines() if ":" in line) for text in texts]
    print(json.dumps([{name: one[name].strip() for name in keep} for one in found]))
"""
NONE = f"{0:016x}"


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", REPORTED + script], capture_output=True, text=True, check=False)


def threads(script: str) -> list[dict[str, Any]]:
    done = run(script)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@needs_root
def test_nothing_is_left_in_any_thread() -> None:
    """Arrow begins threads when it is imported, between the two steps."""
    nobody = pwd.getpwnam("nobody")
    found = threads("lock_privileges(); import pyarrow; drop_privileges(recording_account('nobody')); reported()")
    assert len(found) > 1
    for thread in found:
        assert {thread[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NONE}
        assert thread["NoNewPrivs"] == "1"
        assert set(thread["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(thread["Gid"].split()) == {str(nobody.pw_gid)}
        assert set(thread["Groups"].split()) <= {str(nobody.pw_gid)}


@needs_root
def test_what_is_kept_is_kept_by_one_thread_only() -> None:
    found = threads(
        "lock_privileges(); import pyarrow\n"
        "drop_privileges(recording_account('nobody'), (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH)); reported()"
    )
    kept = f"{1 << 19 | 1 << 2:016x}"
    assert sorted(thread["CapEff"] for thread in found) == sorted([kept, *[NONE] * (len(found) - 1)])
    assert {thread["CapBnd"] for thread in found} == {thread["CapInh"] for thread in found} == {NONE}


@needs_root
def test_root_does_not_come_back() -> None:
    script = "lock_privileges(); drop_privileges(recording_account('nobody'))\n"
    assert "PermissionError" in run(script + "os.setuid(0)").stderr
    assert "PermissionError" in run(script + "open('/etc/shadow')").stderr


@needs_root
def test_lock_that_comes_too_late_is_noticed() -> None:
    done = run(
        "thread = threading.Thread(target=threading.Event().wait, daemon=True); thread.start()\n"
        "lock_privileges(); drop_privileges(recording_account('nobody'))"
    )
    assert "RecordError: cannot give up privileges: thread" in done.stderr
    assert "keeps its NoNewPrivs" in done.stderr


@needs_root
def test_who_is_not_root_has_no_capability_from_the_lock_on() -> None:
    """As a service may start: an account with capabilities of its own."""
    [thread] = threads(
        "import ctypes; libc = ctypes.CDLL(None); libc.prctl(8, 1, 0, 0, 0)\n"
        "from procwire.sources import privileges\n"
        "os.setresuid(65534, 65534, 65534); privileges._set_capabilities((12,)); lock_privileges(); reported()"
    )
    assert {thread[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {NONE}
    assert thread["NoNewPrivs"] == "1"


@needs_root
def test_one_thread_keeps_its_rights_for_one_call() -> None:
    """Root of a container that cannot become another account."""
    done = run(
        "import ctypes; libc = ctypes.CDLL(None)\n"
        "from procwire.sources import privileges; from procwire.sources.rights import KeptRights\n"
        "privileges._set_capabilities((12,)); rights = KeptRights(); lock_privileges(); import pyarrow\n"
        "own = lambda: pathlib.Path('/proc/thread-self/status').read_text().partition('CapEff:')[2].split()[0]\n"
        "print(can_change_account(), own(), rights.begin(own)()); reported()"
    )
    first, found = done.stdout.splitlines()
    assert first == f"False {NONE} {1 << 12:016x}"
    assert {thread[name] for thread in json.loads(found) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {NONE}


def test_account_is_one_without_privileges() -> None:
    assert recording_account().pw_name in ("procwire", "nobody")
    assert recording_account("nobody").pw_name == "nobody"
    with pytest.raises(UsageError, match="who is root"):
        recording_account("root")
    with pytest.raises(UsageError, match="found no account nobody-of-that-name, expected one to record as"):
        recording_account("nobody-of-that-name")
