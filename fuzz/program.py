"""Fuzz the complete program: verbs on mutations of real rules, configurations, hunts, lists and status files.

    .venv/bin/python fuzz/program.py [--seconds 60] [--seed 0] [--only TARGET] [--again FILE]

Each input runs a verb in this process. A run fails at the first exception that is not procwire's own, at an exit code
that docs/cli.md does not have, and at an input that takes too long; that input is then in fuzz/artifacts/program/.
Real inputs are those of examples/ and tests/data/, and of the folder PROCWIRE_CORPUS if it is set.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import hashlib
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from unittest import mock

from procwire.cli import app
from procwire.enrich import hosts, ports, users
from procwire.recorder import status
from procwire.sources.boot import boot_id
from procwire.sources.processes import start_ticks

ROOT = Path(__file__).parents[1]
ARTIFACTS = ROOT / "fuzz" / "artifacts" / "program"
LOG = ROOT / "examples" / "sysmon.evtx"
EXIT_CODES = {0, 1, 2, 3, 4}
SLOW_S = 20
SHIFT = 1_000
MOST_BYTES = 1 << 18
MEMORY_BYTES = 6 << 30

# What parsers and their authors do not expect.
HOSTILE = [
    "", "-", "''", '""', "null", "~", "true", "5", "-1", "0x", "1e999", ".inf", ".nan", "9" * 5000, "0x" + "f" * 5000,
    "2024-13-45", "0001-01-01", "!!timestamp foo", "!!int x", "!!float ''", "!!bool x", "!!binary '#'", "!!set {a}",
    "!!omap [a: b]", "!!python/name:os.system", "!x y", "&a [*a]", "*a", "<<: *a", "[]", "{}", "[a, b]", "{a: b}",
    "[" * 200, "{a: " * 150, "? [a]", "---", "...", "%YAML 9.9", "\0", "\x1b[31m", "\ufeff", "\u202e", "\U0010ffff",
    "İΣß", "a" * 5000, "*" * 3000, "?" * 3000, ";" * 3000, "%" * 300, "(" * 300, "(a+)+" * 50, "a{1,1000}", "[[:x:]]",
    "\\", "\\\\", "'", '"', "not not", "1 of them", "all of x*", "s | count() > 5", "near", "and", "or", "10.0.0.0/99",
    "::ffff:1.2.3.4", "fe80::%eth0", "<", ">", "&", "&amp;", "&#0;", "&#x110000;", "<![CDATA[", "]]>", "<!--", "-->",
    "<?x", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "$x", "?", "--", "/*", "*/", ";", "|re", "|cidr", "|contains|all",
    "|windash", "|base64offset|contains", "|wide", "|expand", "|fieldref", "|exists", "|lt", "|minute", "|cased",
    "|i|m|s",
]  # fmt: skip
# What leaves YAML and XML valid, and may change their meaning.
MILD = [
    "a", "443", "0", "-5", "65536", "2147483648", "9223372036854775808", "1.5", "true", "False", "-", "*", "?", "*x*",
    "a*b?c*", "a;b", ";a;;b;", "%TEMP%", "C:\\a.exe", "/usr/bin/x", "10.0.0.1", "10.0.0.0/8", "::1",
    "::ffff:10.0.0.1", "fe80::", "0:0:0:0:0:0:0:1", "is", "is not", "is any", "contains", "contains any",
    "contains all", "excludes", "excludes any", "excludes all", "image", "begin with", "not end with", "less than",
    "more than", "include", "exclude", "and", "or", "İΣß", "😀", "network_connection", "dns_query", "firewall",
    "linux", "windows", "high", "s", "t", "not s", "1 of s*", "all of them", "Image", "DestinationPort",
    "DestinationIp", "UtcTime", "User", "Initiated", "Protocol", "RuleName", "QueryName", "4.90", "4.1",
    "event_count", "value_avg", "value_percentile", "temporal", "temporal_ordered", "1s", "1y", "a.*b", "^.{3,}$",
    "(?i)x", "\\bx\\b",
    "a" * 300,
]  # fmt: skip
RULES = [
    """title: Names
logsource: {category: dns_query}
detection: {s: {QueryName|endswith: .x}, condition: s}
""",
    """title: A rule
name: rule
logsource:
  category: network_connection
detection:
  s: [x, y]
  t:
    DestinationIp|cidr: 10.0.0.0/8
    Image|re: 'a.*b'
    DestinationPort|gte: 5
  condition: 1 of s* and not t
---
title: A correlation
correlation:
  type: value_count
  rules: [rule]
  group-by: [User]
  timespan: 1h
  condition: {gte: 1, field: DestinationPort}
""",
    """title: A rule
