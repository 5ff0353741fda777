"""A lake that somebody damaged, or forged: each answer is right, or an error that names the file; verify finds it."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import procwire
from command_line import Result, invoke
from event_rows import BatchOf
from procwire.errors import ProcwireError
from procwire.event import EVENTS, SCHEMA
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake, verify_tables
from procwire.ledger import Ledger
from procwire.sinks import open_sink

START = datetime(2024, 3, 1, tzinfo=UTC)
FLIPS = 120


def run(*arguments: str | Path) -> Result:
    return invoke(*map(str, arguments))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, batch_of: BatchOf) -> Path:
    """A lake with every table, compact days and others."""
    folder = tmp_path_factory.mktemp("made")
    for number in range(3):
        body = b""
        for event in EVENTS:
            log = folder / "log.part"
            times = [START + timedelta(hours=20 * number, seconds=second) for second in range(5)]
            rows = [
                {
                    "event_creation_time": time,
                    "event_recorded_time": time,
                    "record_id": 100 * number + 10 * place + event.id % 7,
                    "computer_name": "WS-1",
                    "provider_name": "Microsoft-Windows-Sysmon",
                    "channel": "Sysmon",
                    "process_guid": "{A98268C1-957F-5ACD-0000-0010EB030000}",
                    "process_command_line": f"program {place}",
                    "dns_query_name": f"host{place}.example",
                }
                for place, time in enumerate(times)
            ]
            kept = [{name: value for name, value in row.items() if name in event.schema.names} for row in rows]
            with log.open("wb") as file:
                sink = open_sink("xml", file, event.schema)
                sink.write(pa.RecordBatch.from_pylist(kept, event.schema))
                sink.close()
            body += log.read_bytes().partition(b"<Events>")[2].rpartition(b"</Events>")[0]
        path = folder / f"{number}.xml"
        path.write_bytes(b"<Events>" + body + b"</Events>\n")
        lake = Lake.open(folder / "lake", create=True)
        Ingest(lake).run([str(path)], ledger=Ledger())
        if number == 1:
            for part in lake.all_tables():
                part.compact()
    lake.append([batch_of({"record_id": 9_999})], source="recorder", version=0)
    assert SCHEMA.names
    return folder / "lake"


@pytest.fixture
def location(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "lake"))


def answers(location: Path) -> dict[str, Any]:
    """Everything that the lake gives, of a period too, and in SQL."""
    lake = Lake.open(location)
    found: dict[str, Any] = {"readings": [(reading.name, reading.added) for reading in lake.readings.all()]}
    for part in lake.tables():
        for since in (None, START + timedelta(hours=30)):
            rows = [row for batch in part.batches(since) for row in batch.to_pylist()]
            found[f"{part.table.layout.name} {since}"] = sorted(rows, key=str)
    with procwire.connect(location) as database:
        for event in EVENTS:
            found[f"{event.table} in SQL"] = database.sql(f"FROM {event.table} ORDER BY ALL").fetchall()
    return found


def flips(location: Path, seed: int) -> Iterator[tuple[Path, bytes]]:
    """Files, each with a bit flipped: every kind of file, each bit as likely as another of its kind."""
    chance = random.Random(seed)
    named = {file.path for part in Lake.open(location).all_tables() for file in part.snapshot()}
    data = [path for path in location.rglob("*.parquet") if "/".join(path.parts[-2:]) in named or path.name in named]
    others = [*location.rglob("*.json")]
    kinds = [data, data, others]
    assert len(data) > 8
    for number in range(FLIPS):
        path = chance.choice(kinds[number % len(kinds)])
        content = bytearray(path.read_bytes())
        # Of a file's end, the footer, as often as of the rest.
        start = max(0, len(content) - 300) if number % 4 == 0 else 0
        content[chance.randrange(start, len(content))] ^= 1 << chance.randrange(8)
        yield path, bytes(content)


@pytest.mark.parametrize("seed", [1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 20))])
def test_flipped_bit_is_found_and_never_gives_a_wrong_answer(location: Path, seed: int) -> None:
    """In data files, footers, commits and heads of every table."""
    right = answers(location)
    wrong = []
    for path, content in flips(location, seed):
        whole = path.read_bytes()
        path.write_bytes(content)
        faults = [fault for _, found in verify_tables(str(location)) for fault in found.faults]
        if not any(path.name in fault for fault in faults):
            wrong.append(f"verify: {path.name}: {faults}")
        try:
            if answers(location) != right:
                wrong.append(f"answer: {path.name}")
        except ProcwireError as error:
            if path.name not in str(error) or "\n" in str(error):
                wrong.append(f"error: {path.name}: {error}")
        path.write_bytes(whole)
        # What was torn is put aside, as after a power cut: this was none.
        for aside in location.rglob("*.torn-*"):
            aside.unlink()
    assert not wrong, "\n".join(wrong)
    assert answers(location) == right


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing"])
def test_what_is_no_file_is_damage_and_holds_nobody_up(location: Path, kind: str) -> None:
    """Nobody writes to a pipe in a data file's place."""
    path = location / "connections" / Lake.open(location).snapshot()[0].path
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    done = run("sql", "SELECT count(*), max(record_id) FROM connections", "--lake", location)
    assert (done.exit_code, path.name in done.stderr, "Traceback" in done.stderr) == (3, True, False)
    assert any(path.name in fault for _, found in verify_tables(str(location)) for fault in found.faults)


