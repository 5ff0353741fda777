"""`procwire guid`: the parts of a GUID in words and in JSON."""

from __future__ import annotations

import json

import pytest

from command_line import Result, invoke

LUID = "{A98268C1-957F-5ACD-0000-0010EB030000}"


def run(*arguments: str) -> Result:
    return invoke("guid", *arguments)


def test_luid_reads_in_words() -> None:
    assert run(LUID).stdout == (
        "{A98268C1-957F-5ACD-0000-0010EB030000}\n"
        "  machine id     0xA98268C1\n"
        "  process start  2018-04-11T04:56:31Z\n"
        "  key            0x3EB10000000\n"
        "  scheme         LUID, as Sysmon up to 10.42 writes it\n"
        "  LUID           0x3EB\n"
    )


@pytest.mark.parametrize(
    ("guid", "parts"),
    [
        (LUID, {"scheme": "luid", "luid": "0x3EB"}),
        ("{83989F29-3374-5F6B-0100-000000000301}", {"scheme": "start-key", "boot_id": 259, "sequence": 1}),
        ("32e6d9ce-e73d-628d-d800-000000001200", {"scheme": "start-key", "boot_id": 18, "sequence": 216}),
        ("{A57649D1-A03B-61A6-2F23-8D0000000000}", {"scheme": None, "key": "0x8D232F"}),
        ("{2424faa4-a3f4-616c-e1b4-2270fe550000}", {"scheme": "linux", "key": "0x55FE7022B4E1"}),
    ],
)
def test_scheme_is_reported_by_the_key(guid: str, parts: dict[str, str | int | None]) -> None:
    """Linux's key has the LUID's mark by chance: bit 28 of an address."""
    (found,) = json.loads(run(guid, "--to", "json").stdout)
    assert parts.items() <= found.items()
    assert found["process_guid"] == "{" + guid.strip("{}").upper() + "}"


def test_several_guids_are_set_apart() -> None:
    assert run(LUID, LUID).stdout.count("\n\n") == 1
    assert len(json.loads(run(LUID, LUID, "--to", "json").stdout)) == 2


@pytest.mark.parametrize("guid", ["x", "", "{A98268C1-957F-5ACD-0000-0010EB03000}", "\x1b[2J"])
def test_bad_guid_gives_2(guid: str) -> None:
    result = run(LUID, guid)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected a GUID" in result.stderr
    assert "\x1b" not in result.stderr