logsource: {category: network_connection}
detection: {s: {Image: a}, condition: s}
---
title: A filter
logsource: {category: network_connection}
filter: {rules: any, x: {User: y}, condition: not x}
""",
]


class Slow(BaseException):
    """Report an input that takes too long; not an Exception, so that no verb handles it."""


def mutated(seeds: list[str], chance: random.Random) -> bytes:
    """Return one of the seeds, changed in a few places."""
    text = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        text = chance.choice(MUTATIONS)(text, seeds, chance)
    data = bytearray(text[:MOST_BYTES].encode("utf-8", "surrogatepass"))
    if chance.random() < 0.05 and data:
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    return text.encode("utf-16", "replace") if chance.random() < 0.02 else bytes(data)


def _lines(change: Callable[[list[str], random.Random], None]) -> Callable[[str, list[str], random.Random], str]:
    def made(text: str, seeds: list[str], chance: random.Random) -> str:
        del seeds
        lines = text.splitlines(keepends=True) or [""]
        change(lines, chance)
        return "".join(lines)

    return made


def _drop(lines: list[str], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines))]


def _double(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    lines[place:place] = [lines[place]] * chance.choice((1, 2, 300))


def _value(texts: list[str], lines: list[str], chance: random.Random) -> None:
    """Replace what stands behind a colon, between tags, or as an attribute."""
    place = chance.randrange(len(lines))
    mark = chance.choice((": ", "- ", ">", '="', " "))
    head, found, rest = lines[place].partition(mark)
    if not found:
        return
    end = rest[rest.find(chance.choice(("<", '"', "\n"))) :] if rest else "\n"
    lines[place] = head + found + chance.choice(texts) + end


def _borrow(text: str, seeds: list[str], chance: random.Random) -> str:
    """Replace a line by one of another seed, at a place with the same indentation if there is one."""
    lines = text.splitlines(keepends=True) or [""]
    line = chance.choice(chance.choice(seeds).splitlines(keepends=True) or [""])
    margin = len(line) - len(line.lstrip())
    alike = [place for place, own in enumerate(lines) if len(own) - len(own.lstrip()) == margin]
    lines[chance.choice(alike or range(len(lines)))] = line
    return "".join(lines)


def _insert(text: str, seeds: list[str], chance: random.Random) -> str:
    del seeds
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(HOSTILE) + text[place:]


def _cut(text: str, seeds: list[str], chance: random.Random) -> str:
    del seeds
    return text[: chance.randrange(len(text) + 1)]


def _splice(text: str, seeds: list[str], chance: random.Random) -> str:
    other = chance.choice(seeds)
    return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]


MUTATIONS = [
    *[_lines(_drop)] * 2,
    *[_lines(_double)] * 2,
    *[_lines(partial(_value, MILD))] * 8,
    *[_lines(partial(_value, HOSTILE))] * 3,
    *[_borrow] * 5,
    _insert,
    _cut,
    _splice,
]


def unpacked(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "replace")


def found(pattern: str, *folders: Path) -> list[str]:
    texts = [unpacked(path) for folder in folders if folder.is_dir() for path in sorted(folder.rglob(pattern))]
    return [text for text in texts if len(text) < MOST_BYTES]


class Fuzz:
    """Hold the targets, each with its seeds and what it runs on an input."""

    def __init__(self, folder: Path) -> None:
        corpus = Path(os.environ.get("PROCWIRE_CORPUS", ROOT / "tests" / "data"))
        rules = RULES + found("*.yml", ROOT / "examples" / "rules", corpus / "sigma")
        configurations = found("*.xml*", ROOT / "examples" / "configs", corpus / "configs")
        hunts = found("*.sql", ROOT / "python" / "procwire" / "hunts")
        self._folder = folder
        self._log = self._small_log()
        status.RUNTIME_FOLDER = self._made("run")
        self.targets: dict[str, tuple[list[str], Callable[[bytes], int]]] = {
            "rules": (rules, self._rules),
            "detect": (rules, self._detect),
            "examples": (found("*.test.yml", ROOT / "examples" / "rules"), self._examples),
            "check": (configurations, self._with("config", "check", "FILE", "--lenient")),
            "explain": (configurations, self._with("config", "explain", "FILE")),
            "decide": (configurations, self._with("config", "explain", "FILE", "--match", "Image=a,DestinationPort=1",
                                                  "--lenient", "--strict-sysmon")),
            "try": (configurations, self._with("config", "test", "FILE", self._log, "--lenient")),
            "read": (configurations, self._with("read", self._log, "--config", "FILE", "--lenient", "--to", "ndjson")),
            "hunt": (hunts, self._hunt),
            "status": ([self._state()], self._status),
            "lists": (["root:x:0:0:r:/:/bin/sh\n", "http 80/tcp www # w\n", "127.0.0.1 localhost\n"], self._lists),
        }  # fmt: skip

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _written(self, name: str, data: bytes) -> str:
        path = self._folder / name
        path.write_bytes(data)
        return str(path)

    def _small_log(self) -> str:
        target = str(self._folder / "log.ndjson")
        if run("read", str(LOG), "--limit", "12", "--to", "ndjson", "-o", target) != 0:
            raise SystemExit("found no rows in the example, expected 12")
        return target

    def _state(self) -> str:
        return (
            f'{{"process_id": {os.getpid()},\n"start_ticks": {start_ticks(os.getpid())},\n"boot_id": "{boot_id()}",\n'
            '"sensor": "ebpf",\n"start_time": "now",\n"hooks": [{"name": "a", "attached": true}],\n'
            '"captured": {"a": 1},\n"filtered": 1,\n"outputs": [],\n"lost": {"a": 1},\n"fallback_reason": null}\n'
        )

    def _rules(self, data: bytes) -> int:
        path = self._written("rule.yml", data)
        run("rules", "check", path, "--sql")
        return run("rules", "check", path, self._log, "--all", "--to", "ndjson")

    def _detect(self, data: bytes) -> int:
        return run("detect", self._log, "--rules", self._written("rule.yml", data), "--to", "ndjson")

    def _examples(self, data: bytes) -> int:
        rule = self._written("rule.yml", RULES[1].partition("---")[0].encode())
        return run("rules", "test", rule, "--events", self._written("rule.test.yml", data))

    def _with(self, *arguments: str) -> Callable[[bytes], int]:
        """Return a function that runs a verb with the input as its FILE, a configuration."""

        def made(data: bytes) -> int:
            path = self._written("sysmon.xml", data)
            return run(*(path if argument == "FILE" else argument for argument in arguments))

        return made

    def _hunt(self, data: bytes) -> int:
        hunts = self._made("hunts")
        (hunts / "fuzzed.sql").write_bytes(data)
        run("hunt", "fuzzed", "--describe", "--hunts", str(hunts))
        return run("hunt", "fuzzed", "--hunts", str(hunts), self._log, "--to", "ndjson")

    def _status(self, data: bytes) -> int:
        (status.RUNTIME_FOLDER / "recorder-1.json").write_bytes(data)
        return max(run("record", "--status"), run("record", "--status", "--to", "ndjson"))

    def _lists(self, data: bytes) -> int:
        text = data.decode("utf-8", "replace")
        users._parse_passwd(text)
        hosts._parse_hosts(text)
        ports._parse(Path(self._written("services", data)))
        return 0


def run(*arguments: str) -> int:
    """Return the exit code of a verb. Raises what the verb does not turn into an exit code."""
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO())),
        redirect_stdout(io.TextIOWrapper(io.BytesIO())),
        redirect_stderr(io.StringIO()),
    ):
        code = app.run(arguments)
    if code not in EXIT_CODES:
        raise AssertionError(f"found exit code {code}, expected one of docs/cli.md")
    return code


@contextmanager
def limited() -> Iterator[None]:
    """Raise Slow when the block takes too long; end the process if it cannot be interrupted."""

    def ring(*_: object) -> None:
        raise Slow(f"found an input that takes more than {SLOW_S} s of processor time")

    # Processor time, which does not depend on how busy the machine is.
    before = signal.signal(signal.SIGPROF, ring)
    faulthandler.dump_traceback_later(20 * SLOW_S, exit=True)
    signal.setitimer(signal.ITIMER_PROF, SLOW_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def tried(fuzz: Fuzz, target: str, data: bytes) -> int | None:
    """Return the exit code of an input; if it fails, store the input and return None."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    kept = ARTIFACTS / f"{target}-{hashlib.sha256(data).hexdigest()[:16]}"
    # Store it before it runs: it stays if it ends this process.
    kept.write_bytes(data)
    try:
        with limited():
            code = fuzz.targets[target][1](data)
    except (Exception, Slow):
        traceback.print_exc()
        sys.stderr.write(f"FAILED: {kept}\n")
        return None
    kept.unlink()
    return code


