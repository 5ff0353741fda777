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
    """Return the complete lines that fit, or the beginning of one long line."""
    end = raw.rfind(b"\n", 0, MAX_BYTES) + 1
    return raw[: end or MAX_BYTES]


def evtx_seeds(raw: bytes) -> list[bytes]:
    seeds = []
    for start in range(EVTX_HEADER, len(raw), EVTX_CHUNK):
        chunk = bytearray(raw[start : start + EVTX_BYTES])
        if chunk.startswith(b"ElfChnk\0"):
            # Set where the records end, so that the header claims none behind the cut.
            free_space = min(struct.unpack_from("<I", chunk, 48)[0], len(chunk))
            struct.pack_into("<I", chunk, 48, free_space)
            seeds.append(raw[:EVTX_HEADER] + bytes(chunk))
    return seeds[:3] + seeds[8:10]


def dns_seeds() -> list[bytes]:
    """Return a query and its answer: as messages, as segments, and in pieces whose first byte says what they are."""
    question = b"\x07example\x03com\0\0\1\0\1"
    query = b"\x12\x34\1\0\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    alias = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3cdn\xc0\x0c"
    address = b"\xc0\x29\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
    answer = b"\x12\x34\x81\x80\0\1\0\2\0\0\0\0" + question + alias + address
    framed = [struct.pack("!H", len(message)) + message for message in (query, answer)]
    pieces = b"".join(bytes([what]) + message.ljust(96, b"\0") for what, message in zip((3, 2), framed, strict=True))
    return [query, answer, *framed, pieces]


def sensor_seeds() -> list[bytes]:
    """Return records of the sensor, each after its type and length: a known connection, and flows."""
    owner = struct.pack("<QIIIIII", 12_340_000_000, 4711, 3, 1000, 1000, 1000, 0)
    address = b"\0" * 10 + b"\xff\xff\xc0\0\2\1"
    peer = address + struct.pack("<H6x", 443)

    def record(number: int, rest: bytes) -> bytes:
        return struct.pack("<BH", number, len(rest)) + rest

    def connection(kind: int, attribution: int, protocol: int, behind: bytes = b"") -> bytes:
        head = struct.pack("<BBBBBHIHHQQ", kind, attribution, protocol, 1, 1, 0, 9, 40_000, 443, 60_000_000_000, 77)
        return record(2, head + owner + address * 2 + bytes(8) + behind)

    image = record(6, struct.pack("<BHIQ", 0, 9, 0, 71) + b"bash\0bin\0")
    texts = b"curl\0bin\0", b"a.slice\0", b"curl\0-s\0"
    described = struct.pack("<BBBHHH2xIQI4x", 0, 0, 1, *map(len, texts), 0x801, 4242, 4_026_531_841) + owner
    process = record(1, described + struct.pack("<QQII", 5_000_000_000, 71, 812, 0) + b"".join(texts))
    claim = record(3, struct.pack("<BB5xQ", 4, 1, 77) + owner + peer)
    nat = record(5, struct.pack("<3xHHQ", 1, 2, 77) + peer + address * 2)
    dns = []
    for sent, message in zip((1, 0), dns_seeds()[:2], strict=True):
        head = struct.pack(
            "<BBxHHIIQQQ16sI4x", 0, sent, len(message), 53, 4711, 1000, 12_340_000_000, 77, 1, address, 0
        )
        dns.append(record(4, head + message))
    closed = connection(6, 1, 6, bytes(32))
    held = [connection(4, 4, 17), claim, connection(3, 1, 17), connection(5, 1, 17)]
    existing = connection(7, 1, 6), bytes([64 | 7, 0, 0]), bytes([128, 0, 0])
    return [
        image + process + connection(1, 1, 6) + closed,
        nat + b"".join(held),
        b"".join(dns) + connection(1, 1, 6),
        b"".join(existing),
    ]


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
    # Records of unknown shape are searched.
    for path in sorted((DATA / "shapes").glob("*json*")):
        found["json"].append(lines(path.read_bytes()))
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
    for path in sorted((DATA / "shapes").iterdir()):
        if path.suffix in (".log", ".txt", ".bin"):
            found["text"].append(path.read_bytes()[:MAX_BYTES])
        elif path.suffix in (".csv", ".xml"):
            found[path.suffix[1:]].append(path.read_bytes()[:MAX_BYTES])
    found["dns"] = dns_seeds()
    found["sensor"] = sensor_seeds()
    # The lengths of the pieces come first.
    found["pieces"] = [
        bytes([1, 16, 0, 3]) + raw
        for group in [found[name] for name in found if name not in ("dns", "sensor")]
        for raw in group[:6]
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
