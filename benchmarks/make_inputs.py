"""Build large inputs from the real events of this repository, each repeated with other values.

python benchmarks/make_inputs.py [--size-mb N] [--dir benchmarks/data] [--only NAME]...
"""

from __future__ import annotations

import argparse
import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import real_events
from evtx_chunks import HEADER_BYTES, VariedChunk, chunks, dense, file_header
from scale import DEFAULT_DIRECTORY, DEFAULT_SIZE_MB, MB
from varied import Slots, filled, mixed, template

_SPARSE_SHARE = 0.03
_MIXED_SHARE = 0.1

_XML_SLOTS: Slots = (
    (r"<EventRecordID>(\d+)<", "record_id"),
    (r"SystemTime=['\"]([^'\"]+)['\"]", "time_created"),
    (r"Name=['\"]UtcTime['\"]>([^<]+)<", "utc_time"),
    (r"Name=['\"]ProcessId['\"]>(\d+)<", "process_id"),
    (r"Name=['\"]ProcessGuid['\"]>\{[^<]{32}([^<]{4})\}<", "guid_tail"),
    (r"Name=['\"]SourcePort['\"]>(\d+)<", "source_port"),
    (r"Name=['\"]DestinationIp['\"]>\d+\.\d+\.\d+\.(\d+)<", "last_octet"),
)
_JSON_SLOTS: Slots = (
    (r'"record_id":(\d+)', "record_id"),
    (r'"@timestamp":"([^"]+)"', "time_created"),
    (r'"created":"([^"]+)"', "time_created"),
    # In the event's data, then in its message.
    (r'"UtcTime":"([^"]+)"', "utc_time"),
    (r"\\nUtcTime: ([^\\]+)\\n", "utc_time"),
    (r'"ProcessId":"(\d+)"', "process_id"),
    (r"\\nProcessId: (\d+)\\n", "process_id"),
    (r'"ProcessGuid":"\{[^"]{32}([^"]{4})\}"', "guid_tail"),
    (r"\\nProcessGuid: \{[^\\]{32}([^\\]{4})\}\\n", "guid_tail"),
    (r'"SourcePort":"(\d+)"', "source_port"),
    (r"\\nSourcePort: (\d+)\\n", "source_port"),
    (r'"DestinationIp":"\d+\.\d+\.\d+\.(\d+)"', "last_octet"),
    (r"\\nDestinationIp: \d+\.\d+\.\d+\.(\d+)\\n", "last_octet"),
)
_CSV_SLOTS: Slots = (
    (r'Name=""UtcTime"">([^<]+)<', "utc_time"),
    (r'Name=""ProcessId"">(\d+)<', "process_id"),
    (r'Name=""SourcePort"">(\d+)<', "source_port"),
)


def _sparse_evtx(size: int) -> Iterator[bytes]:
    """Yield chunks with and without event 3 alternately, so that it is 3% of the records."""
    contents = [real_events.SAMPLE_EVTX.read_bytes()]
    contents += [gzip.decompress(path.read_bytes()) for path in real_events.SPLUNK_EVTX]
    everything = [VariedChunk(chunk) for content in contents for chunk in chunks(content)]
    rich = itertools.cycle([chunk for chunk in everything if chunk.events])
    poor = itertools.cycle([chunk for chunk in everything if not chunk.events])

    def in_turn() -> Iterator[VariedChunk]:
        records = events = 0
        while True:
            chunk = next(rich if events <= _SPARSE_SHARE * records else poor)
            records += chunk.records
            events += chunk.events
            yield chunk

    return _evtx(in_turn(), size)


def _dense_evtx(size: int) -> Iterator[bytes]:
    """Yield chunks with almost only event 3."""
    candidates = [dense(chunk) for chunk in chunks(real_events.SAMPLE_EVTX.read_bytes())]
    varied = [VariedChunk(chunk) for chunk in candidates if chunk is not None]
    return _evtx(itertools.cycle([chunk for chunk in varied if chunk.events > 0.7 * chunk.records]), size)


