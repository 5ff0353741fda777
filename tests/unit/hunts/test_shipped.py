"""Every hunt that comes with procwire finds what is planted, and leaves the noise around it alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from event_rows import Row
from hunting_ground import DAY_S, HOUR_S, connection, found, row, rows
from procwire.hunts import Hunt, find, load

SHIPPED = load()
REQUIRED = {"process": "app.exe", "computer": "WS-1", "destination": "203.0.113.9"}
SPARSE = [
    dict.fromkeys(row()) | {"event_creation_time": row(at_s)["event_creation_time"]} | known
    for at_s in range(60)
    for known in ({}, {"network_connection_initiated": True}, {"network_connection_initiated": False})
]
"""Rows of which next to nothing is known."""


def required(hunt: Hunt) -> dict[str, object]:
    return {parameter.name: REQUIRED[parameter.name] for parameter in hunt.parameters if parameter.required}


def of_fleet(computers: int, **changes: Any) -> list[Row]:
    """The same on many computers, twice in a while."""
    return [
        row(at_s, **{"computer_name": f"PC-{number}", "src_ip": f"10.0.1.{number}", **changes})
        for number in range(computers)
        for at_s in (0, 20 * DAY_S)
    ]


@pytest.mark.parametrize("hunt", SHIPPED, ids=lambda hunt: hunt.name)
def test_header_is_whole(hunt: Hunt) -> None:
    """A title of one line, a description, meanings throughout; every parameter is used, and no other."""
    assert hunt.title
    assert hunt.description
    assert all(parameter.meaning for parameter in hunt.parameters)
    assert all(column.meaning for column in hunt.columns)
    body = re.sub(r"--[^\n]*", "", hunt.sql)
    assert set(re.findall(r"\$(\w+)", body)) == {parameter.name for parameter in hunt.parameters}


@pytest.mark.parametrize("hunt", SHIPPED, ids=lambda hunt: hunt.name)
def test_nothing_is_found_in_nothing(hunt: Hunt) -> None:
    """With the columns that the header says."""
    result = hunt.run(connection([]), **required(hunt)).read_all()
    assert result.num_rows == 0
    assert result.schema == hunt.schema


@pytest.mark.parametrize("hunt", SHIPPED, ids=lambda hunt: hunt.name)
def test_nulls_do_no_harm(hunt: Hunt) -> None:
    """Rows of which next to nothing is known change nothing of what is found, but in top_talkers, which counts them."""
    made = of_fleet(3) + rows(range(0, DAY_S, 600))
    alone = hunt.run(connection(made), **required(hunt)).read_all().to_pylist()
    among = hunt.run(connection(made + SPARSE), **required(hunt)).read_all().to_pylist()
    keys = ("process_name", "dst_ip", "aspect", "value", "connections")
    pick = [tuple(hit.get(key) for key in keys) for hit in among if hunt.name != "top_talkers" or hit["process_name"]]
    assert pick == [tuple(hit.get(key) for key in keys) for hit in alone]


def test_first_seen_finds_what_the_past_does_not_have() -> None:
    old = of_fleet(5, process_name="C:\\old.exe", dst_host_name="update.example")
    made = [
        *old,
        row(19 * DAY_S, process_name="C:\\old.exe", dst_ip="203.0.113.50", dst_host_name="new.example"),
        row(19 * DAY_S, process_name="D:\\NEW.exe", dst_ip="203.0.113.51"),
        row(19 * DAY_S, process_name="C:\\old.exe", dst_ip="203.0.113.99", dst_host_name="Update.example"),
        row(19 * DAY_S, process_name="C:\\old.exe", dst_ip="127.0.0.1"),
    ]
    hits = found("first_seen", made)
    assert [(hit["process_base_name"], hit["destination"], hit["process_is_new"]) for hit in hits] == [
        ("new.exe", "203.0.113.51", True),
        ("old.exe", "new.example", False),
    ]
    assert found("first_seen", made, since="2024-05-20T12:00:00") == []
    assert len(found("first_seen", made, since="2024-04-01")) == 3


@pytest.mark.parametrize("name", ["first_seen", "rare_destinations"])
def test_programs_of_few_destinations_stand_first(name: str) -> None:
    """A browser's next place comes last, whoever else goes there once."""
    browsing = [
        row(at_s * DAY_S / 10, process_name="C:\\Browser.exe", dst_ip=f"198.51.100.{at_s}", computer_name="PC-1")
        for at_s in range(200)
    ]
    tool = [row(at_s * DAY_S, process_name="C:\\tool.exe", dst_ip=f"203.0.113.{at_s}") for at_s in (1, 2, 19)]
    made = of_fleet(3) + browsing + tool
    hits = found(name, made)
    assert hits[0]["dst_ip"] == "203.0.113.19"
    assert {hit["dst_ip"] for hit in hits[-9:]} <= {call["dst_ip"] for call in browsing}


