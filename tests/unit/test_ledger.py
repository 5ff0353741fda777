"""The ledger: totals, verdicts and texts of ledgers built by hand."""

from __future__ import annotations

import json

from procwire.ledger import READ_ERROR, Example, FileLedger, Ledger, Tally


def read_file(name: str = "a.evtx") -> FileLedger:
    return FileLedger(name, format="evtx", bytes=100, records=10, events=3, other_events=7)


def damaged_file() -> FileLedger:
    tally = Tally(2, [Example(5, None, "bad checksum"), Example(9, 3, "cut")])
    return FileLedger("b.evtx", format="evtx", records=4, events=1, recovered=1, damage={"checksum": tally})


def unread_file(*, named: bool = True) -> FileLedger:
    return FileLedger("c.txt", error="found text, expected a log", named=named)


def test_totals_add_up() -> None:
    ledger = Ledger([read_file(), damaged_file()])
    assert (ledger.records, ledger.events, ledger.recovered, ledger.bytes) == (14, 4, 1, 100)
    assert ledger.damage == {"checksum": 2}


def test_nothing_read_without_any_readable_input() -> None:
    assert Ledger().nothing_read
    assert Ledger([unread_file()]).nothing_read
    assert not Ledger([unread_file(), read_file()]).nothing_read


def test_damage_counts_unread_inputs_only_if_named() -> None:
    """A folder may hold other files; what the user named must be a log."""
    assert not Ledger([read_file()]).damaged
    assert not Ledger([read_file(), unread_file(named=False)]).damaged
    assert Ledger([read_file(), unread_file()]).damaged
    assert Ledger([damaged_file()]).damaged


def test_summary_is_one_line_when_all_is_well() -> None:
    assert Ledger([read_file()]).summary() == "1 file, 10 records, 3 network connections, 7 other Sysmon events"


def test_summary_tells_damage_and_what_was_passed_over() -> None:
    ledger = Ledger([read_file(), damaged_file(), unread_file(), unread_file(named=False)])
    first, second = ledger.summary().splitlines()
    assert "1 of them recovered" in first
    assert "1 file without a log skipped" in first
    assert second == "damage: 2 × checksum; c.txt: found text, expected a log"


def test_summary_names_what_was_not_read_to_its_end_and_what_was_not_followed() -> None:
    """With the reason: the message names the option that allows more."""
    cut = FileLedger("d.gz", format="json", damage={READ_ERROR: Tally(1, [Example(7, None, "unpacks to too much")])})
    left_out = [FileLedger(f"link{number}", not_followed="a link to a folder") for number in range(12)]
    ledger = Ledger([damaged_file(), cut, FileLedger("e", error="Permission denied", named=False, unreadable=True),
                     *left_out])  # fmt: skip
    assert ledger.summary().splitlines()[0].startswith("2 files")
    assert ledger.summary().splitlines()[1:] == [
        "damage: 2 × checksum; e: Permission denied; d.gz: read error at offset 7: unpacks to too much",
        "not followed: " + "".join(f"link{number}: a link to a folder; " for number in range(10)) + "2 more",
    ]
    assert ledger.damaged
    assert not Ledger([read_file(), *left_out]).damaged
    assert Ledger(left_out).nothing_read


def test_json_holds_totals_and_places() -> None:
    document = json.loads(Ledger([damaged_file()]).to_json())
    assert document["totals"]["damage"] == {"checksum": 2}
    examples = document["files"][0]["damage"]["checksum"]["examples"]
    assert examples[1] == {"offset": 9, "line": 3, "detail": "cut"}


def test_account_of_the_core_becomes_a_file() -> None:
    account = {
        "name": "x", "format": "xml", "bytes": 1, "records": 2, "events": 1, "recovered": 0, "other_events": 1,
        "other_providers": 0, "damage": {"cut": (1, [(7, 2, "end of input")])}, "warnings": {}, "error": None,
    }  # fmt: skip
    file = FileLedger.from_core(account)
    assert str(file.damage["cut"].examples[0]) == "line 2, offset 7: end of input"
