"""Until `procwire.connect` is there: a connection to hunt on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import procwire

sys.path.insert(0, str(Path(__file__).parents[1] / "hunts"))


@pytest.fixture(autouse=True)
def connect(monkeypatch: pytest.MonkeyPatch) -> None:
    from ground import connection

    def stand_in(source: Any = None, *, since: Any = None) -> Any:
        del since
        return connection(source)

    if not hasattr(procwire, "connect"):
        monkeypatch.setattr(procwire, "connect", stand_in, raising=False)
