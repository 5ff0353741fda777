"""The account of a recording, as people and as machines read it."""

from __future__ import annotations

import json
from collections import Counter

from procwire.recorder import ConfigurationLedger, OutputLedger, RecordingLedger
from procwire.sources.live import Hook


def ledger() -> RecordingLedger:
    return RecordingLedger(
        "ebpf",
        hooks=[Hook("tp_btf/inet_sock_set_state", True, None), Hook("fexit", False, "EPERM")],
        start_s=1_000.0,
        end_s=1_012.5,
        captured=Counter(connection=1_234, attempt=1, existing=2),
        filtered=7,
        outputs=[OutputLedger("stdout", "table", 1_230), OutputLedger("a.xml", "xml", 1_200, left_out=3, lost=27)],
    )


def test_summary_tells_all_in_a_line_if_nothing_was_lost() -> None:
    short = RecordingLedger(
        "poll", start_s=0.0, end_s=2.0, captured=Counter(connection=3), outputs=[OutputLedger("stdout", "csv", 3)]
    )
    assert short.summary() == "2.0 s: captured 3, filtered 0, written 3 to stdout, lost 0"


def test_summary_tells_kinds_and_losses() -> None:
    full = ledger()
    full.add_losses({"buffer full": 12})
    full.warnings = {"flows evicted": 2}
    assert full.summary().splitlines() == [
        "12.5 s: captured 1,237 (1 attempt, 1,234 connections, 2 existing), filtered 7, "
        "written 1,230 to stdout, 1,200 to a.xml (3 that xml has no form for left out), lost 12",
        "lost: 12 × buffer full; 27 rows not written to a.xml",
        "warnings: 2 × flows evicted",
    ]


def test_summary_tells_of_events_without_their_process() -> None:
    full = ledger()
    assert full.add_unattributed({"undescribed": 3, "unseen": 0}) == {"undescribed": 3}
    assert full.add_unattributed({"undescribed": 1_003, "unseen": 1}) == {"undescribed": 1_000, "unseen": 1}
    assert "\nevents without their process: 1,003 × undescribed; 1 × unseen" in full.summary()
    assert full.to_dict()["unattributed"] == {"undescribed": 1_003, "unseen": 1}


def test_rules_are_reported() -> None:
    ruled = ledger()
    ruled.filtered_by_rules = 1_005
    ruled.configuration = ConfigurationLedger("a.xml", "4.90", loaded=2, refused=1, loaded_at="2026-01-02T03:04:05Z")
    first, second, *_ = ruled.summary().splitlines()
    assert "filtered 7 (1,005 by rules), written" in first
    assert ", schema 4.90, loaded 2 times, refused once, last at 2026-01-02T03:04:05Z" in ruled.summary()
    assert "rules: a.xml, " in ruled.summary()
    assert second.startswith("lost: ")
    assert ruled.to_dict()["configuration"] == {
        "path": "a.xml", "schema": "4.90", "loaded": 2, "refused": 1, "loaded_at": "2026-01-02T03:04:05Z"
    }  # fmt: skip


def test_losses_are_reported_by_difference() -> None:
    full = ledger()
    assert full.add_losses({"a": 2, "b": 0}) == 2
    assert full.add_losses({"a": 2, "b": 3}) == 3
    assert full.add_losses({"a": 2, "b": 3}) == 0
    assert (full.events_lost, full.rows_lost) == (5, 27)


def test_json_has_everything() -> None:
    found = json.loads(json.dumps(ledger().to_dict()))
    assert found["captured"] == {"connection": 1_234, "attempt": 1, "existing": 2}
    assert found["hooks"][1] == {"name": "fexit", "attached": False, "reason": "EPERM"}
    assert found["outputs"][1] == {"name": "a.xml", "format": "xml", "written": 1_200, "left_out": 3, "lost": 27}
    assert (found["start_time"], found["end_time"]) == ("1970-01-01T00:16:40Z", "1970-01-01T00:16:52Z")