def main() -> int:
    """Fuzz for the given time; return 1 if an input failed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", metavar="TARGET")
    options.add_argument("--again", metavar="FILE", type=Path, help="run an input that failed, TARGET-...")
    options.add_argument("--go-on", action="store_true", help="do not end at the first input that fails")
    given = options.parse_args()
    if given.again:
        return int(_shift(given, 0, 0.0) > 0)
    failed, number, ends_s = 0, 0, time.monotonic() + given.seconds
    while time.monotonic() < ends_s and (given.go_on or not failed):
        # A process for each thousand: leftovers of more runs in one process are no fault of an input.
        if not (child := os.fork()):
            os._exit(min(_shift(given, number, ends_s), 255))
        failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        number += 1
    return int(failed != 0)


def _shift(given: argparse.Namespace, number: int, ends_s: float) -> int:
    """Try inputs until the given time, a thousand at most; return how many failed."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with tempfile.TemporaryDirectory(prefix="procwire-fuzz-") as folder:
        fuzz = Fuzz(Path(folder))
        if given.again:
            return int(tried(fuzz, given.again.name.partition("-")[0], given.again.read_bytes()) is None)
        targets = [given.only] if given.only else list(fuzz.targets)
        seed = given.seed + number
        chance = random.Random(seed)
        counts: Counter[str] = Counter()
        failed = 0
        while counts.total() < SHIFT and time.monotonic() < ends_s and (given.go_on or not failed):
            target = chance.choice(targets)
            code = tried(fuzz, target, mutated(fuzz.targets[target][0], chance))
            counts[f"{target} {code}"] += 1
            failed += code is None
        reported = ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
        sys.stderr.write(f"{counts.total():,} inputs with seed {seed}, {failed} failed ({reported})\n")
        return failed


if __name__ == "__main__":
    raise SystemExit(main())
