"""Rules that are reloaded: when, and what becomes of a file that cannot be used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from fakes import FakeOutput, FakeSource, live

from procwire.errors import ConfigurationError
from procwire.recorder import Changes, ConfigurationLedger, LiveRules, Recorder, RecordingLedger
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import load


def written(port: int, name: str = "") -> str:
    return (
        '<Sysmon schemaversion="4.90"><EventFiltering><NetworkConnect onmatch="include">'
        f'<DestinationPort name="{name}">{port}</DestinationPort>'
        "</NetworkConnect></EventFiltering></Sysmon>"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.xml"
    path.write_text(written(1, "first"))
    return path


def replace(path: Path, text: str) -> None:
    """As most editors do."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


# Changes


def looking(path: Path) -> Changes:
    return Changes(path, look_again_s=0)


def test_no_change_without_one(path: Path) -> None:
    changed = looking(path)
    assert [changed() for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("edit", [replace, Path.write_text])
def test_change_is_reported_once_and_when_the_file_stands_still(path: Path, edit: object) -> None:
    changed = looking(path)
    edit(path, written(22))  # type: ignore[operator]
    assert [changed() for _ in range(4)] == [False, True, False, False]


def test_file_that_grows_is_not_reported(path: Path) -> None:
    """Its editor is still at it."""
    changed = looking(path)
    for size in range(5):
        path.write_text("<" * size)
        assert not changed()
    assert changed()


def test_file_of_the_same_time_and_size_is_another_by_its_inode(path: Path) -> None:
    changed = looking(path)
    before = path.stat()
    replace(path, written(2, "first"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert [changed() for _ in range(3)] == [False, True, False]


def test_file_that_goes_and_comes_back_is_two_changes(path: Path) -> None:
    changed = looking(path)
    path.unlink()
    assert [changed() for _ in range(3)] == [False, True, False]
    path.write_text(written(1))
    assert [changed() for _ in range(3)] == [False, True, False]


def test_change_that_was_taken_back_is_none(path: Path) -> None:
    changed = looking(path)
    path.rename(path.with_suffix(".old"))
    assert not changed()
    path.with_suffix(".old").rename(path)
    assert [changed() for _ in range(3)] == [False] * 3


def test_settled_change_is_not_reported(path: Path) -> None:
    changed = looking(path)
    replace(path, written(2))
    changed.settle()
    assert [changed() for _ in range(3)] == [False] * 3


def test_pipe_has_no_changes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    changed = looking(path)
    os.utime(path, (0, 0))
    assert [changed() for _ in range(3)] == [False] * 3


def test_file_is_not_looked_at_again_at_once(path: Path) -> None:
    changed = Changes(path, look_again_s=3_600)
    replace(path, written(2))
    assert [changed() for _ in range(3)] == [False] * 3


# Rules


class Fixed:
    """Rules of a file, requested when `asked` says so, and what they reported."""

    def __init__(self, path: Path, look_again_s: float = 0) -> None:
        self.asked = False
        self.said: list[str] = []
        self.ledger = ConfigurationLedger(str(path))
        self.rules = LiveRules(
            lambda: load(path),
            ConfigFilter,
            changes=Changes(path, look_again_s=look_again_s),
            asked=self._take,
            ledger=self.ledger,
            tell=self._tell,
            complain=self.said.append,
        )

    def _take(self) -> bool:
        asked, self.asked = self.asked, False
        return asked

    def _tell(self, configuration: Configuration) -> None:
        [element] = configuration.network_connect
        self.said.append(f"port {next(element.filters).value}")

    def ask(self) -> None:
        self.asked = True
        self.rules.refresh()

    def names(self, *ports: int) -> list[tuple[int, str | None]]:
        found = self.rules(live(*({"dst_port": port} for port in ports)))
        return [(row["dst_port"], row["rule_name"]) for row in found.to_pylist()]


def test_rules_are_reloaded_when_asked_for(path: Path) -> None:
    """Changed or not."""
    fixed = Fixed(path)
    assert fixed.names(1, 2) == [(1, "first")]
    replace(path, written(2, "second"))
    fixed.ask()
    assert fixed.names(1, 2) == [(2, "second")]
    fixed.ask()
    assert fixed.said == ["port 1", "port 2", "port 2"]
    assert (fixed.ledger.loaded, fixed.ledger.refused, fixed.ledger.schema) == (3, 0, "4.90")


def test_rules_are_reloaded_once_for_a_change(path: Path) -> None:
    fixed = Fixed(path)
    replace(path, written(2, "second"))
    for _ in range(5):
        fixed.rules.refresh()
    assert fixed.names(1, 2) == [(2, "second")]
    assert fixed.ledger.loaded == 2


def test_file_with_errors_is_refused_once_and_the_old_rules_stay(path: Path) -> None:
    fixed = Fixed(path)
    replace(path, written(2).replace("DestinationPort", "DestinationPrt").replace("include", "includ"))
    for _ in range(5):
        fixed.rules.refresh()
    assert fixed.names(1, 2) == [(1, "first")]
    _, *errors, last = fixed.said
    assert len(errors) == 2
    assert all(line.startswith(f"{path}:1:") for line in errors)
    assert last == f"{path} is refused, the rules loaded at {fixed.ledger.loaded_at} stay"
    replace(path, written(2, "second"))
    for _ in range(5):
        fixed.rules.refresh()
    assert fixed.names(1, 2) == [(2, "second")]
    assert (fixed.ledger.loaded, fixed.ledger.refused) == (2, 1)


def test_file_that_is_gone_is_refused(path: Path) -> None:
    fixed = Fixed(path)
    path.unlink()
    fixed.ask()
    assert fixed.said[1] == f"cannot read {path}: No such file or directory"
    assert fixed.names(1) == [(1, "first")]


def test_first_file_must_be_a_good_one(path: Path) -> None:
    path.write_text("<Sysmon")
    with pytest.raises(ConfigurationError, match=r"rules\.xml:1:"):
        Fixed(path)


def test_dns_lookup_may_change(path: Path) -> None:
    fixed = Fixed(path)
    assert fixed.rules.dns_lookup
    replace(path, written(1).replace("<EventF", "<DnsLookup>False</DnsLookup><EventF"))
    fixed.ask()
    assert not fixed.rules.dns_lookup
    assert fixed.rules(live({"dst_port": 1, "dst_host_name": "a"})).column("dst_host_name").to_pylist() == [None]


def test_recording_changes_its_rules_between_two_batches(path: Path) -> None:
    """Every event is decided by the rules of its batch, none twice, none by neither."""

    class Editing(FakeSource):
        def step(self, timeout_s: float) -> pa.RecordBatch | None:
            if self.steps == 2:
                replace(path, written(2, "second"))
            fixed.asked = self.steps == 4
            return super().step(timeout_s)

    # So long that only `asked` has it loaded.
    fixed = Fixed(path, look_again_s=3_600)
    both = live({"dst_port": 1}, {"dst_port": 2})
    source, output, ledger = Editing(*[both] * 8), FakeOutput(), RecordingLedger("fake")
    Recorder(
        source, [output], enrich=(), rules=fixed.rules, envelope=lambda batch: batch, ledger=ledger,
        on_status=lambda _: None, between_batches=fixed.rules.refresh,
    ).run(lambda: not source.batches)  # fmt: skip
    shown_text = [(row["dst_port"], row["rule_name"]) for row in output.rows]
    assert shown_text == [(1, "first")] * 5 + [(2, "second")] * 3
    assert (ledger.captured.total(), ledger.filtered, ledger.filtered_by_rules) == (16, 8, 8)


def test_loading_is_reported_with_its_time(path: Path) -> None:
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ledger = Fixed(path).ledger
    assert before <= ledger.loaded_at
    assert str(ledger) == f"{path}, schema 4.90, loaded once, last at {ledger.loaded_at}"
