"""Damaged logs: every count is known, and each was checked by hand against the bytes.

How: the chunks' headers and records walked with struct and zlib, and the peers' counts; see the notes.
"""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import truth

import procwire

FILES = {
    "rdp": "evtx-corrupt/omerbenamram/2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx.gz",
    "no-crc": "evtx-corrupt/omerbenamram/Application_no_crc32.evtx.gz",
    "zero-size": "evtx-corrupt/omerbenamram/sample-with-zero-data-size-event.evtx.gz",
    "bad-magic": "evtx-corrupt/omerbenamram/sample_with_a_bad_chunk_magic.evtx.gz",
    "dns": "evtx-corrupt/williballenthin/dns_log_malformed.evtx.gz",
    "decompile": "evtx/splunk/hh_decompile_t1218.001_capattack/Microsoft-Windows-Sysmon%4Operational.evtx.gz",
    "procdump": "evtx/splunk/procdump_t1003.001_capattack/Microsoft-Windows-Sysmon%4Operational.evtx.gz",
    "security": "evtx-other/Velocidex/Security_1_record.evtx.gz",
    "exchange": "evtx-other/omerbenamram/issue_201.evtx.gz",
}

# rdp: pages of two chunks were overwritten by another chunk's: after 96 (97) of their records, of which the
#   last runs into the foreign page, the walk resumes in it (ids jump from 6335011 to 6952125, and from 6914519
#   to 6951742). Counted by hand: 129+130+128+129+129+129+129+52+130+129+128+130+130+129+130+116 = 1977.
# no-crc: the flag that says so is set, so that no checksum is bad.
# zero-size: the third record says 0 bytes; 117+113+125+95 = 450 by the chunks' headers.
# bad-magic: 4 chunks, of which 3 are zero from some page on; two pages of records without their chunk's header
#   count as bad chunks; the rest is zeros, no damage. 14+44+129+114 records, of which 3 end in zeros
#   and are broken (12224, 470632, 650816), and a stretch without records in those 3 chunks.
# decompile, procdump: dirty headers declare 1 chunk of 12 and 13.
# cut-off: examples/sysmon.evtx up to byte 1,000,000; 13 complete records of the cut chunk.
COUNTS = """
file      | records | events | others | foreign | damage
rdp       |    1977 |      0 |      0 |    1973 | bad checksum 2@4096, broken record 4@53200
no-crc    |      17 |      0 |      0 |      17 |
zero-size |     450 |      0 |      0 |     449 | bad checksum 1@4096, broken record 1@6176
bad-magic |     304 |      0 |      0 |     298 | bad checksum 3@4096, bad chunk 2@397312, broken record 6@12224
dns       |       5 |      0 |      0 |       5 |
decompile |     371 |      4 |    367 |       0 |
procdump  |     429 |      2 |    427 |       0 |
security  |       1 |      0 |      0 |       1 |
exchange  |       1 |      0 |      0 |       1 |
cut-off   |    1173 |    131 |   1042 |       0 | truncated chunk 1@987136
example   |    1730 |    153 |   1577 |       0 |
"""  # fmt: skip

# What --recover adds. Remnants are record heads whose template, or a name in it, is overwritten.
# bad-magic: the 83 remnants are the 15 and 68 record heads in the two bad chunks; the 50 record heads in the
#   slack of chunk 7 are all recovered.
# example: see test_recover.
RECOVERED = """
file      | records | events | recovered | others | foreign | remnants
rdp       |    1977 |      0 |         0 |      0 |    1973 | 91@490912
no-crc    |      17 |      0 |         0 |      0 |      17 | 34@29512
zero-size |     450 |      0 |         0 |      0 |     449 | 33@250992
bad-magic |     354 |      0 |         0 |      0 |     348 | 83@454920
dns       |       5 |      0 |         0 |      0 |       5 |
decompile |     372 |      4 |         0 |    368 |       0 | 2@134152
procdump  |     431 |      2 |         0 |    429 |       0 | 5@590128
security  |       1 |      0 |         0 |      0 |       1 | 78@7744
exchange  |       1 |      0 |         0 |      0 |       1 | 10@66064
example   |    1770 |    167 |        14 |   1603 |       0 | 32@1461224
"""

