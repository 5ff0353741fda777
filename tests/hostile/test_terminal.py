"""Nothing that is shown can drive or deceive a terminal; what goes to machines stays exact; CSV stays data."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from event_rows import full_row
from procwire.event import SCHEMA
from procwire.plain import UNSAFE_PATTERN, plain, plain_line
from procwire.sinks import SINKS, Terminal, open_sink
from procwire.sinks.plain import plain_text

COMMAND = [sys.executable, "-c", "from procwire.cli import main; main()"]
ESCAPE = "\x1b[2J\x1b]0;owned\x07"
BIDI = "\u202egpj.exe\u2066\u200b\u200d\u2060\ufeff\U000e0041\x9b31m\x7f"
EVIL = f"evil{ESCAPE}{BIDI}end"
# What procwire itself may send: colours, and what Rich's progress needs.
OURS = re.compile(r"\x1b\[[0-9;]*m|\r+\n")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of one connection whose every text is hostile."""
    texts = {"process_name": f"C:\\{EVIL}", "user_name": EVIL, "dst_host_name": EVIL, "computer_name": EVIL}
    path = tmp_path_factory.mktemp("log") / "evil.ndjson"
    with path.open("wb") as file:
        sink = open_sink("ndjson", file, SCHEMA)
        sink.write(pa.RecordBatch.from_pylist([full_row(texts)], SCHEMA))
        sink.close()
    return path


