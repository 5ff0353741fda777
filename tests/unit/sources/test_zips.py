"""Zips of every make: the members that Python's own writer packs are the members that are read."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from procwire.sources.inputs import open_inputs
from procwire.sources.zips import members

CONTENT = {"a": b"", "folder/b": bytes(range(256)) * 500, "ü": os.urandom(70_000), "n" * 300: b"1"}


class Unseekable(io.RawIOBase):
    """As a pipe: sizes and checksums stand behind the bytes."""

    def __init__(self) -> None:
        self.raw = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, raw: bytes) -> int:  # type: ignore[override]
        self.raw += raw
        return len(raw)


def read(path: Path) -> dict[str, bytes]:
    found = {}
    for entry in open_inputs([path]):
        assert not isinstance(entry.source, Exception | str), entry
        content = bytearray()
        while piece := entry.source.read(1_000):
            content += piece
        found[entry.name.removeprefix(f"{path}!")] = bytes(content)
    return found


def written(file: object, **options: object) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.mkdir("folder")
        for name, content in CONTENT.items():
            with archive.open(name, "w", **options) as member:
                member.write(content)


@pytest.mark.parametrize("force_zip64", [False, True])
def test_members_are_those_that_were_packed(force_zip64: bool, tmp_path: Path) -> None:
    written(tmp_path / "a.zip", force_zip64=force_zip64)
    assert read(tmp_path / "a.zip") == CONTENT


def test_sizes_may_stand_behind_the_bytes(tmp_path: Path) -> None:
    file = Unseekable()
    written(file)
    (tmp_path / "a.zip").write_bytes(file.raw)
    assert read(tmp_path / "a.zip") == CONTENT


def test_a_comment_and_bytes_before_a_zip_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.comment = b"c" * 60_000
    raw = (tmp_path / "a.zip").read_bytes()
    # One zip behind another: the last one's directory is that of the file.
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(100) + raw)
    assert read(tmp_path / "a.zip") == CONTENT


def test_a_directory_in_64_bits_is_read() -> None:
    file = io.BytesIO()
    written(file)
    raw = bytearray(file.getvalue())
    at = raw.rindex(b"PK\x05\x06")
    *_, count, size, start, _ = struct.unpack_from("<4s4H2LH", raw, at)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    found, error = members(io.BytesIO(bytes(raw[:at]) + wide + locator + end), 100)
    assert error is None
    assert [member.name for member in found] == ["folder/", *CONTENT]


@pytest.mark.parametrize("cut", [1, 22, 100, 1_000])
def test_a_zip_that_is_cut_off_says_so(cut: int) -> None:
    file = io.BytesIO()
    written(file)
    with pytest.raises(zipfile.BadZipFile, match="cut off"):
        members(io.BytesIO(file.getvalue()[:-cut]), 100)


def test_members_before_a_broken_entry_of_the_directory_are_read() -> None:
    file = io.BytesIO()
    written(file)
    raw = file.getvalue()
    at = raw.rindex(b"PK\x01\x02")
    found, error = members(io.BytesIO(raw[:at] + b"XX" + raw[at + 2 :]), 100)
    assert [member.name for member in found] == ["folder/", *list(CONTENT)[:-1]]
    assert isinstance(error, zipfile.BadZipFile)
