"""Until `procwire.connect` is there: a connection to hunt on."""

from __future__ import annotations

from typing import Any

import pytest

import procwire
from hunting_ground import connection


@pytest.fixture(autouse=True)
def connect(monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(source: Any = None, *, since: Any = None) -> Any:
        del since
        return connection(source)

    if not hasattr(procwire, "connect"):
        monkeypatch.setattr(procwire, "connect", stand_in, raising=False)
