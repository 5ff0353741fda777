#!/usr/bin/env python3
"""Write the seeds of each fuzz target into corpus/: logs of tests/data, cut to what a fuzzer can chew.

An EVTX seed is a file header and one chunk, of which only the first records are kept: libFuzzer copies its
input at every turn.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

FUZZ = Path(__file__).parent
ROOT = FUZZ.parent
DATA = ROOT / "tests" / "data"
MAX_BYTES = 8_192
EVTX_HEADER, EVTX_CHUNK, EVTX_FIRST_RECORD = 4_096, 65_536, 512
EVTX_BYTES = 24_576

OSSEC = (
    b"2015 Nov 19 20:33:25 WinEvtLog: Microsoft-Windows-Sysmon/Operational: INFORMATION(3): Microsoft-Windows-Sysmon: "
    b"SYSTEM: NT AUTHORITY: WIN-1: Network connection detected:  UtcTime: 2015-11-19 19:33:23.824  "
    b"ProcessGuid: {0B364D7C-23F6-564E-0000-00100D5A1100}  ProcessId: 2028  Image: C:\\iexplore.exe  User: A\\B  "
    b"Protocol: tcp  Initiated: true  SourceIsIpv6: false  SourceIp: 192.168.2.201  SourceHostname: a  "
    b"SourcePort: 49192  SourcePortName:   DestinationIsIpv6: false  DestinationIp: XXX.58.XXX.206  "
    b"DestinationHostname: b  DestinationPort: 443  DestinationPortName: https\n"
)


def unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def lines(raw: bytes) -> bytes:
    """Whole lines of it, or, of one long line, its beginning."""
    end = raw.rfind(b"\n", 0, MAX_BYTES) + 1
    return raw[: end or MAX_BYTES]


def evtx_seeds(raw: bytes) -> list[bytes]:
    seeds = []
    for start in range(EVTX_HEADER, len(raw), EVTX_CHUNK):
        chunk = bytearray(raw[start : start + EVTX_BYTES])
        if chunk.startswith(b"ElfChnk\0"):
            # Where the records end, so that none is said to lie behind the cut.
            free_space = min(struct.unpack_from("<I", chunk, 48)[0], len(chunk))
            struct.pack_into("<I", chunk, 48, free_space)
            seeds.append(raw[:EVTX_HEADER] + bytes(chunk))
    return seeds[:3] + seeds[8:10]


def dns_seeds() -> list[bytes]:
    """A query and its answer: as messages, as segments, and in pieces whose first byte says what they are."""
    question = b"\x07example\x03com\0\0\1\0\1"
    query = b"\x12\x34\1\0\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    alias = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3cdn\xc0\x0c"
    address = b"\xc0\x29\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    answer = b"\x12\x34\x81\x80\0\1\0\2\0\0\0\0" + question + alias + address
    framed = [struct.pack("!H", len(message)) + message for message in (query, answer)]
    pieces = b"".join(bytes([what]) + message.ljust(96, b"\0") for what, message in zip((3, 2), framed, strict=True))
    return [query, answer, *framed, pieces]


def seeds() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {name: [] for name in ("evtx", "xml", "json", "csv", "text")}
    for path in [
        ROOT / "examples" / "sysmon.evtx",
        *sorted((DATA / "evtx").rglob("*.gz")),
        *sorted((DATA / "evtx-corrupt").rglob("*.gz")),
    ]:
        found["evtx"] += evtx_seeds(unpacked(path))
    for path in sorted((DATA / "json").rglob("*.json")) + sorted((DATA / "json").rglob("*.ndjson*")):
        found["json"].append(lines(unpacked(path)))
    dump = unpacked(DATA / "xml-json-derived" / "issue_43.evtx_dump.jsonl.gz").splitlines(keepends=True)
    found["json"] += [
        b"".join(dump[505:510]),
        lines(unpacked(DATA / "linux" / "log4shell-azure-syslog.part1.ndjson.gz")),
    ]
    events = unpacked(DATA / "xml-json-derived" / "issue_43.events.xml.gz")[:4_096]
    found["xml"] = [
        events,
        b"\xff\xfe" + events.decode().encode("utf-16-le"),
        unpacked(DATA / "xml" / "splunk-xmlwineventlog-example.xml"),
        lines(unpacked(DATA / "linux" / "log4shell.part1.derived.syslog.gz")),
    ]
    found["csv"] = [lines(unpacked(path)) for path in sorted((DATA / "csv-azure").glob("*.csv"))]
    found["text"] = [OSSEC, found["xml"][3], found["json"][0]]
    found["dns"] = dns_seeds()
    # The lengths of the pieces come first.
    found["pieces"] = [
        bytes([1, 16, 0, 3]) + raw for group in [found[name] for name in found if name != "dns"] for raw in group[:6]
    ]
    return found


def main() -> None:
    for target, group in seeds().items():
        folder = FUZZ / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, raw in enumerate(group):
            (folder / f"seed-{number:02}").write_bytes(raw)


if __name__ == "__main__":
    main()
