"""What recording costs besides: kernel time per connection, idle CPU, delay, memory over hours."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import median, quantiles

from record_load import EVENTS_EACH, Kind, LoadProgram, finished
from record_usage import ProgramTime, bpf_statistics, memory_mb, program_times, running_s, wait_until_quiet
from record_watchers import Procwire, Watcher, scratch
from report import Claim, Section

_KERNEL_TARGET_US = 2.0
_IDLE_TARGET_PCT = 0.5
_DELAY_TARGET_MS = 250.0
_MEMORY_TARGET_MB = 150.0
_SOAK_EVENTS_PER_S = 5_000
# Less than this, up or down, is flat.
_FLAT_MB_PER_HOUR = 5.0
_QUIET_TIMEOUT_S = 20.0
_SAMPLE_S = 2.0
_DELAY_PER_S = 5.0
_ROTATION = ("--rotate-size", "500MB", "--keep", "1")


def kernel_time(program: LoadProgram, seconds: float) -> Section:
    """By the kernel's own statistics, which are on in this run only."""
    cores = os.cpu_count() or 1
    rows: list[Sequence[str]] = []
    totals = {}
    kinds: tuple[Kind, ...] = ("tcp", "udp")
    for kind in kinds:
        wait_until_quiet(_QUIET_TIMEOUT_S)
        with scratch() as folder, bpf_statistics(), Procwire(folder, "--buffer-mb", "512") as recorder:
            recorder.pause()
            before = program_times(recorder.pid)
            load = program.run(kind, seconds, cores)
            after = program_times(recorder.pid)
        spent = {name: _between(before[name], after[name]) for name in after}
        rows += [(kind, *row) for row in _program_rows(spent, load.made)]
        totals[kind] = sum(time.run_ns for time in spent.values()) / load.made / 1e3
        rows.append((kind, "all", "", "", f"{totals[kind]:.3f}"))
    claims = [
        Claim(
            f"kernel time for a connection ({kind})",
            f"{_KERNEL_TARGET_US:.0f} us or less",
            f"{total_us:.2f} us",
            _KERNEL_TARGET_US / total_us,
        )
        for kind, total_us in totals.items()
    ]
    note = "The time within the programs, some 20 ns a run of the measuring itself included; what the kernel adds to "
    note += "call them is not, and is in the slow-down."
    return Section(
        "Kernel time", ("load", "program", "runs a connection", "ns a run", "us a connection"), rows, claims, [note]
    )


def _between(before: ProgramTime, after: ProgramTime) -> ProgramTime:
    return ProgramTime(after.runs - before.runs, after.run_ns - before.run_ns)


def _program_rows(spent: dict[str, ProgramTime], made: int) -> Iterator[tuple[str, str, str, str]]:
    for name, time_ in sorted(spent.items(), key=lambda item: -item[1].run_ns):
        if time_.runs:
            each_ns = time_.run_ns / time_.runs
            yield name, f"{time_.runs / made:.2f}", f"{each_ns:.0f}", f"{time_.run_ns / made / 1e3:.3f}"


def idle(seconds: float) -> Section:
    """CPU of a recorder that has nothing to tell."""
    wait_until_quiet(_QUIET_TIMEOUT_S)
    with scratch() as folder, Procwire(folder) as recorder:
        time.sleep(2)
        start_s, before_s = time.monotonic(), running_s(recorder.pid)
        time.sleep(seconds)
        used_pct = (running_s(recorder.pid) - before_s) / (time.monotonic() - start_s) * 100
        rss_mb, pss_mb = memory_mb(recorder.pid)
    row = (f"{seconds:.0f}", f"{used_pct:.2f}", f"{rss_mb:.0f}", f"{pss_mb:.0f}")
    claim = Claim(
        "CPU of an idle recorder", f"under {_IDLE_TARGET_PCT}%", f"{used_pct:.2f}%", _IDLE_TARGET_PCT / used_pct
    )
    return Section("Idle", ("seconds", "CPU % of a core", "RSS MB", "PSS MB"), [row], [claim])


