"""Bytes through the core, as the tests of this folder need it."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from procwire import _core
from procwire.event import SCHEMA
from procwire.ledger import FileLedger

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

FORMATS = ("evtx", "xml", "json", "csv", "text")
# Kinds of damage that stand for a record; the others are of chunks, headers and inputs.
RECORD_DAMAGE = ("broken record", "overlong record", "unknown format")


def scan(
    raw: bytes,
    *,
    format: str | None = None,
    recover: bool = False,
    threads: int = 1,
) -> tuple[pa.Table, FileLedger]:
    """Read `raw`; return the rows and the ledger. Fail if the ledger does not add up."""
    scanner = _core.Scanner([("bytes", BytesIO(raw), False)], format=format, recover=recover, threads=threads)
    batches = []
    while True:
        try:
            batch = scanner.step(60.0)
        except StopIteration:
            break
        assert batch is not None, "no batch within a minute"
        batches.append(pa.record_batch(batch))
    table = pa.Table.from_batches(batches, SCHEMA)
    [account] = map(FileLedger.from_core, scanner.accounts())
    check(table, account)
    return table, account


def feed(raw: bytes, *, format: str) -> tuple[pa.Table, FileLedger]:
    """The same without threads, for thousands of little logs."""
    feeder = _core.Feeder("bytes", format=format)
    batches = [pa.record_batch(batch) for batch in feeder.feed(raw, at_end=True)]
    table = pa.Table.from_batches(batches, SCHEMA)
    account = FileLedger.from_core(feeder.account())
    check(table, account)
    return table, account


def check(table: pa.Table, account: FileLedger) -> None:
    """What every reading owes: valid Arrow, and a ledger in which each record is counted once."""
    table.validate(full=True)
    assert account.events == table.num_rows
    damaged = sum(account.damage[kind].count for kind in RECORD_DAMAGE if kind in account.damage)
    assert account.records == account.events + account.other_events + account.other_providers + damaged
    assert account.recovered <= account.events
    assert not {"lost block", "lost batch"} & account.damage.keys()
    if account.error is not None:
        assert (account.format, account.records) == (None, 0)


def unpacked(name: str) -> bytes:
    raw = (DATA / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def example_chunk(number: int = 8) -> bytes:
    """A log of one chunk of the example; chunk 8 holds the most events 3."""
    raw = (ROOT / "examples" / "sysmon.evtx").read_bytes()
    start = 4096 + number * 65536
    return raw[:4096] + raw[start : start + 65536]


OSSEC = (
    "2015 Nov 19 20:33:25 WinEvtLog: Microsoft-Windows-Sysmon/Operational: INFORMATION({id}): "
    "Microsoft-Windows-Sysmon: SYSTEM: NT AUTHORITY: WIN-1: Network connection detected:  "
    "UtcTime: 2015-11-19 19:33:23.824  ProcessGuid: {{0B364D7C-23F6-564E-0000-00100D5A1100}}  ProcessId: 2028  "
    "Image: C:\\Program Files (x86)\\Internet Explorer\\iexplore.exe  User: WIN-1\\Ädmin  Protocol: tcp  "
    "Initiated: true  SourceIsIpv6: false  SourceIp: 192.168.2.201  SourceHostname: WIN-1.lan  SourcePort: {port}  "
    "SourcePortName:   DestinationIsIpv6: false  DestinationIp: 203.0.113.7  DestinationHostname: web  "
    "DestinationPort: 443  DestinationPortName: https\n"
)
"""A line as an OSSEC agent writes it; made here, as the corpus' only real one is not free."""


def ossec_lines() -> bytes:
    return "".join(OSSEC.format(id=id_, port=49192 + id_) for id_ in (3, 1, 3, 3)).encode()


SAMPLES: dict[str, bytes] = {
    "evtx": example_chunk(),
    "xml": unpacked("xml-json-derived/issue_43.events.xml.gz")[:4_500].rpartition(b"<Event ")[0],
    "json": unpacked("json/mordor/nxlog/covenant_copy_smb_CreateRequest_2020-09-22145302.ev3.ndjson"),
    "csv": unpacked("csv-azure/Microsoft_Sysmon_NetworkSession_IngestedLogs.rows.csv"),
    "text": ossec_lines(),
}
"""A small log of each format."""

MORE_SAMPLES: dict[str, bytes] = {
    "evtx rdp": example_chunk(21),
    "syslog": unpacked("linux/log4shell.part1.derived.syslog.gz")[:12_000],
    "syslog in json": unpacked("linux/log4shell-azure-syslog.part1.ndjson.gz")[:12_000],
    "utf-16": b"\xff\xfe" + SAMPLES["xml"].decode().encode("utf-16-le"),
    "evtx_dump": b"".join(
        line for line in unpacked("xml-json-derived/issue_43.evtx_dump.jsonl.gz").splitlines(keepends=True)[505:525]
    ),
    "winlogbeat": unpacked("json/mordor/winlogbeat6/empire_invoke_runas_2019-05-18204300.ev3.ndjson.gz")[:8_000],
    "xp-rules": unpacked("json/xp-rules/raw_1.json"),
    "sentinel": unpacked(
        "json/mordor/azure-windowsevent/sysmon_log4shell_cve2021_44228_java_serialized_object_2022-05-13045800.ev3.ndjson"
    ),
    "splunk": unpacked("xml/splunk-xmlwineventlog-example.xml"),
}
"""Other shapes, for what is not tried at every offset."""
