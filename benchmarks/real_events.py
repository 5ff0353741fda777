"""The real events of the repository, from which large inputs are made."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import winlogbeat

REPOSITORY = Path(__file__).resolve().parent.parent
_DATA = REPOSITORY / "tests" / "data"
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

SAMPLE_EVTX = REPOSITORY / "examples" / "sysmon.evtx"
SPLUNK_EVTX = sorted((_DATA / "evtx" / "splunk").glob("*/*.evtx.gz"))


def text_of(path: Path) -> str:
    """Return a file's text, unpacked."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def xml_connections() -> list[str]:
    """Return event 3 as Windows exports it."""
    texts = [
        text_of(_DATA / "xml-json-derived" / "issue_43.events.xml.gz"),
        text_of(_DATA / "xml" / "splunk-xmlwineventlog-example.xml"),
    ]
    return [event for text in texts for event in re.findall(r"<Event .*?</Event>", text, re.DOTALL)]


def xml_others() -> list[str]:
    """Return the other events of the sample log as Windows exports them."""
    dump = text_of(_DATA / "xml-json-derived" / "issue_43.evtx_dump.jsonl.gz")
    events = [json.loads(line)["Event"] for line in dump.splitlines()]
    return [_event_xml(event) for event in events if event["System"]["EventID"] != 3]


def _event_xml(event: Mapping[str, Any]) -> str:
    system = "".join(_element_xml(name, value) for name, value in event["System"].items())
    data = "".join(f"<Data Name={_quoted(name)}>{_text(value)}</Data>" for name, value in event["EventData"].items())
    return f"<Event xmlns='{_NAMESPACE}'><System>{system}</System><EventData>{data}</EventData></Event>"


def _element_xml(name: str, value: Any) -> str:
    if isinstance(value, dict):
        attributes = "".join(
            # The dump omits a GUID's braces.
            f" {key}={_quoted('{' + text + '}' if key == 'Guid' else text)}"
            for key, text in value["#attributes"].items()
        )
        return f"<{name}{attributes}/>"
    return f"<{name}/>" if value is None else f"<{name}>{_text(value)}</{name}>"


def _quoted(value: Any) -> str:
    return "'" + quoteattr(str(value))[1:-1].replace("'", "&apos;") + "'"


def _text(value: Any) -> str:
    return "" if value is None else escape(str(value))


def winlogbeat_connections() -> list[str]:
    """Event 3 as lines of Winlogbeat 7."""
    paths = sorted((_DATA / "json" / "mordor" / "winlogbeat6").glob("*.gz"))
    records = (json.loads(line) for path in paths for line in text_of(path).splitlines())
    return [winlogbeat.line(winlogbeat.from_winlogbeat6(record)) for record in records]


def winlogbeat_others() -> list[str]:
    """Other Sysmon events as lines of Winlogbeat 7."""
    return [winlogbeat.line(winlogbeat.from_nxlog(record)) for record in _nxlog() if _is_other(record)]


def _nxlog() -> Iterator[dict[str, Any]]:
    archive = _DATA / "json" / "mordor-whole" / "covenant_lolbin_wuauclt_createremotethread.zip"
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            yield from (json.loads(line) for line in members.read(name).splitlines())


def _is_other(record: Mapping[str, Any]) -> bool:
    return record["SourceName"] == "Microsoft-Windows-Sysmon" and record["EventID"] != 3 and "Message" in record


def syslog_lines() -> list[str]:
    """Lines of Sysmon for Linux, of all events."""
    lines = text_of(_DATA / "linux" / "log4shell.part1.derived.syslog.gz").splitlines(keepends=True)
    return [line for line in lines if line.endswith("</Event>\n")]


def csv_rows() -> tuple[str, list[str]]:
    """Header and rows of a Sentinel export."""
    text = text_of(_DATA / "csv-azure" / "Microsoft_Sysmon_NetworkSession_IngestedLogs.rows.csv")
    header, *rows = text.splitlines(keepends=True)
    return header, [row if row.endswith("\n") else row + "\n" for row in rows]