def test_rare_destinations_are_those_of_one_computer_in_the_internet() -> None:
    made = [
        *of_fleet(30),
        row(5, computer_name="PC-3", dst_ip="203.0.113.77", dst_host_name="rare.example"),
        row(6, computer_name="PC-3", dst_ip="203.0.113.77", dst_port=80, process_name="C:\\b.exe"),
        row(7, computer_name="PC-3", dst_ip="10.0.9.9"),
        row(8, computer_name="PC-3", dst_ip="224.0.0.251"),
    ]
    [hit] = found("rare_destinations", made)
    assert (hit["dst_ip"], hit["dst_host_name"], hit["computers"]) == ("203.0.113.77", "rare.example", 1)
    assert (hit["processes"], hit["ports"], hit["share"]) == ("app.exe, b.exe", "80, 443", 0.0333)
    assert hit["program_destinations"] == 1
    assert {hit["dst_ip"] for hit in found("rare_destinations", made, internal=True)} == {"203.0.113.77", "10.0.9.9"}


def test_fan_out_finds_a_sweep_within_an_hour() -> None:
    sweep = [
        row(at, dst_ip=f"10.1.0.{at}", dst_port=445, outcome="refused" if at > 5 else "established") for at in range(30)
    ]
    slow = [row(at * HOUR_S, dst_ip=f"10.2.0.{at}", dst_port=22, process_name="C:\\slow.exe") for at in range(30)]
    browsing = [row(at, dst_ip=f"198.51.100.{at}", process_name="C:\\browser.exe") for at in range(90)]
    [hit] = found("fan_out", sweep + slow + browsing)
    assert (hit["dst_port"], hit["hosts"], hit["internal_hosts"], hit["refused"], hit["hours"]) == (445, 30, 30, 24, 1)
    assert found("fan_out", sweep + slow + browsing, min_hosts=31) == []
    assert len(found("fan_out", sweep + slow + browsing, web=True)) == 2


def test_port_scans_finds_many_ports_of_one_host() -> None:
    scan = [row(port / 10, dst_ip="10.1.0.7", dst_port=port) for port in range(1010, 1030)]
    noise = [row(at, dst_ip=f"10.1.1.{at}", dst_port=at, process_name="C:\\many.exe") for at in range(60)]
    [hit] = found("port_scans", scan + noise)
    assert (hit["dst_ip"], hit["ports"], hit["low_ports"]) == ("10.1.0.7", 20, 14)


def test_strobes_finds_what_never_stops() -> None:
    made = rows(range(0, 600)) + rows(range(0, 600, 3), process_name="C:\\slower.exe")
    [hit] = found("strobes", made, connections=300, hours=1)
    assert (hit["connections"], hit["per_second"], hit["windows"]) == (600, 1.0, 1)
    assert found("strobes", made) == []


def test_long_tail_finds_the_program_of_one_computer() -> None:
    """Users' folders are one program; what only talks inside is none of it."""
    made = [
        row(1, computer_name=f"PC-{number}", process_name=f"C:\\Users\\u{number}\\AppData\\chat.exe")
        for number in range(60)
    ]
    made += [
        row(2, computer_name="PC-9", process_name="C:\\Users\\eve\\odd.exe", dst_ip="203.0.113.5"),
        row(3, computer_name="PC-9", process_name="C:\\inside.exe", dst_ip="192.168.1.1"),
    ]
    [hit] = found("long_tail", made)
    assert (hit["process_name"], hit["computers"], hit["dst_ip"]) == ("C:\\Users\\*\\odd.exe", 1, "203.0.113.5")


def test_lateral_movement_finds_unusual_programs_on_such_ports() -> None:
    made = of_fleet(60, process_name="C:\\backup.exe", dst_ip="10.0.0.9", dst_port=445)
    made += [row(at, process_name="C:\\Temp\\x.exe", dst_ip=f"10.0.2.{at}", dst_port=445) for at in range(4)]
    made += [
        row(1, process_name="System", dst_ip="10.0.2.1", dst_port=445),
        row(2, process_name="C:\\Windows\\System32\\mstsc.exe", dst_ip="10.0.2.1", dst_port=3389),
        row(3, process_name="C:\\Temp\\y.exe", dst_ip="203.0.113.4", dst_port=445),
        row(4, process_name="C:\\Temp\\z.exe", dst_ip="10.0.2.1", dst_port=8080),
    ]
    [hit] = found("lateral_movement", made)
    assert (hit["process_name"], hit["hosts"], hit["dst_ip"]) == ("C:\\Temp\\x.exe", 4, "10.0.2.0")
    assert [hit["dst_port"] for hit in found("lateral_movement", made, ports="8080")] == [8080]
    assert found("lateral_movement", made, usual="x.exe,backup.exe,mstsc.exe,system") == []