# The others of the entire corpus, likewise; those that lack damage and events are in test_truth.
CORPUS_COUNTS = """
file                                  | records | events | others | foreign | damage
evtx-corrupt/Yamato-Security/test1    |       0 |      0 |      0 |       0 |
evtx-corrupt/fox-it/TestLogX          |       0 |      0 |      0 |       0 |
evtx-corrupt/derived/trunc-issue_43   |    1173 |    131 |   1042 |       0 | truncated chunk 1@987136
evtx-other/fox-it/TestLogX            |       5 |      0 |      0 |       5 |
evtx/sans-blue-team/metasploit-sysmon |      59 |      1 |     58 |       0 |
"""


def params(table: str) -> list[Any]:
    found = []
    for line in table.strip().splitlines()[1:]:
        name, *cells = (cell.strip() for cell in line.split("|"))
        found.append(pytest.param(name, cells, id=name))
    return found


def read(path: Path, *, recover: bool = False) -> procwire.Ledger:
    ledger = procwire.Ledger()
    with suppress(procwire.InputError):
        procwire.scan(path, recover=recover, ledger=ledger).read_all()
    return ledger


def path_of(name: str, folder: Path) -> Path:
    if name == "example":
        return truth.EXAMPLE
    if name == "cut-off":
        path = folder / "cut-off.evtx"
        path.write_bytes(truth.EXAMPLE.read_bytes()[:1_000_000])
        return path
    return truth.DATA / FILES[name]


def damage(ledger: procwire.Ledger) -> str:
    [file] = ledger.files
    return ", ".join(f"{kind} {tally.count}@{tally.examples[0].offset}" for kind, tally in sorted(file.damage.items()))


def counts(ledger: procwire.Ledger) -> list[str]:
    [file] = ledger.files
    numbers = [file.records, file.events, file.other_events, file.other_providers]
    return [*map(str, numbers), damage(ledger)]


@pytest.mark.parametrize(("name", "expected"), params(COUNTS))
def test_counts_of_each_log_are_exact(name: str, expected: list[str], tmp_path: Path) -> None:
    assert counts(read(path_of(name, tmp_path))) == expected


@pytest.mark.parametrize(("name", "expected"), params(RECOVERED))
def test_counts_with_recover_are_exact(name: str, expected: list[str], tmp_path: Path) -> None:
    path = path_of(name, tmp_path)
    ledger = read(path, recover=True)
    [file] = ledger.files
    remnants = file.warnings.get("remnant not recoverable")
    numbers = [file.records, file.events, file.recovered, file.other_events, file.other_providers]
    assert [*map(str, numbers), f"{remnants.count}@{remnants.examples[0].offset}" if remnants else ""] == expected
    assert damage(ledger) == damage(read(path))


@pytest.mark.skipif("PROCWIRE_CORPUS" not in os.environ, reason="PROCWIRE_CORPUS names no folder with the corpus")
@pytest.mark.parametrize(("name", "expected"), params(CORPUS_COUNTS))
def test_counts_of_the_whole_corpus_are_exact(name: str, expected: list[str]) -> None:
    assert counts(read(Path(os.environ["PROCWIRE_CORPUS"]) / f"{name}.evtx")) == expected


def test_what_is_no_log_says_so(tmp_path: Path) -> None:
    """Nothing is read of an empty file and of a Git LFS pointer with an EVTX' name, and the error says why."""
    (tmp_path / "empty.evtx").touch()
    (tmp_path / "pointer.evtx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 69632\n")
    [empty] = read(tmp_path / "empty.evtx").files
    [pointer] = read(tmp_path / "pointer.evtx").files
    assert (empty.format, empty.error) == (None, "found an empty file, expected a log")
    assert (pointer.format, pointer.records) == (None, 0)
    assert pointer.error is not None
    assert pointer.error.startswith("found no format that is known")


def test_ledger_of_the_parts_adds_up() -> None:
    """Each record is counted once: as an event, as one skipped, or as damage."""
    for path in sorted((truth.DATA / "evtx-corrupt").rglob("*.gz")):
        [file] = read(path).files
        broken = file.damage["broken record"].count if "broken record" in file.damage else 0
        assert file.records == file.events + file.other_events + file.other_providers + broken
        assert file.bytes == len(gzip.decompress(path.read_bytes()))
