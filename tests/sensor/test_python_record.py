"""`procwire.record` as root: the eBPF sensor, in a process that gives root up, while this one keeps it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparison import compare
from namespaces import Host
from traffic.witness import Row

import procwire


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which any account may write; pytest's are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        yield path


def rights() -> list[str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("Uid", "Gid", "Cap", "NoNewPrivs", "Umask"))]


def test_traffic_is_recorded_and_the_caller_stays_root(
    folder: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{folder}/state")
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}/run")
    path, before = folder / "a.ndjson", rights()
    truth: list[Row] = []

    def rows() -> list[Row]:
        return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def is_done() -> bool:
        if not truth and list(folder.glob("run/recorder-*.json")):
            truth.extend(host.run("tcp.both_ends", "v4"))
        return bool(truth) and len(rows()) >= len(due())

    def due() -> list[Row]:
        return [row for row in truth if "network_protocol" in row and row.get("record_kind") != "close"]

    result = procwire.record(
        path, sensor="ebpf", dns_lookup=False, where=f"network_namespace_id = {host.id}", stop=is_done
    )
    assert result.ledger.sensor == "ebpf"
    assert result.ledger.is_whole
    difference = compare(due(), rows())
    assert not difference, difference
    assert path.owner() != "root"
    assert os.geteuid() == 0
    assert rights() == before