def _evtx(parts: Iterable[VariedChunk], size: int) -> Iterator[bytes]:
    count = max((size - HEADER_BYTES) >> 16, 1)
    yield file_header(count)
    number = 0
    for part in itertools.islice(parts, count):
        yield part.filled(number)
        number += part.records


def _text(
    events: Sequence[str], slots: Slots, size: int, frame: tuple[str, str, str] = ("", "", "")
) -> Iterator[bytes]:
    """Yield events until the size is reached, with the text before, between and after them."""
    before, between, after = (part.encode() for part in frame)
    yield before
    room = size - len(before) - len(after)
    for turn, event in enumerate(filled([template(event, slots) for event in events])):
        encoded = event.encode() if turn == 0 else between + event.encode()
        room -= len(encoded)
        if room < 0 and turn > 0:
            break
        yield encoded
    yield after


_XML_FRAME = ('<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n<Events>', "", "</Events>")


def _xml(size: int) -> Iterator[bytes]:
    return _text(real_events.xml_connections(), _XML_SLOTS, size, _XML_FRAME)


def _mixed_xml(size: int) -> Iterator[bytes]:
    events = mixed(real_events.xml_connections(), real_events.xml_others(), _MIXED_SHARE)
    return _text(events, _XML_SLOTS, size, _XML_FRAME)


def _winlogbeat(size: int) -> Iterator[bytes]:
    return _text(real_events.winlogbeat_connections(), _JSON_SLOTS, size)


def _mixed_winlogbeat(size: int) -> Iterator[bytes]:
    lines = mixed(real_events.winlogbeat_connections(), real_events.winlogbeat_others(), _MIXED_SHARE)
    return _text(lines, _JSON_SLOTS, size)


def _json_array(size: int) -> Iterator[bytes]:
    """Yield the documents as one array, without any line break."""
    documents = [line.rstrip("\n") for line in real_events.winlogbeat_connections()]
    return _text(documents, _JSON_SLOTS, size, ("[", ",", "]"))


def _syslog(size: int) -> Iterator[bytes]:
    return _text(real_events.syslog_lines(), _XML_SLOTS, size)


def _csv(size: int) -> Iterator[bytes]:
    header, rows = real_events.csv_rows()
    return _text(rows, _CSV_SLOTS, size, (header, "", ""))


def _packed_winlogbeat(size: int) -> Iterable[bytes]:
    """Yield a gzip file of this unpacked size: one member, repeated."""
    member_bytes = min(size, 16 * MB)
    member = gzip.compress(b"".join(_winlogbeat(member_bytes)), compresslevel=1)
    return itertools.repeat(member, -(-size // member_bytes))


INPUTS: dict[str, Callable[[int], Iterable[bytes]]] = {
    "evtx-3pct.evtx": _sparse_evtx,
    "evtx-dense.evtx": _dense_evtx,
    "xml.xml": _xml,
    "xml-10pct.xml": _mixed_xml,
    "winlogbeat.json": _winlogbeat,
    "winlogbeat-10pct.json": _mixed_winlogbeat,
    "winlogbeat.json.gz": _packed_winlogbeat,
    "array.json": _json_array,
    "syslog.txt": _syslog,
    "sentinel.csv": _csv,
}
"""Functions that make the inputs, by file name."""


def make(path: Path, size_mb: int) -> Path:
    """Return the path of an input of this name and maximum size; reuse one from an earlier run.

    A smaller input is the beginning of a larger one.
    """
    sized = path.with_name(f"{path.stem}.{size_mb}mb{path.suffix}")
    if not sized.exists():
        sized.parent.mkdir(parents=True, exist_ok=True)
        part = sized.with_suffix(".part")
        with part.open("wb", buffering=1 << 20) as output:
            output.writelines(INPUTS[path.name](size_mb * MB))
        part.replace(sized)
    return sized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mb", type=int, default=DEFAULT_SIZE_MB, help="size of each (default: %(default)s)")
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="where to (default: benchmarks/data)")
    parser.add_argument("--only", choices=INPUTS, action="append", help="not all of them")
    wanted = parser.parse_args()
    for name in wanted.only or INPUTS:
        print(make(wanted.dir / name, wanted.size_mb))


if __name__ == "__main__":
    main()