def test_listeners_finds_programs_that_others_connect_to() -> None:
    """Either end may be this computer's."""
    inbound: Row = {"network_connection_initiated": False, "dst_ip": "10.0.0.5", "src_ip": "10.0.7.7"}
    made = of_fleet(60, **inbound, process_name="C:\\agent.exe", dst_port=9000)
    made += [
        *(
            row(9, **{**inbound, "process_name": "C:\\rpc.exe", "computer_name": f"PC-{at}", "dst_port": 49_152 + at})
            for at in range(9)
        ),
        row(1, **{**inbound, "process_name": "C:\\Temp\\shell.exe", "dst_port": 4444}),
        row(2, **{**inbound, "process_name": "/usr/bin/nc", "dst_port": 31337, "src_ip": "198.51.100.7"}),
        row(3, **{**inbound, "process_name": "C:\\dns.exe", "network_protocol": "udp", "src_port": 53_000}),
        row(4, **{**inbound, "process_name": "C:\\loop.exe", "src_ip": "127.0.0.1"}),
        row(5, process_name="C:\\out.exe"),
    ]
    hits = found("listeners", made)
    assert [(hit["process_name"], hit["port"], hit["internet_clients"]) for hit in hits] == [
        ("/usr/bin/nc", 31337, 1),
        ("C:\\Temp\\shell.exe", 4444, 0),
    ]


def test_system_binaries_finds_borrowed_tools_in_the_internet() -> None:
    shell = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\PowerShell.exe"
    made = [
        *of_fleet(3),
        row(1, process_name=shell, dst_host_name="raw.example"),
        row(2, process_name=shell, dst_ip="10.0.0.8"),
        row(3, process_name=shell, dst_ip="127.0.0.1"),
    ]
    [hit] = found("system_binaries", made)
    assert (hit["process_name"], hit["dst_host_name"], hit["computers"]) == (shell, "raw.example", 1)
    assert len(found("system_binaries", made, internal=True)) == 2
    assert len(found("system_binaries", made, programs=["app.exe"])) == 3


def test_port_mismatch_finds_both_ways_round() -> None:
    made = [
        *of_fleet(3),
        row(1, process_name="C:\\Temp\\tunnel.exe", dst_port=53),
        row(2, process_name="/usr/bin/ssh", dst_port=443),
        row(3, process_name="/usr/bin/ssh", dst_port=22),
        row(4, process_name="/usr/bin/dig", dst_port=53),
        row(5, process_name="C:\\Windows\\System32\\svchost.exe", dst_port=53),
        row(6, process_name="/usr/lib/systemd/systemd-resolved", dst_port=53),
        row(7, process_name="C:\\Windows\\System32\\lsass.exe", dst_port=49668),
    ]
    hits = found("port_mismatch", made)
    assert {(hit["mismatch"], hit["process_name"], hit["dst_port"]) for hit in hits} == {
        ("unexpected program", "C:\\Temp\\tunnel.exe", 53),
        ("unexpected port", "/usr/bin/ssh", 443),
    }
    assert {hit["expected"] for hit in hits if hit["dst_port"] == 443} == {"22"}


def test_top_talkers_counts_connections_once_and_bytes_at_their_end() -> None:
    made = [*rows(range(5)), row(9, record_kind="close", sent_bytes=10, received_bytes=20)]
    made += [row(1, process_name="C:\\b.exe", network_connection_initiated=False)]
    first, second = found("top_talkers", made)
    assert (first["connections"], first["outbound"], first["share"], first["sent_bytes"]) == (5, 5, 0.8333, 10)
    assert (second["outbound"], second["sent_bytes"]) == (0, None)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("process_profile", {"process": "APP.exe"}),
        ("process_profile", {"process": "c:\\program files\\app\\app.exe"}),
        ("host_profile", {"computer": "ws-1"}),
        ("host_profile", {"computer": "WS-1.corp.example"}),
        ("destination_profile", {"destination": "203.0.113.9"}),
        ("destination_profile", {"destination": "C2.example"}),
    ],
)
def test_profiles_tell_what_is_frequent_of_one(name: str, parameters: dict[str, object]) -> None:
    """Of that one only, with shares of each aspect."""
    made = rows(range(8), dst_host_name="c2.example") + rows(
        range(2), dst_host_name="c2.example", user_name="CORP\\bob"
    )
    other = row(1, computer_name="PC-2", process_name="C:\\other.exe", dst_ip="203.0.113.1")
    hits = found(name, [*made, other], **parameters)
    users = [(hit["value"], hit["connections"], hit["share"]) for hit in hits if hit["aspect"] == "user"]
    assert users == [("CORP\\ann", 8, 0.8), ("CORP\\bob", 2, 0.2)]
    assert ("hour", "00") in {(hit["aspect"], hit["value"]) for hit in hits}
    assert [hit["value"] for hit in found(name, [*made, other], top=1, **parameters) if hit["aspect"] == "user"] == [
        "CORP\\ann"
    ]
    aspects = {aspect.strip() for aspect in find(name, SHIPPED).columns[0].meaning.split(",")}
    assert {hit["aspect"] for hit in hits} == aspects
