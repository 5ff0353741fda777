"""A mapping makes connections of a log whose keys procwire does not know: only of its records, and never wrong ones."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import procwire
from command_line import invoke
from procwire.errors import InputError, UsageError
from procwire.ledger import Ledger
from procwire.mapping import propose, try_mapping
from procwire.sources.mappings import load_mapping

EDR: dict[str, Any] = {
    "event_type": "netconn", "ts": "2024-05-14T09:13:27.481Z", "hostname": "WS-17",
    "process": {"pid": 6712, "path": "C:\\tmp\\upd.exe", "user": "CORP\\mara", "parentPid": 4},
    "conn": {"localIp": "10.20.30.41", "local_port": 50122, "remote_ip": "203.0.113.77", "remotePort": 4444,
             "proto": "TCP", "direction": "outbound", "remote_host": "c2.bad.example"},
}  # fmt: skip
MAPPING = """
[records]
event_type = ["netconn", "netflow"]

[fields]
UtcTime = "ts"
Image = "process.path"
process_id = ["process.ppid", "process.pid"]
LocalIp = "conn.localIp"
LocalPort = "conn.local_port"
RemoteIp = "conn.remote_ip"
RemotePort = "conn.remotePort"
RemoteHostname = "conn.remote_host"
Protocol = "conn.proto"
Initiated = "conn.direction"

[values.Initiated]
outbound = true
inbound = false

[values.Protocol]
tcp = "tcp"
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "edr.toml"
    path.write_text(MAPPING)
    return path