def delay(seconds: float) -> Section:
    """From a connection to its line in the file, a few a second at random moments."""
    with scratch() as folder, Procwire(folder) as recorder:
        delays_ms = sorted(_delays_ms(recorder, seconds))
    p95 = quantiles(delays_ms, n=20)[-1]
    middle = median(delays_ms)
    row = (str(len(delays_ms)), f"{delays_ms[0]:.0f}", f"{middle:.0f}", f"{p95:.0f}", f"{delays_ms[-1]:.0f}")
    claim = Claim(
        "delay to the written line, median",
        f"under {_DELAY_TARGET_MS:.0f} ms",
        f"{middle:.0f} ms",
        _DELAY_TARGET_MS / middle,
    )
    note = "Two connections' ends have one delay each. Their own times have milliseconds; the file is looked at each."
    return Section("Delay", ("events", "least ms", "median ms", "95% ms", "most ms"), [row], [claim], [note])


def _delays_ms(recorder: Watcher, seconds: float) -> Iterator[float]:
    mine = f'"process_id":{os.getpid()},'
    end_s = time.monotonic() + seconds
    with recorder.file.open("rb") as lines, socket.create_server(("127.0.0.1", 0)) as server:
        lines.seek(0, os.SEEK_END)
        while time.monotonic() < end_s:
            next_s = time.monotonic() + random.expovariate(_DELAY_PER_S)
            with socket.create_connection(server.getsockname()):
                server.accept()[0].close()
            while time.monotonic() < next_s:
                time.sleep(0.001)
                text, now_s = lines.read(), time.time()
                for line in text.decode().splitlines():
                    if mine in line:
                        yield (now_s - _creation_s(line)) * 1000


def _creation_s(line: str) -> float:
    return datetime.fromisoformat(json.loads(line)["event_creation_time"]).timestamp()


def soak(program: LoadProgram, seconds: float) -> Section:
    """Memory at a steady rate of events."""
    samples: list[tuple[float, float, float]] = []
    with scratch() as folder:
        recorder = Procwire(folder, *_ROTATION)
        with recorder:
            before_s = running_s(recorder.pid)
            process = program.start("tcp", seconds, os.cpu_count() or 1, _SOAK_EVENTS_PER_S / EVENTS_EACH)
            start_s = time.monotonic()
            while process.poll() is None:
                samples.append((time.monotonic() - start_s, *memory_mb(recorder.pid)))
                time.sleep(_SAMPLE_S)
            load = finished(process)
            recorder.settle()
            used_s = running_s(recorder.pid) - before_s
        lost, captured = recorder.lost(), recorder.captured()
    steady = [sample for sample in samples if sample[0] > seconds / 4]
    growth = slope([time_s / 3600 for time_s, *_ in steady], [rss_mb for _, rss_mb, _ in steady])
    peak = max(rss_mb for _, rss_mb, _ in samples)
    rows: list[Sequence[str]] = [
        (f"{time_s:.0f}", f"{rss_mb:.1f}", f"{pss_mb:.1f}")
        for time_s, rss_mb, pss_mb in samples[:: max(len(samples) // 12, 1)]
    ]
    missing = max(load.events - captured, 0) + lost
    claims = [
        Claim(
            "memory (RSS) of the recorder at 5,000 events/s",
            f"under {_MEMORY_TARGET_MB:.0f} MB",
            f"{peak:.0f} MB",
            _MEMORY_TARGET_MB / peak,
        ),
        Claim(
            "its growth after the first quarter",
            f"flat ({_FLAT_MB_PER_HOUR:.0f} MB/h)",
            f"{growth:+.1f} MB/h",
            _FLAT_MB_PER_HOUR / max(abs(growth), 0.01),
        ),
        Claim("events lost at 5,000 events/s", "0", f"{missing:,}", 0.0 if missing else 1.0),
    ]
    cpu = f"{used_s / load.seconds * 100:.1f}% of a core, {used_s / captured * 1e6:.1f} us an event"
    note = f"{load.seconds:.0f} s, {captured:,} events ({load.events:,} of the load), {lost:,} lost; {cpu}."
    return Section("Soak at 5,000 events/s", ("second", "RSS MB", "PSS MB"), rows, claims, [note])


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the line that fits best; 0 for less than two points."""
    if len(xs) < 2:
        return 0.0
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread
