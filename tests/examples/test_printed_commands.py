"""The commands that README.md and docs/ print work as printed: as root, as a user, in an empty environment."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from machine import ACCOUNTS, ROOT, can_start, started
from printed import DOCUMENTS, Printed, loose_commands, printed

import procwire

NO_CLUSTER = "there is no cluster called head; tests/conformance asks a cluster of its own"
NOT_RUN = {
    "make run    # builds everything, and records this machine's connections for ten seconds": "CI runs it by itself",
    "make test   # runs every test": "this is one of them",
    "pip install 'procwire[spark]'              # PySpark 4.0 and sqlglot; Java 17 or 21 beside it":
        "tests install nothing",
    "procwire hunt beacons --engine spark --master spark://head:7077": NO_CLUSTER,
    'procwire sql "SELECT dst_ip, count(*) FROM connections GROUP BY ALL" --engine spark --master yarn --to csv':
        NO_CLUSTER,
    'procwire sql "FROM pairs" --engine spark   # as SPARK_CONF_DIR says, else on this machine':
        "tests/conformance starts Spark once for all that asks it",
    """from procwire.lake import Lake

lake = Lake.open("/data/lake", create=True)
lake.append([batch], source="my collector", version=1)  # False if this was appended already
for batch in lake.batches(since):
    ...
""": "its rows are a program's own",
    """from procwire.hunts import find, load
from procwire.lake import Lake
from procwire.spark import connect

with connect(Lake.open("s3://bucket/lake"), master="spark://head:7077") as spark:
    found = find("beacons", load()).run(spark, min_score=0.6).read_all()
    spark.session.table("connections")  # the same views as DataFrames
""": NO_CLUSTER,
}  # fmt: skip
"""Each printed command that is not run, and why."""
CODES = {
    # It is damaged: that is what the command is for.
    "procwire read carved.evtx --recover --ledger ledger.json": 3,
    # A rule cannot match there: likewise.
    "procwire sigma check rules/ logs/                        # can they match here, and do they?": 1,
    # No recorder runs by then.
    "procwire record --status                                    # running recorders, and what was lost": 1,
}
"""Commands that end with another exit code than 0, and why."""
INTERRUPTED = 130
"""How a command that runs until Ctrl-C ends."""
SYSLOG = ROOT / "tests" / "data" / "linux" / "log4shell.part1.derived.syslog.gz"
TORN = 7
"""Its line that no reader understands."""
WITH = [document for document in DOCUMENTS if [*printed(document)]]
MARKS: dict[str, tuple[()]] = {"README.md": ()}
"""The others take long, together."""


def everything() -> set[Printed]:
    return {command for document in DOCUMENTS for command in printed(document)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the documents speak of, by the names that they give it."""
    home = tmp_path_factory.mktemp("files")
    log = ROOT / "examples" / "sysmon.evtx"
    for name in ("Microsoft-Windows-Sysmon%4Operational.evtx", "Sysmon.evtx", "logs/a.evtx", "old/b.evtx"):
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copy(log, home / name)
    (home / "edr.ndjson").write_text(
        '{"kind":"netconn","ts":"2024-05-14T09:13:27Z","process":{"path":"C:\\\\a.exe","pid":7},'
        '"src_ip":"10.0.0.1","dst_ip":"203.0.113.9","dst_port":443}\n'
    )
    damaged = bytearray(log.read_bytes())
    damaged[462_848:462_856] = bytes(8)
    (home / "carved.evtx").write_bytes(damaged)
    shutil.copy(ROOT / "examples" / "configs" / "server-linux.xml", home / "sysmonconfig.xml")
    for rules in ("rules", "examples/rules"):
        shutil.copytree(ROOT / "examples" / "rules", home / rules)
    exported = next((ROOT / "tests" / "data" / "json" / "mordor" / "winlogbeat6").glob("*wdigest*.gz"))
    shutil.copy(exported, home / "winlogbeat.ndjson.gz")
    pq.write_table(procwire.read(log), home / "recorded.parquet")
    with zipfile.ZipFile(home / "exports.zip", "w") as archive:
        archive.write(log, "a.evtx")
    return home


def test_every_command_stands_where_it_is_run() -> None:
    assert {document: loose for document in DOCUMENTS if (loose := loose_commands(document))} == {}
    assert len(everything()) > 40


def test_what_is_not_run_is_still_printed() -> None:
    assert set(NOT_RUN) <= {command.text for command in everything()}


@pytest.mark.skipif(not can_start(), reason="needs root on Linux, and namespaces, to make a machine")
@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("document", [pytest.param(name, marks=MARKS.get(name, pytest.mark.long)) for name in WITH])
def test_printed_commands_work(document: str, account: str, files: Path, tmp_path: Path) -> None:
    faults = []
    with started(tmp_path) as machine:
        machine.give_home(files)
        lines = gzip.decompress(SYSLOG.read_bytes()).splitlines(keepends=True)
        for name in ("syslog", "sysmon.log"):
            (machine.root / "var" / "log" / name).write_bytes(b"".join(lines[:TORN] + lines[TORN + 1 :]))
        shutil.copy(ROOT / "examples" / "sysmon.evtx", machine.root / "evidence")
        (machine.root / "evidence" / "syslog.1").write_bytes(b"".join(lines[:TORN]))
        if document != "README.md":
            # That one begins by filling it.
            for lake in ("", " --lake lake/"):
                assert machine.run(account, f"procwire read /evidence/ --to lake{lake}").code == 0
        for command in [command for command in printed(document) if command.text not in NOT_RUN]:
            done = machine.run(account, command.text, language=command.language, endless=command.is_endless)
            expected = INTERRUPTED if command.is_endless else CODES.get(command.text, 0)
            if done.code != expected or "Traceback" in done.stdout + done.stderr:
                faults.append(f"{command.text}\n-> {done.code}, expected {expected}\n{done.stderr}")
    assert not faults, "\n\n".join(faults)