def written(folder: Path, *records: object, name: str = "edr.ndjson") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def ends(row: dict[str, Any]) -> tuple[object, ...]:
    return (row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"], row["network_connection_initiated"])


def test_a_record_becomes_the_row_that_the_mapping_says(tmp_path: Path, mapping: Path) -> None:
    [row] = procwire.read(written(tmp_path, EDR), mapping=mapping).to_pylist()
    assert ends(row) == ("10.20.30.41", 50122, "203.0.113.77", 4444, True)
    assert (row["process_id"], row["process_name"]) == (6712, "C:\\tmp\\upd.exe")
    assert (row["network_protocol"], row["dst_host_name"]) == ("tcp", "c2.bad.example")
    assert row["event_creation_time"].isoformat() == "2024-05-14T09:13:27.481000+00:00"
    assert (row["dst_is_ipv6"], row["user_name"], row["process_guid"]) == (False, None, None)


def test_the_ends_of_inbound_connections_are_exchanged(tmp_path: Path, mapping: Path) -> None:
    inbound = EDR | {"conn": EDR["conn"] | {"direction": "INBOUND"}}
    [row] = procwire.read(written(tmp_path, inbound), mapping=mapping).to_pylist()
    assert ends(row) == ("203.0.113.77", 4444, "10.20.30.41", 50122, False)
    assert (row["src_host_name"], row["dst_host_name"]) == ("c2.bad.example", None)


def test_other_records_are_counted_and_broken_ones_are_damage(tmp_path: Path, mapping: Path) -> None:
    nowhere = EDR | {"conn": {"proto": "tcp"}}
    path = written(tmp_path, EDR, EDR | {"event_type": "filewrite"}, {"hello": "world"}, nowhere)
    with path.open("a") as file:
        file.write('{"event_type": "netconn", "conn": }\n')
    ledger = Ledger()
    assert procwire.read(path, mapping=mapping, ledger=ledger).num_rows == 1
    [account] = ledger.files
    assert (account.records, account.events, account.other_providers) == (5, 1, 2)
    assert account.damage["broken record"].count == 2


def test_records_are_found_in_lists_and_documents(tmp_path: Path, mapping: Path) -> None:
    for document in ([EDR, EDR], {"hits": {"hits": [{"_id": 1, "_source": EDR}, {"_id": 2, "_source": EDR}]}}):
        table = procwire.read(written(tmp_path, document), mapping=mapping)
        assert [ends(row)[0] for row in table.to_pylist()] == ["10.20.30.41"] * 2


def test_names_with_dots_are_found(tmp_path: Path, mapping: Path) -> None:
    flat = {f"conn.{key}": value for key, value in EDR["conn"].items()}
    flat |= {f"process.{key}": value for key, value in EDR["process"].items()}
    [row] = procwire.read(written(tmp_path, EDR | {"conn": None, "process": {}} | flat), mapping=mapping).to_pylist()
    assert ends(row) == ("10.20.30.41", 50122, "203.0.113.77", 4444, True)


def test_a_csv_of_unknown_columns_is_read(tmp_path: Path) -> None:
    log = tmp_path / "flows.csv"
    log.write_text('when,app,from,to,"to port"\n2024-05-14 09:13:27,upd.exe,10.0.0.1,203.0.113.9,443\n,,,,\n')
    mapping = tmp_path / "flows.toml"
    mapping.write_text('provider = "Flows"\n[fields]\nUtcTime = "when"\nImage = "app"\nSourceIp = "from"\n'
                       'DestinationIp = "to"\nDestinationPort = "to port"\n')  # fmt: skip
    ledger = Ledger()
    [row] = procwire.read(log, mapping=mapping, ledger=ledger).to_pylist()
    assert (row["src_ip"], row["dst_ip"], row["dst_port"], row["provider_name"]) == (
        "10.0.0.1", "203.0.113.9", 443, "Flows")  # fmt: skip
    assert row["source_line"] == 2
    assert ledger.damage == {"broken record": 1}


def test_a_key_may_hold_the_event_as_text(tmp_path: Path, example_log: str) -> None:
    xml = tmp_path / "events.xml"
    procwire.export(example_log, xml, limit=2)
    events = re.findall("<Event[ >].*?</Event>", xml.read_text(), re.DOTALL)
    assert len(events) == 2
    log = written(tmp_path, *({"payload": {"blob": event}} for event in events))
    mapping = tmp_path / "blob.toml"
    mapping.write_text('text = "payload.blob"\n')
    columns = ["process_guid", "dst_ip", "dst_port"]
    expected = procwire.read(example_log, limit=2, columns=columns)
    assert procwire.read(log, mapping=mapping, columns=columns).equals(expected)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("", ["found neither fields nor text"]),
        ("a = [", ["found no TOML"]),
        ('[field]\nImage = "a"\n', ["found 'field', expected one of", "did you mean 'fields'"]),
        ('[fields]\nDestinatonIp = "a"\nImage = 1.5\nUser = {a = 1}\n',
         ["did you mean 'DestinationIp'", "fields.User: found {'a': 1}"]),
        ('[fields]\nSourceIp = "a"\nLocalIp = "b"\n', ["found two names of src_ip"]),
        ('fields = 3\nprovider = 4\n', ["fields: found 3, expected a table", "provider: found 4"]),
        ('[fields]\nImage = "a"\n[values]\nInitiated = "x"\n', ["values.Initiated: found 'x', expected a table"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_mapping_is_named_at_once(text: str, errors: list[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_mapping(path)
    for error in errors:
        assert error in str(raised.value)
    found = invoke("read", written(tmp_path, EDR), "--map", path)
    assert (found.exit_code, found.stdout) == (2, "")


def test_what_is_proposed_for_a_log_reads_it(tmp_path: Path) -> None:
    log = written(tmp_path, EDR, EDR | {"event_type": "filewrite", "file": "C:\\x"})
    proposal = propose([log])
    found = tomllib.loads(proposal.toml)
    assert found["records"] == {"event_type": ["netconn"]}
    assert found["fields"]["RemoteIp"] == "conn.remote_ip"
    assert found["values"]["Initiated"] == {"outbound": True, "inbound": False}
    assert proposal.unused.keys() == {"process.parentPid", "file"}
    mapping = tmp_path / "proposed.toml"
    mapping.write_text(proposal.toml)
    [row] = procwire.read(log, mapping=mapping).to_pylist()
    assert ends(row) == ("10.20.30.41", 50122, "203.0.113.77", 4444, True)
    assert (row["computer_name"], row["user_name"], row["process_id"]) == ("WS-17", "CORP\\mara", 6712)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 5000, b"hello\nworld\n", b"{" * 100_000, b'{"a":' * 50_000, b"[1, 2"]
)
def test_no_proposal_for_what_has_no_records(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(InputError):
        propose([path])


def test_a_trial_shows_rows_and_unused_keys(tmp_path: Path, mapping: Path) -> None:
    log = written(tmp_path, *[EDR] * 5)
    trial = try_mapping(mapping, [log], limit=2)
    assert [row["dst_ip"] for row in trial.rows] == ["203.0.113.77"] * 2
    assert trial.unused.keys() == {"hostname", "process.user", "process.parentPid"}
    shown = invoke("map", "try", mapping, log, "--names", "sysmon")
    assert (shown.exit_code, shown.stdout.count("DestinationIp")) == (0, 3)
    assert "3 keys not used" in shown.stderr


def test_the_lake_takes_no_mapping(tmp_path: Path, mapping: Path) -> None:
    found = invoke("read", written(tmp_path, EDR), "--map", mapping, "--lake", tmp_path / "lake")
    assert found.exit_code == 2
    assert "--map" in found.stderr