@pytest.mark.parametrize("table", ["connections", "process_creations", "dns_queries", "readings"])
def test_query_of_a_damaged_file_is_one_line_with_its_name(location: Path, table: str) -> None:
    part = Lake.open(location).beside(table)
    assert part is not None
    path = location / table / part.snapshot()[0].path
    content = bytearray(path.read_bytes())
    content[100] ^= 8
    path.write_bytes(content)
    verbs = [["lake", "info"]] if table == "readings" else [["lake", "export", "--to", "ndjson", "--table", table]]
    for verb in verbs:
        result = run(*verb, "--lake", location)
        assert result.exit_code == 3
        assert [path.name in line for line in result.stderr.splitlines()] == [True]
        assert "Traceback" not in result.output
    result = run("lake", "verify", "--lake", location)
    assert result.exit_code == 3
    assert [path.name in line for line in result.stdout.splitlines()] == [True]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _forge_the_end(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-20] + b"x" * 16 + content[-4:])


def _make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [Path.unlink, _cut, _empty, _forge_the_end, _make_a_folder])
@pytest.mark.parametrize("table", ["connections", "process_creations", "dns_queries"])
def test_every_question_of_a_lake_without_a_file_is_one_line_with_its_name(
    location: Path, tmp_path: Path, table: str, damage: Callable[[Path], None]
) -> None:
    """Whatever asks: the first thing that is read of a file is its end, to know its columns."""
    part = Lake.open(location).beside(table)
    assert part is not None
    path = location / table / part.snapshot()[-1].path
    damage(path)
    rule = tmp_path / "rule.yml"
    rule.write_text(
        "title: A rule\nlogsource:\n  category: network_connection\n"
        "detection:\n  s:\n    DestinationPort: 1\n  condition: s\n"
    )
    questions = [
        ["sql", f"SELECT * FROM {table}"],
        ["sql", f"SELECT count(record_id) FROM {table}", "--since", "2024-03-01"],
    ]
    if table == "connections":
        questions += [["hunt", "top_talkers"], ["detect", "--rules", str(rule)]]
    for question in questions:
        result = run(*question, "--lake", location)
        assert (result.exit_code, result.stdout) == (3, ""), (question, result.stderr)
        assert [path.name in line for line in result.stderr.splitlines()] == [True], question
        assert "Traceback" not in result.output


@pytest.mark.parametrize("what", ["file", "commit"])
def test_lost_rows_come_back_from_their_log(location: Path, made: Path, what: str) -> None:
    """A log counts as read, also after its rows were lost: repair says how it is read again."""
    before = answers(location)["connections None"]
    lake = Lake.open(location)
    path = Path(lake.files()[-1]) if what == "file" else lake.table.uri / Path("_delta_log/00000000000000000004.json")
    path.unlink()
    repaired = run("lake", "repair", "--lake", location, "--yes")
    assert repaired.stderr.splitlines()[-1].endswith("procwire read LOG --where true --to lake")
    logs = sorted(made.parent.glob("*.xml"))
    assert len(answers(location)["connections None"]) < len(before)
    run("read", *logs, "--to", "lake", "--lake", location, "--where", "true")
    again = answers(location)["connections None"]
    assert sorted(str(row["record_id"]) for row in again) == sorted(str(row["record_id"]) for row in before)


def test_forged_commit_of_a_hunt_is_seen_and_undone(location: Path) -> None:
    """As it was reported: a commit that only takes a file out; the count drops, and no fault was seen."""
    lake = Lake.open(location)
    before = answers(location)
    file = lake.snapshot()[0]
    forged = {"remove": {"path": file.path, "deletionTimestamp": 0, "dataChange": True, "extendedFileMetadata": False}}
    number = lake.table.version + 1
    (location / "connections" / "_delta_log" / f"{number:020}.json").write_text(json.dumps(forged) + "\n")
    assert answers(location) != before
    assert (
        f"{number:020}.json: does not say which commit it follows" in run("lake", "verify", "--lake", location).stdout
    )
    assert run("lake", "compact", "--lake", location).exit_code == 3
    dry = run("lake", "repair", "--lake", location, "--dry-run")
    assert (dry.exit_code, "undone" in dry.stdout) == (3, True)
    assert run("lake", "repair", "--lake", location).exit_code == 2
    repaired = run("lake", "repair", "--lake", location, "--yes")
    assert (repaired.exit_code, repaired.stdout) == (0, dry.stdout)
    assert answers(location) == before
    assert run("lake", "verify", "--lake", location).exit_code == 0


def test_forger_of_the_whole_chain_is_found_by_a_head_kept_elsewhere(location: Path, batch_of: BatchOf) -> None:
    shown_text = run("lake", "verify", "--lake", location).stderr.splitlines()[-1]
    head = shown_text.removeprefix("head ")
    Lake.open(location).append([batch_of({"record_id": 5})], source="later", version=0)
    assert run("lake", "verify", "--lake", location, "--expect", head).exit_code == 0
    # The last commit is made again, with one row less, by all of procwire's rules.
    lake = Lake.open(location)
    last = int(head.split(":")[1])
    log = location / "connections" / "_delta_log"
    for path in sorted(log.glob("*.json"))[last:]:
        path.unlink()
    (location / "_procwire" / "connections.json").unlink()
    lake = Lake.open(location, create=True)
    lake.append([batch_of({"record_id": 6})], source="forger", version=0)
    assert run("lake", "verify", "--lake", location).exit_code == 0
    found = run("lake", "verify", "--lake", location, "--expect", head)
    assert (found.exit_code, found.stdout) == (3, f"connections/commit {last} is not the commit that is expected\n")
    assert run("lake", "verify", "--lake", location, "--expect", "nonsense").exit_code == 2
