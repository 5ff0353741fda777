"""Small files that procwire looks at on its way: hunts, the system's lists, status files, whatever they hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from command_line import invoke
from procwire.cli.record_status import print_status
from procwire.enrich.ports import PortNames
from procwire.enrich.users import _parse_passwd
from procwire.errors import UsageError
from procwire.files.watching import Watched
from procwire.hunts import find, load
from procwire.recorder import status
from procwire.recorder.status import running_recorders
from procwire.sources.boot import boot_id
from procwire.sources.processes import start_ticks

HUNT = "-- A hunt\n--\n-- Columns:\n--   n  integer  A number\nSELECT 1 AS n\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"bad\.sql:1: found no comment"),
        (b"\xff\xfe-\0-\0", "found bytes that are not UTF-8, expected a hunt"),
        (b"\0" * 100, r"bad\.sql:1: found no comment"),
        (b"-" * (1 << 20), r"bad\.sql:1: found 1,048,57\d characters in a line of the header, expected 1,000 at most"),
        (b" " * ((1 << 20) + 1), "found more than 1,048,576 bytes, expected 1,048,576 at most"),
        (
            HUNT.replace("A number", f"A{chr(32) * 900_000}B").encode(),
            r"bad\.sql:4: found 900,\d+ characters in a line",
        ),
        (HUNT.replace("integer", "whole").encode(), r"bad\.sql:4: found type 'whole', expected one of"),
        (HUNT.replace("Columns", f"Parameters:\n--   n  integer = {'9' * 900}  A\n--\n-- Columns").encode(), None),
    ],
)
def test_a_hostile_hunt_is_an_error_with_its_file(tmp_path: Path, data: bytes, reason: str | None) -> None:
    (tmp_path / "bad.sql").write_bytes(data)
    if reason is None:
        assert find("bad", load([tmp_path]))
    else:
        with pytest.raises(UsageError, match=reason):
            find("bad", load([tmp_path]))


def test_a_hunt_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "bad.sql").mkdir()
    with pytest.raises(UsageError, match=r"^cannot read .*bad\.sql: Is a directory$"):
        find("bad", load([tmp_path]))


def test_the_systems_lists_may_hold_anything(tmp_path: Path) -> None:
    digits = "9" * 5000
    services = tmp_path / "services"
    services.write_bytes(f"a {digits}/tcp\nb 80/tcp\nc /\nd\n٣ ٣/tcp\n".encode() + b"\xff\0\n")
    assert PortNames(services)._names[80].as_py() == "b"
    assert _parse_passwd(f"a:x:{digits}:\nb:x:7:\nc\n::\n") == {7: "b"}
    # Too large, a folder, or not there: as if it were empty.
    with (tmp_path / "large").open("wb") as file:
        file.truncate(17 << 20)
    for name in ("large", ".", "nothing"):
        assert Watched(tmp_path / name, len).parsed == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        "null",
        "{}",
        '{"process_id": 1}',
        "[" * 100_000,
        "9" * 5000,
        '{"boot_id": []}',
        "\0",
        " " * (2 << 20),
    ],
)
def test_a_status_file_that_is_none_is_no_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(status, "RUNTIME_FOLDER", tmp_path)
    monkeypatch.setattr(status, "runtime_folder", lambda: tmp_path)
    (tmp_path / "recorder-1.json").write_text(text)
    assert list(running_recorders()) == []


def test_a_status_file_of_another_shape_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says who records, if nothing else."""
    monkeypatch.setattr(status, "RUNTIME_FOLDER", tmp_path)
    monkeypatch.setattr(status, "runtime_folder", lambda: tmp_path)
    state = {"process_id": os.getpid(), "start_ticks": start_ticks(os.getpid()), "boot_id": boot_id(), "hooks": 5}
    (tmp_path / f"recorder-{os.getpid()}.json").write_text(json.dumps(state))
    assert print_status(as_json=False) == 0
    assert capsys.readouterr().out.startswith(f"process {os.getpid()} records; its state cannot be shown: ")


def test_examples_of_a_rule_may_hold_anything(tmp_path: Path) -> None:

    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: A\nlogsource:\n  category: network_connection\ndetection:\n  s:\n    Image: a\n  condition: s\n"
    )
    for text in (
        "- &a [*a]",
        "- match: true\n  event: {UtcTime: 2024-13-45}",
        "- {match: true, event: {5: 5}}",
        "[" * 500,
    ):
        (tmp_path / "rule.test.yml").write_text(text)
        result = invoke("sigma", "test", str(rule))
        assert result.exit_code == 2, text
