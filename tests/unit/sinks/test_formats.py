"""The table of formats: what each verb offers follows from it, and nothing of a new format is guessed."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

import procwire
from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA, SCHEMA
from procwire.sinks import formats
from procwire.sinks.formats import FORMATS, Format, canonical, format_named, format_of_path
from procwire.sinks.recording import RecordingOutput


def record(way: str, path: Path) -> None:
    RecordingOutput(
        way, path, LIVE_SCHEMA, rotate_bytes=None, rotate_s=None, keep=None, terminal=None, stream=None
    ).close()


def test_names_aliases_and_suffixes_are_each_of_one_format() -> None:
    names = [name for each in FORMATS for name in (each.name, *each.aliases)]
    suffixes = [suffix for each in FORMATS for suffix in each.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert (canonical("json"), canonical("csv")) == ("ndjson", "csv")
    with pytest.raises(UsageError, match="found the format 'jsn', expected one of table, ndjson"):
        format_named("jsn")


def test_suffix_chooses_the_format_and_an_unknown_one_is_refused() -> None:
    assert format_of_path(PurePath("a.JSONL")) == "ndjson"
    assert format_of_path(PurePath("a.b/rows")) == format_of_path(PurePath("/dev/null")) == "ndjson"
    with pytest.raises(UsageError, match=r"found the suffix \.xlsx in -o a\.xlsx, expected one of \.ndjson, "):
        format_of_path(PurePath("a.xlsx"))


@pytest.mark.parametrize("each", [each for each in FORMATS if each.sink], ids=lambda each: each.name)
def test_every_format_opens(each: Format) -> None:
    each.open(io.BytesIO(), LIVE_SCHEMA if each.live_only else SCHEMA).close()


def test_where_rows_go_to_no_stream_none_is_opened() -> None:
    with pytest.raises(UsageError, match="found the format lake"):
        format_named("lake").open(io.BytesIO(), SCHEMA)


def test_format_of_unknown_files_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new binary format would otherwise be taken for lines, and cut at its last newline."""
    path = tmp_path / "rows.new"
    path.write_bytes(b"\x00binary\nand more")
    monkeypatch.setitem(formats._BY_NAME, "new", Format("new", "arrow.ArrowSink", (".new",), binary=True))
    with pytest.raises(UsageError, match="found new, expected a format of which a recording can keep a file"):
        record("new", path)
    assert path.read_bytes() == b"\x00binary\nand more"
    with pytest.raises(UsageError, match="found the format 'newer'"):
        record("newer", path)


def test_text_format_without_a_mark_goes_on_with_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The existing file stays beside the new one, complete."""
    path = tmp_path / "rows.new"
    path.write_bytes(b"a line\nand a part of one")
    monkeypatch.setitem(formats._BY_NAME, "new", Format("new", "table.TableSink", recorded="text"))
    record("new", path)
    assert b"a line\nand a part of one" in [file.read_bytes() for file in tmp_path.iterdir()]


def test_table_is_read_without_arrow() -> None:
    """The command line lists the formats, and a recording of lines asks for them."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import procwire.sinks.formats, procwire.choices; "
    code += "print({'pyarrow', 'dataclasses'} & set(sys.modules))"
    package = str(Path(procwire.__file__).parents[1])
    ran = subprocess.run([sys.executable, "-S", "-c", code, package], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
