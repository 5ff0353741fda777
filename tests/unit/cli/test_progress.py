"""Progress: nothing for a short reading, a line that goes away for a long one."""

from __future__ import annotations

import pytest

from procwire.cli import progress


def test_short_reading_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.ProgressLine() as line:
        line.update(10, 100)
    assert capsys.readouterr() == ("", "")


def test_long_reading_shows_bytes_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the total is not known."""
    monkeypatch.setattr(progress, "_PATIENCE_S", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.ProgressLine() as line:
        line.update(10, None)
        line.update(50_000_000, 100_000_000)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "50.0/100.0 MB" in shown.err
