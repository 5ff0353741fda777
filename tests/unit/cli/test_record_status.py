"""What `record --status` says where nothing records."""

from __future__ import annotations

import pytest

from procwire.cli.record_status import print_status
from procwire.recorder import status
from procwire.sources import kernel


@pytest.fixture(autouse=True)
def _nothing_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "running_recorders", lambda: iter(()))


def test_status_names_the_capabilities_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "missing_capabilities", lambda: ["CAP_BPF", "CAP_PERFMON"])
    assert print_status(as_json=False) == 1
    expected = "no: lacks CAP_BPF, CAP_PERFMON; run it as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"
    assert f"privileges:             {expected}\n" in capsys.readouterr().out


def test_status_says_that_none_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(kernel, "missing_capabilities", list)
    print_status(as_json=False)
    assert "privileges:             yes\n" in capsys.readouterr().out
