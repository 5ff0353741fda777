"""Further costs of recording: memory, idle CPU, start-up, the delay of a line, memory over hours."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import product
from pathlib import Path
from statistics import median, quantiles

from record_bystanders import Spread
from record_usage import Patience, memory_mb, peak_mb, running_s
from record_watchers import Procwire, Recorders, Watcher, scratch
from record_workloads import EVENTS_EACH, Programs, finished
from report import Claim, Section

_RULES = Path(__file__).parents[1] / "examples" / "rules"
_IDLE_TARGET_PCT = 0.1
_START_TARGET_S = 0.5
_DELAY_TARGET_MS = 250.0
_PLAIN_TARGET_MB, _PYTHON_TARGET_MB = 75.0, 110.0
_SOAK_EVENTS_PER_S = 5_000
# A slope below this, up or down, counts as flat.
_FLAT_MB_PER_HOUR = 5.0
_BURSTS = 4
_SAMPLE_S = 2.0
_DELAY_PER_S = 5.0
_START_EVERY_S = 0.005
_START_TIMEOUT_S = 30.0
_ROTATION = ("--rotate-size", "500MB", "--keep", "1")


def memory(programs: Programs, recorders: Recorders, seconds: float, rounds: int) -> Section:
    """Measure resident memory after the buffer was filled: loops at full speed, with every event written."""
    rows: list[Sequence[str]] = []
    claims = []
    targets_mb = {"plain": _PLAIN_TARGET_MB, "--to lake": _PYTHON_TARGET_MB, "--detect": _PYTHON_TARGET_MB}
    for (name, recorder), (options, target_mb) in product(recorders.items(), targets_mb.items()):
        runs = [_memory(programs, recorder, seconds, options) for _ in range(rounds)]
        before, after, peak, own = (median(sizes) for sizes in zip(*runs, strict=True))
        rows.append((f"{name}, {options}", f"{before:.0f}", f"{after:.0f}", f"{peak:.0f}", f"{own:.0f}"))
        if name == Procwire.name:
            what = f"memory (RSS) after load: {options}"
            claims.append(Claim(what, f"under {target_mb:.0f} MB", f"{after:.0f} MB", target_mb / after))
    note = f"After {_BURSTS} loops of {seconds:g} s. --to lake and --detect (the rules of examples/) write NDJSON, too."
    headings = ("what records", "RSS MB before", "RSS MB after", "RSS MB at most", "PSS MB after")
    return Section("Memory", headings, rows, claims, [note])


def _memory(
    programs: Programs, recorder: Callable[..., Procwire], seconds: float, options: str
) -> tuple[float, float, float, float]:
    with scratch() as folder:
        words = {"--to lake": ("--to", "lake", "--lake", str(folder / "lake")), "--detect": ("--detect", str(_RULES))}
        with recorder(folder, words.get(options, ())) as recording:
            before_mb, _ = memory_mb(recording.pid)
            for _ in range(_BURSTS):
                programs.run("tcp", seconds, os.cpu_count() or 1)
                recording.settle()
            rss_mb, pss_mb = memory_mb(recording.pid)
            return before_mb, rss_mb, peak_mb(recording.pid), pss_mb


def start(recorders: Recorders, rounds: int) -> Section:
    """Measure the time from the command to the first line in its file, during continuous connections."""
    times_s: dict[str, list[float]] = {name: [] for name in recorders}
    for _, (name, recorder) in product(range(rounds), recorders.items()):
        times_s[name].append(_start_s(recorder))
    spreads = {name: Spread.of(times) for name, times in times_s.items()}
    rows: list[Sequence[str]] = [
        (name, str(rounds), *(f"{time_s:.2f}" for time_s in (min(times_s[name]), *spread, max(times_s[name]))))
        for name, spread in spreads.items()
    ]
    middle_s = spreads[Procwire.name].middle
    claim = Claim(
        "from the start to the first event written",
        f"within {_START_TARGET_S:g} s",
        f"{middle_s:.2f} s",
        _START_TARGET_S / middle_s,
    )
    headings = ("who starts", "starts", "least s", "lower quartile s", "median s", "upper quartile s", "most s")
    return Section("Start", headings, rows, [claim])


def _start_s(make: Callable[..., Procwire]) -> float:
    with scratch() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        recorder = make(folder)
        begun_s = time.monotonic()
        process = subprocess.Popen(recorder.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not (recorder.file.exists() and recorder.file.stat().st_size):
                if time.monotonic() - begun_s > _START_TIMEOUT_S:
                    raise RuntimeError(f"found no event in {_START_TIMEOUT_S:g} s, expected those of our connections")
                with socket.create_connection(server.getsockname()):
                    server.accept()[0].close()
                time.sleep(_START_EVERY_S)
            return time.monotonic() - begun_s
        finally:
            process.terminate()
            process.wait()


def idle(recorders: Recorders, seconds: float, rounds: int, patience: Patience) -> Section:
    """Measure the CPU time of idle recorders, at the same time; the least disturbed round counts."""
    patience.quiet()
    used_pct: dict[str, list[float]] = {name: [] for name in recorders}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(recorder(stack.enter_context(scratch()))) for name, recorder in recorders.items()
        }
        time.sleep(2)
        for _ in range(rounds):
            start_s, before_s = time.monotonic(), {name: running_s(each.pid) for name, each in running.items()}
            time.sleep(seconds)
            for name, each in running.items():
                took_s = time.monotonic() - start_s
                used_pct[name].append((running_s(each.pid) - before_s[name]) / took_s * 100)
        sizes_mb = {name: [f"{size_mb:.0f}" for size_mb in memory_mb(each.pid)] for name, each in running.items()}
    rows: list[Sequence[str]] = [
        (name, f"{rounds} x {seconds:.0f}", f"{min(used):.3f}", f"{max(used):.3f}", *sizes_mb[name])
        for name, used in used_pct.items()
    ]
    least = min(used_pct[Procwire.name])
    claim = Claim(
        "CPU of an idle recorder", f"{_IDLE_TARGET_PCT}% or less", f"{least:.3f}%", _IDLE_TARGET_PCT / max(least, 1e-3)
    )
    headings = ("who waits", "seconds", "CPU % of a core, least", "most", "RSS MB", "PSS MB")
    return Section("Idle", headings, rows, [claim])


def delay(seconds: float) -> Section:
    """Measure the delay from a connection to its line in the file, for a few per second at random moments."""
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
    mine = b'"process_id":%d,' % os.getpid()
    end_s = time.monotonic() + seconds
    with recorder.file.open("rb") as lines, socket.create_server(("127.0.0.1", 0)) as server:
        lines.seek(0, os.SEEK_END)
        part = b""
        while time.monotonic() < end_s:
            next_s = time.monotonic() + random.expovariate(_DELAY_PER_S)
            with socket.create_connection(server.getsockname()):
                server.accept()[0].close()
            while time.monotonic() < next_s:
                time.sleep(0.001)
                *whole, part = (part + lines.read()).split(b"\n")
                now_s = time.time()
                for line in whole:
                    if mine in line:
                        yield (now_s - _creation_s(line)) * 1000


def _creation_s(line: bytes) -> float:
    return datetime.fromisoformat(json.loads(line)["event_creation_time"]).timestamp()


def soak(programs: Programs, seconds: float) -> Section:
    """Measure memory at a steady rate of events."""
    samples: list[tuple[float, float, float]] = []
    with scratch() as folder:
        recorder = Procwire(folder, _ROTATION)
        with recorder:
            before_s = running_s(recorder.pid)
            process = programs.start("tcp", seconds, os.cpu_count() or 1, _SOAK_EVENTS_PER_S / EVENTS_EACH)
            start_s = time.monotonic()
            while process.poll() is None:
                samples.append((time.monotonic() - start_s, *memory_mb(recorder.pid)))
                time.sleep(_SAMPLE_S)
            load = finished(process)
            recorder.settle()
            used_s = running_s(recorder.pid) - before_s
        lost, captured = recorder.lost() or 0, recorder.captured()
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
            f"under {_PLAIN_TARGET_MB:.0f} MB",
            f"{peak:.0f} MB",
            _PLAIN_TARGET_MB / peak,
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
    """Return the slope of the best-fitting line; 0 for fewer than two points."""
    if len(xs) < 2:
        return 0.0
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread
