"""What a log is known by, and when it is made: beside the reading, unless the log may be known already."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from threading import Event

import pytest
from blake3 import blake3

from procwire.errors import LakeError
from procwire.lake import ingest as module
from procwire.lake.digests import copied, digest_of
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger


def test_digest_is_blake3_of_all_bytes(tmp_path: Path) -> None:
    """Of several pieces, and a last one that is not full; the same from a stream, which is copied."""
    content = bytes(range(256)) * 5_000
    file = tmp_path / "log"
    file.write_bytes(content)
    copy = io.BytesIO()
    assert digest_of(str(file)) == copied(io.BytesIO(content), copy)[0] == blake3(content).hexdigest()
    assert copy.getvalue() == content


def test_digest_ends_when_it_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x")
    stopped = Event()
    stopped.set()
    with pytest.raises(OSError, match="stopped"):
        digest_of(str(file), stopped)


def test_log_of_a_new_size_is_known_afterwards(lake: Lake, example_log: Path, tmp_path: Path) -> None:
    """Its digest is made while it is read; the copy beside it, of the same size, waits for it."""
    copy, longer = tmp_path / "copy.evtx", tmp_path / "longer.evtx"
    shutil.copy(example_log, copy)
    longer.write_bytes(example_log.read_bytes() + bytes(1 << 16))
    ingest = Ingest(lake)
    ingest.run([example_log, longer, copy], ledger=Ledger())
    digests = [f"log:{digest_of(str(log))}" for log in (example_log, longer)]
    assert [log.source for log in ingest.logs] == digests
    assert ingest.already == [str(copy)]
    lake.table.reload()
    assert lake.table.transaction_version(digests[0]) == 153


def test_log_that_cannot_be_read_twice_adds_nothing(
    lake: Lake, example_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its identity its rows would be doubled by the next reading."""

    def fail(*_: object) -> str:
        raise OSError("Input/output error")

    monkeypatch.setattr(module, "digest_of", fail)
    with pytest.raises(LakeError, match=r"sysmon.evtx: cannot compute its digest: Input/output error"):
        Ingest(lake).run([example_log], ledger=Ledger())
    assert lake.info().events == 0


def test_file_that_is_gone_is_reported_and_not_known(lake: Lake, tmp_path: Path) -> None:
    ledger = Ledger()
    Ingest(lake).run([tmp_path / "none.evtx"], ledger=ledger)
    assert [bool(file.error) for file in ledger.files] == [True]
    assert lake.info().readings == []
