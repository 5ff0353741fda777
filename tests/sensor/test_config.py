"""Sysmon's rules on a recording: what they log of real traffic, and their reload while it runs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from namespaces import Host
from recording import Recording
from traffic.witness import Row

Put = Callable[..., Path]


@pytest.fixture
def put() -> Iterator[Put]:
    """Puts rules in the place of a configuration, in a folder that the account which records may read."""
    folder = Path(tempfile.mkdtemp(prefix="procwire-test-"))
    folder.chmod(0o755)

    def replace(text: str, options: str = "") -> Path:
        new = folder / "new.xml"
        # The test's own datagrams, by which it knows what has been recorded.
        mark = group("", f"<ProcessId>{os.getpid()}</ProcessId>")
        new.write_text(
            f'<Sysmon schemaversion="4.90">{options}<EventFiltering>{mark}{text}</EventFiltering></Sysmon>\n'
        )
        new.chmod(0o644)
        return new.replace(folder / "rules.xml")

    yield replace
    shutil.rmtree(folder)


def group(name: str, *filters: str, onmatch: str = "include", relation: str = "or") -> str:
    return (
        f'<RuleGroup name="{name}" groupRelation="{relation}"><NetworkConnect onmatch="{onmatch}">'
        f"{''.join(filters)}</NetworkConnect></RuleGroup>"
    )


INITIATED, ACCEPTED = "<Initiated>true</Initiated>", "<Initiated>false</Initiated>"


def of(truth: list[Row], **columns: Any) -> list[Row]:
    """Those events of the truth with these columns; what else it reports is kept."""
    return [row for row in truth if all(row.get(name, value) == value for name, value in columns.items())]


def test_rules_include_and_exclude(host: Host, put: Put) -> None:
    rules = group("out", INITIATED) + group("", "<SourceIsIpv6>true</SourceIsIpv6>", onmatch="exclude")
    with Recording(config=put(rules)) as recording:
        v4, v6 = host.run("tcp.both_ends", "v4"), host.run("tcp.both_ends", "v6")
        rows = recording.expect(of(v4, network_connection_initiated=True), host)
        assert {row["rule_name"] for row in rows} == {"out"}
        assert len(rows) * 4 == len([row for row in v4 + v6 if "network_protocol" in row])
        _, ledger = recording.end()
        assert ledger["filtered_by_rules"] == ledger["filtered"] >= 3
        assert ledger["configuration"]["loaded"] == 1


def test_image_port_and_name(host: Host, put: Put) -> None:
    """By what Sysmon has for each: the whole path, the port as text, uncompressed IPv6."""
    image = Path("/proc/self/exe").readlink()
    rules = group(
        "all three",
        f"<Image>{str(image).upper()}</Image>",
        "<DestinationIp>0:0:0:0:0:0:0:1</DestinationIp>",
        '<DestinationPort condition="more than">1</DestinationPort>',
        relation="and",
    )
    with Recording(config=put(rules)) as recording:
        host.run("tcp.both_ends", "v4")
        rows = recording.expect(host.run("tcp.both_ends", "v6"), host)
        assert {row["rule_name"] for row in rows} == {"all three"}


def test_what_is_not_logged_is_kept_when_asked_for(host: Host, put: Put) -> None:
    with Recording("--keep-unlogged", config=put(group("in", ACCEPTED))) as recording:
        rows = recording.expect(host.run("tcp.both_ends", "v4"), host)
        told = {(row["network_connection_initiated"], row["logged"], row["rule_name"]) for row in rows}
        assert told == {(True, False, None), (False, True, "in")}


def test_nothing_is_named_without_dns_lookup(host: Host, put: Put) -> None:
    """Neither by what the process was answered, nor this machine's own name."""
    path = put(group("", INITIATED, ACCEPTED), "<DnsLookup>False</DnsLookup>")
    with Recording("--dns-lookup", config=path) as recording:
        rows = recording.expect(
            [{k: v for k, v in row.items() if "host_name" not in k} for row in host.run("tcp.both_ends", "v4")], host
        )
        named = re.compile("(src|dst)_(host|port)_name")
        assert {row[name] for row in rows for name in row if named.match(name)} == {None}


def test_processes_are_added(host: Host, put: Put) -> None:
    executable = Path("/proc/self/exe").readlink().name
    with Recording("-n", f"nothing,{executable.upper()}", config=put("")) as recording:
        rows = recording.expect(host.run("tcp.both_ends", "v4"), host)
        assert {row["rule_name"] for row in rows} == {None}
    with Recording("-n", "nothing", config=put("")) as recording:
        host.run("tcp.both_ends", "v4")
        assert recording.expect([], host) == []


@pytest.mark.parametrize("by_signal", [True, False])
def test_rules_change_while_traffic_runs(host: Host, put: Put, by_signal: bool) -> None:
    """Every connection is reported once, by the rules before or by those after; a file with errors changes nothing."""
    names = ["before", "after"]
    with Recording("--attempts", config=put(group("before", INITIATED, ACCEPTED))) as recording:
        truth = host.run("mix.run", "first", 400)
        recording.wait_for_quiet()
        running = threading.Event()
        running.set()

        def run() -> None:
            seed = 0
            while running.is_set():
                truth.extend(host.run("mix.run", seed, 400))
                seed += 1

        traffic = threading.Thread(target=run)
        traffic.start()
        try:
            put("<Nonsense")
            if by_signal:
                recording.process.send_signal(signal.SIGHUP)
            recording.wait_for_line("is refused, the rules loaded at")
            assert not any("reloaded" in line for line in recording.log)
            put(group("after", INITIATED, ACCEPTED))
            if by_signal:
                recording.process.send_signal(signal.SIGHUP)
            recording.wait_for_line("reloaded: rules of")
        finally:
            running.clear()
            traffic.join()
        truth += host.run("mix.run", "last", 400)
        rows = recording.expect(truth, host)
        told = Counter(row["rule_name"] for row in rows)
        assert set(told) == set(names)
        order = [names.index(row["rule_name"]) for row in rows]
        assert order == sorted(order)
        code, ledger = recording.end()
        assert (code, ledger["lost"]) == (130, {})
        configuration = ledger["configuration"]
        assert (configuration["loaded"], configuration["refused"]) == (2, 1)
