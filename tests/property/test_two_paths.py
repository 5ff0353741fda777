"""What rules and predicates leave of a recording is the same by lines and by batches: bytes, numbers and ledger."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rules import samples

from procwire import _core
from procwire.recorder import ConfigurationLedger, LiveRules, Recorder, RecordingLedger
from procwire.recorder.batch_setup import enrichment, envelope, open_outputs, selections_of
from procwire.recorder.images import images_filter, with_images
from procwire.recorder.line_setup import kept_fields, line_recorder
from procwire.recorder.notices import Notice
from procwire.recorder.predicates import Where
from procwire.recorder.record_ids import FreshIds
from procwire.recorder.settings import RecordingSettings, Target
from procwire.signals import Hangups
from procwire.sources.live import completed
from procwire.sources.sensor import LineForm, Lines
from procwire.sysmon import Configuration
from procwire.sysmon.config_filter import ConfigFilter

Piece = list[bytes]

BOOT_NS, MACHINE = 1_767_225_600_000_000_000, 0xFFB1_2C03
HERE = Path("/proc/self/ns/net").stat().st_ino
# Each recorder has its own clock.
_NOW = re.compile(rb'"event_recorded_time":"[^"]*"|20\d\d-\d\d-\d\d[T ][\d:.]+Z?|(?m:^[A-Z][a-z][a-z] [ \d]\d [\d:]+)')


# Records, as the kernel side sends them


def owner(pid: int, uid: int) -> bytes:
    return struct.pack("<QIIIIII", pid * 10_000_000, pid, 1, uid, uid, uid, 0)


def process(pid: int, image: str, group: str) -> bytes:
    names = [b"".join(part.encode() + b"\0" for part in reversed(path.split("/"))) for path in (image, group)]
    texts = [*names, b"run\0it\0"]
    head = struct.pack("<BBBBHHH2xIQII", 1, 0, 0, 1, *map(len, texts), 0x801, 4242, 7, 0)
    whole = head + owner(pid, 0) + struct.pack("<QQII", 5_000_000_000, 0, 1, 0) + b"".join(texts)
    return whole + b"\0" * (-len(whole) % 8)


def address(text: str) -> bytes:
    return bytes.fromhex("0" * 20 + "ffff") + bytes(map(int, text.split("."))) if "." in text else bytes(15) + b"\1"


CONNECT, ACCEPT, SENT, ATTEMPT, CLOSE = 1, 2, 3, 5, 6
PROCESSES = ["a.exe", "usr/bin/curl", "opt/2", "tmp/x8"]


@dataclass(frozen=True)
class Event:
    kind: int
    pid: int
    uid: int
    ports: tuple[int, int]
    addresses: tuple[str, str]
    second: int
    namespace: int

    def record(self) -> bytes:
        udp = self.kind == SENT
        head = struct.pack(
            "<BBBBBBHIHHQQ",
            2, self.kind, 1, 17 if udp else 6, 4, self.kind != ACCEPT, 111 if self.kind == ATTEMPT else 0,
            self.namespace, *self.ports, self.second * 1_000_000_000, 77,
        )  # fmt: skip
        ends = b"".join(map(address, self.addresses)) + struct.pack("<II", 0, 0)
        counts = struct.pack("<QQQII", 1, 2, 3, 4, 5) if self.kind == CLOSE else b""
        return head + owner(self.pid, self.uid) + ends + counts


events = st.builds(
    Event,
    st.sampled_from([CONNECT, CONNECT, ACCEPT, SENT, ATTEMPT, CLOSE]),
    st.integers(1, len(PROCESSES)),
    st.sampled_from([0, 65_534, 3_999_999_999]),
    st.tuples(st.sampled_from([80, 40_000]), st.sampled_from([80, 443, 8080])),
    st.tuples(*[st.sampled_from(["10.0.0.1", "127.0.0.1", "::1"])] * 2),
    st.integers(0, 100),
    st.sampled_from([HERE, 5]),
)
first = [process(pid, image, f"docker/{pid:064x}") for pid, image in enumerate(PROCESSES, start=1)]
pieces = st.lists(st.lists(events, max_size=12), min_size=1, max_size=4).map(
    lambda parts: [[*(first if place == 0 else []), *(event.record() for event in part)]
                   for place, part in enumerate(parts)]
)  # fmt: skip

PREDICATES = [
    "dst_port = 443",
    "process_name LIKE '%a%' OR src_port % 2 = 1",
    "rule_name IS NOT NULL",
    "rule_name = 'a' OR rule_name LIKE '%...'",
    "CAST(process_base_name AS INTEGER) = 2",
    "user_name = 'root' OR dst_host_name IS NULL",
    "record_kind = 'connection' AND user_id < 4000000000",
    "local_side = 'src'",
    "event_creation_time > TIMESTAMPTZ '2026-01-01 00:00:50+00'",
    "record_id IS NULL AND computer_name IS NULL AND event_id = 3",
    "container_id LIKE '%1'",
    "process_guid LIKE '%1%' AND process_parent_id = 1",
    "src_ip_bytes < dst_ip_bytes",
    "len(src_host_name) > 4 OR dst_port_name = 'https'",
    "error_number = 111 OR sent_packets = 4 OR NOT network_connection_initiated",
    "NULL",
]

sizes = st.dictionaries(
    st.sampled_from(["Image", "User", "Protocol", "DestinationHostname", "DestinationPortName", "RuleName"]),
    st.integers(0, 12),
    max_size=3,
)


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    return replace(draw(samples(leaving_names=draw(st.booleans()))).configuration, field_sizes=draw(sizes))


# Both paths, each as the command sets it up


class Source:
    """Feeds records piece by piece to the core."""

    def __init__(self, parts: list[Piece]) -> None:
        self.parts = list(parts)
        self._core = _core.Replay(boot_time_ns=BOOT_NS, machine_id=MACHINE)

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        del timeout_s
        if not self.parts:
            return None
        batch = pa.record_batch(self._core.batch(self.parts.pop(0)))
        return completed(batch) if batch.num_rows else None

    def write_lines(self, form: LineForm, *, names: object, **options: Any) -> None:
        self._core.write_lines(form, names, **options)

    def lines(self, timeout_s: float, first_record_id: int, most: int) -> Lines | None:
        del timeout_s
        if not self.parts:
            return None
        found = self._core.lines(self.parts.pop(0), first_record_id, most)
        assert found is not None
        return Lines(*found) if found[4] else None

    def losses(self) -> Mapping[str, int]:
        return {}

    unattributed = warnings = losses


def settings_of(way: str, **options: Any) -> RecordingSettings:
    return RecordingSettings(targets=(Target(way, None, True),), dns_lookup=False, **options)


def ignore(notice: Notice) -> None:
    """Show nothing: a predicate that cannot be evaluated is counted, too."""


def live_rules(configurations: list[Configuration], strict: bool) -> LiveRules | None:
    """Rules that are loaded again at every other turn."""
    if not configurations:
        return None
    coming = iter(configurations)
    turns = [0]

    def asked() -> bool:
        turns[0] += 1
        return turns[0] % 2 == 0 and turns[0] // 2 < len(configurations)

    return LiveRules(
        lambda: next(coming),
        lambda configuration: ConfigFilter(configuration, strict=strict),
        changes=cast("Any", _Unchanged()),
        asked=asked,
        ledger=ConfigurationLedger("rules"),
        tell=lambda _: None,
        complain=lambda _: None,
    )


class _Unchanged:
    def settle(self) -> None:
        pass

    def __call__(self) -> bool:
        return False


@dataclass
class Case:
    way: str
    parts: list[Piece]
    configurations: list[Configuration]
    where: list[str]
    strict: bool = False
    count: int | None = None
    images: list[str] | None = None


Recorded = tuple[bytes, dict[str, Any]]


def recorded(case: Case, *, by_lines: bool) -> Recorded:
    stream = io.BytesIO()
    ledger = RecordingLedger("replay")
    asked = settings_of(case.way, where=case.where, images=case.images)
    source = Source(case.parts)
    rules = live_rules(case.configurations, case.strict)
    predicate = Where(case.where, "ossem") if case.where else None
    with ExitStack() as stack:
        make: Callable[..., Any] = _by_lines if by_lines else _by_batches
        recorder = make(asked, source, stream, ledger, rules, predicate, stack)
        recorder.run(lambda: not source.parts, count=case.count)
    account = ledger.to_dict()
    kept = {"captured", "filtered", "filtered_by_rules", "undecided", "configuration", "outputs"}
    return _NOW.sub(b"", stream.getvalue()), {key: value for key, value in account.items() if key in kept}


def _by_lines(
    asked: RecordingSettings,
    source: Any,
    stream: io.BytesIO,
    ledger: RecordingLedger,
    rules: LiveRules | None,
    predicate: Where | None,
    stack: ExitStack,
) -> Any:
    kept = kept_fields(replace(asked, sensor="ebpf"))
    assert kept is not None
    return line_recorder(
        asked,
        kept,
        source,
        stream,
        FreshIds(),
        ledger,
        account=None,
        on_status=lambda _: None,
        hangups=Hangups(),
        configured=rules,
        predicate=predicate,
        notify=ignore,
        stack=stack,
    )


def _by_batches(
    asked: RecordingSettings,
    source: Any,
    stream: io.BytesIO,
    ledger: RecordingLedger,
    rules: LiveRules | None,
    predicate: Where | None,
    stack: ExitStack,
) -> Any:
    stdout = cast("Any", SimpleNamespace(stream=stream, terminal=None))
    outputs = open_outputs(asked, selections_of(asked), stdout, ledger, None, ignore, stack)
    return Recorder(
        source,
        outputs,
        enrich=enrichment(asked, rules, stack),
        rules=rules or (images_filter(asked.images) if asked.images else None),
        predicate=predicate,
        envelope=envelope(FreshIds()),
        ledger=ledger,
        on_status=lambda _: None,
        between_batches=rules.refresh if rules else lambda: None,
    )


def check(case: Case) -> None:
    by_lines, by_batches = recorded(case, by_lines=True), recorded(case, by_lines=False)
    # Records of another layout than the sensor's are not records.
    events = sum(len(part) for part in case.parts) - len(first)
    assert events < 1 or by_lines[1]["captured"]
    assert by_lines[1] == by_batches[1]
    assert by_lines[0] == by_batches[0]


ways = st.sampled_from(["ndjson", "csv", "xml", "syslog"])


@settings(deadline=None, max_examples=60)
@given(ways, pieces, st.lists(configurations(), min_size=1, max_size=3), st.booleans())
def test_rules_leave_the_same(way: str, parts: list[Piece], configurations: list[Configuration], strict: bool) -> None:
    """Reloaded in between, too: no verdict of others is used."""
    check(Case(way, parts, configurations, [], strict))


@settings(deadline=None, max_examples=40)
@given(ways, pieces, st.lists(st.sampled_from(PREDICATES), min_size=1, max_size=2), st.none() | st.integers(1, 5))
def test_predicates_leave_the_same(way: str, parts: list[Piece], where: list[str], count: int | None) -> None:
    check(Case(way, parts, [], where, count=count))


@settings(deadline=None, max_examples=40)
@given(
    ways,
    pieces,
    st.lists(configurations(), min_size=1, max_size=2),
    st.sampled_from(PREDICATES),
    st.none() | st.integers(1, 5),
)
def test_both_leave_the_same(
    way: str, parts: list[Piece], configurations: list[Configuration], where: str, count: int | None
) -> None:
    check(Case(way, parts, configurations, [where], count=count))


@settings(deadline=None, max_examples=20)
@given(
    ways, pieces, st.lists(st.sampled_from(PREDICATES), max_size=1), st.sampled_from([["curl"], ["a.exe", "/opt/2"]])
)
def test_processes_leave_the_same(way: str, parts: list[Piece], where: list[str], images: list[str]) -> None:
    check(Case(way, parts, [], where, images=images))


@pytest.mark.parametrize("where", PREDICATES)
def test_each_predicate_leaves_the_same(where: str) -> None:
    found = [
        Event(kind, pid, uid, ports, ends, 60 * place, HERE)
        for place, (kind, pid, uid, ports, ends) in enumerate(
            islice(
                (
                    (kind, pid, uid, ports, ends)
                    for kind in (CONNECT, ACCEPT, SENT, ATTEMPT, CLOSE)
                    for pid, uid in ((1, 0), (2, 65_534), (3, 3_999_999_999))
                    for ports in ((80, 443), (40_001, 8080))
                    for ends in (("127.0.0.1", "10.0.0.1"), ("::1", "::1"))
                ),
                60,
            )
        )
    ]
    check(Case("ndjson", [[*first, *(event.record() for event in found)]], [], [where]))


def test_processes_are_added_to_rules() -> None:
    configuration = with_images(Configuration("rules", (4, 90), (), True, {}, ()), ["curl"])
    parts = [[*first, *(Event(CONNECT, pid, 0, (1, 2), ("::1", "::1"), 1, HERE).record() for pid in (1, 2, 3))]]
    case = Case("ndjson", parts, [configuration], [], images=["curl"])
    check(case)
    assert recorded(case, by_lines=True)[0].count(b"\n") == 1