def on_terminal(*arguments: str | bytes | Path) -> str:
    """What a terminal is sent, stdout and stderr, without the sequences that are procwire's own."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "400"}
    command = [*COMMAND, *(part if isinstance(part, bytes) else str(part) for part in arguments)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    sent = b""
    try:
        while part := os.read(leader, 65_536):
            sent += part
    except OSError:
        pass  # Linux's way to say that the other end is closed.
    finally:
        os.close(leader)
    process.wait(60)
    return OURS.sub("\n", sent.decode())


def assert_safe(text: str) -> None:
    assert "\ufffd" in text or "end" in text
    found = [character for character in text if character != "\n" and UNSAFE_PATTERN.match(character)]
    assert found == [], text


@pytest.mark.parametrize("format", [way for way, found in SINKS.items() if not found.binary])
@pytest.mark.parametrize("target", [(), ("-o", "/dev/stdout"), ("-o", "/dev/tty")], ids=["stdout", "by-name", "tty"])
def test_every_format_is_safe_on_a_terminal(log: Path, format: str, target: tuple[str, ...]) -> None:
    if "/dev/tty" in target and not has_tty():
        target = ("-o", "/proc/self/fd/1")
    assert_safe(on_terminal("read", log, "--to", format, *target))


def has_tty() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_WRONLY))
    except OSError:
        return False
    return True


def test_what_a_terminal_shows_of_json_and_xml_is_still_the_data(log: Path) -> None:
    sent = on_terminal("read", log, "--to", "ndjson").splitlines()
    [row] = [json.loads(line) for line in sent if line.startswith("{")]
    assert row["user_name"] == EVIL
    sent = on_terminal("read", log, "--to", "xml").splitlines()
    found = ElementTree.fromstring("\n".join(sent[: sent.index("</Events>") + 1]))
    [user] = [data.text for data in found.iter() if data.get("Name") == "User"]
    # XML has no place for ESC and BEL.
    assert user == EVIL.replace("\x1b", "\ufffd").replace("\x07", "\ufffd")


@pytest.mark.parametrize("format", ["table", "ndjson", "csv", "csv-safe"])
def test_columns_that_a_query_names_are_safe(log: Path, format: str) -> None:
    query = f'SELECT user_name AS "{EVIL}\nnext", 1 AS "=1+1{ESCAPE}" FROM connections'
    shown = on_terminal("sql", query, log, "--to", format)
    assert_safe(shown)
    assert "Traceback" not in shown


def test_no_cell_begins_as_a_formula_where_semicolons_separate() -> None:
    assert csv_safe("a;=1+1", "a; @x", " =1", "a;b", "a=1") == ["a;'=1+1", "a;' @x", "' =1", "a;b", "a=1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", f"/nowhere/{EVIL}"),
        ("read", b"/nowhere/\xffend\x1b[2J"),
        ("read", "--columns", EVIL, "{log}"),
        ("read", "--where", f"{EVIL} = 1", "{log}"),
        ("read", f"--{EVIL}", "{log}"),
        ("read", "{log}", "-o", f"/nowhere/{EVIL}/rows.csv"),
        ("read", "{log}", "--ledger", f"/nowhere/{EVIL}/ledger.json"),
        ("read", "{log}", "--config", f"/nowhere/{EVIL}.xml"),
        ("sql", f'SELECT * FROM "{EVIL}"', "{log}"),
        ("sql", f"SELECT error('{EVIL}')", "{log}"),
        ("hunt", EVIL),
        ("hunt", "beacons", "--param", f"{EVIL}=1", "{log}"),
        ("detect", "--rules", f"/nowhere/{EVIL}", "{log}"),
        ("lake", "info", "--lake", f"/nowhere/{EVIL}"),
        ("config", "check", f"/nowhere/{EVIL}"),
        ("sigma", "check", f"/nowhere/{EVIL}"),
        ("guid", EVIL),
        (EVIL,),
    ],
    ids=str,
)
def test_messages_are_safe(log: Path, arguments: tuple[str | bytes, ...]) -> None:
    assert_safe(on_terminal(*(str(log) if part == "{log}" else part for part in arguments)))


def test_names_of_files_that_are_read_are_safe(tmp_path: Path, log: Path) -> None:
    (tmp_path / f"{EVIL}.ndjson").write_bytes(log.read_bytes())
    for way in ("table", "csv", "ndjson"):
        assert_safe(on_terminal("read", tmp_path, "--columns", "source_file", "--to", way))


@pytest.mark.parametrize("verb", [("explain",), ("explain", "--sql"), ("check",), ("check", "--notes")], ids=str)
def test_configurations_are_safe(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """XML holds of it what is not C0."""
    path = tmp_path / "config.xml"
    path.write_text(
        f'<Sysmon schemaversion="4.90"><EventFiltering><RuleGroup name="{BIDI}end" groupRelation="or">'
        f'<NetworkConnect onmatch="include"><Image name="{BIDI}end" condition="is">{BIDI}end</Image>'
        f'<Image condition="{BIDI}end">a</Image></NetworkConnect>'
        "</RuleGroup></EventFiltering></Sysmon>",
        encoding="utf-8",
    )
    assert_safe(on_terminal("config", verb[0], path, "--lenient", *verb[1:]))


@pytest.mark.parametrize("verb", ["check", "detect", "detect-table"])
def test_rules_are_safe(tmp_path: Path, log: Path, verb: str) -> None:
    escaped = "".join(f"\\U{ord(character):08x}" for character in EVIL)
    for name, condition in (("good", "any"), ("bad", "no")):
        (tmp_path / f"{name}.yml").write_text(
            f'title: "{escaped}"\nid: 7e9f0f4e-0000-4000-8000-00000000000{len(name)}\nlevel: high\n'
            f'author: "{escaped}"\ntags: ["{escaped}"]\ndescription: "{escaped}"\n'
            "logsource: {category: network_connection, product: windows}\n"
            f"detection: {{any: {{DestinationPort: 138}}, condition: {condition}}}\n"
        )
    found = {
        "check": ("sigma", "check", tmp_path, log),
        "detect": ("detect", "--rules", tmp_path, log, "--to", "ndjson"),
        "detect-table": ("detect", "--rules", tmp_path, log),
    }
    assert_safe(on_terminal(*found[verb]))


@pytest.mark.parametrize("arguments", [("hunt",), ("hunt", "mine", "--describe"), ("hunt", "mine", "{log}")])
def test_hunts_are_safe(tmp_path: Path, log: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "mine.sql").write_text(
        f"-- A title {EVIL}\n--\n-- Says {EVIL}.\n--\n-- Columns:\n--   user_name   text   {EVIL}\n\n"
        "SELECT user_name FROM connections\n"
    )
    parts = [str(log) if part == "{log}" else part for part in arguments]
    assert_safe(on_terminal(*parts, "--hunts", tmp_path))


def test_a_pipe_gets_exact_bytes(log: Path) -> None:
    """It may lead to a program; for people there is csv-safe."""
    for arguments in (
        ("read", str(log), "--to", "csv"),
        ("sql", "FROM connections", str(log), "--to", "csv"),
    ):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, check=True)
        [row] = csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
        assert row["user_name"] == EVIL


def csv_safe(*texts: str | None) -> list[str]:
    stream = io.BytesIO()
    sink = open_sink("csv-safe", stream, pa.schema([("=head", pa.string()), ("n", pa.int64())]))
    for text in texts:
        sink.write(pa.record_batch([pa.array([text], pa.string()), pa.array([-1], pa.int64())], names=["=head", "n"]))
    sink.close()
    rows = list(csv.reader(io.StringIO(stream.getvalue().decode(), newline="")))
    assert rows[0] == ["'=head", "n"]
    assert {row[1] for row in rows[1:]} == {"-1"}
    return [row[0] for row in rows[1:]]


def test_no_cell_of_safe_csv_is_a_formula() -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=cmd|"/c calc"!A1', "\uff1d1", "=,\n"]
    for text, cell in zip(formulas, csv_safe(*formulas), strict=True):
        assert cell[0] == "'"
        assert cell[1:] == plain_line(text)


def test_safe_csv_changes_nothing_else() -> None:
    texts = ["a=b", "C:\\x -y", "'=1", "", 'say "hi", twice', "1-1", "é漢"]
    assert csv_safe(*texts) == texts
    assert csv_safe(None) == [""]


@pytest.mark.parametrize("verb", ["read", "sql", "hunt", "detect", "export", "record"])
def test_safe_csv_is_a_format_of_every_verb_with_rows(verb: str) -> None:
    done = subprocess.run(
        [*COMMAND, *(("lake", "export") if verb == "export" else (verb,)), "--help"], capture_output=True, check=True
    )
    assert b"csv-safe" in done.stdout


def test_what_is_unsafe_is_all_of_unicodes_controls_and_formats() -> None:
    """But for the signs that only join the letters of some scripts with numbers, which show."""
    shown = set(range(0x600, 0x606)) | {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    shown |= set(range(0x13430, 0x13440)) | set(range(0x1BCA0, 0x1BCA4))
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in shown:
            assert UNSAFE_PATTERN.match(chr(code)), hex(code)


def test_texts_and_columns_are_made_plain_alike() -> None:
    texts = [chr(code) for code in range(0x20_000) if not 0xD800 <= code <= 0xDFFF]
    texts += [chr(code) for code in range(0xE0000, 0xE1000)]
    assert plain_text(pa.array(texts, pa.string())).to_pylist() == [plain_line(text) for text in texts]
    assert plain("a\nb\x1b") == "a\nb\ufffd"


def test_a_sink_for_a_file_changes_nothing() -> None:
    """The same rows, with and without a terminal."""
    batch = pa.RecordBatch.from_pylist([full_row({"user_name": BIDI})], SCHEMA)
    for way in ("ndjson", "xml"):
        exact, shown = io.BytesIO(), io.BytesIO()
        for stream, terminal in ((exact, None), (shown, Terminal(80))):
            sink = open_sink(way, stream, SCHEMA, terminal)
            sink.write(batch)
            sink.close()
        assert "\u202e" in exact.getvalue().decode()
        assert "\u202e" not in shown.getvalue().decode()
