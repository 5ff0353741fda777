"""`procwire record --config`: whole recordings, of real connections, by rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from procwire.recorder.configuration import described
from procwire.sysmon.parse import parse
from recordings import COMMAND, EXECUTABLE, Recording, Server, ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recording needs Linux")

Start = Callable[..., Recording]
Put = Callable[[str], Path]


def document(*rules: str, options: str = "") -> str:
    return f'<Sysmon schemaversion="4.90">{options}<EventFiltering>{"".join(rules)}</EventFiltering></Sysmon>\n'


def include(*filters: str) -> str:
    return f'<NetworkConnect onmatch="include">{"".join(filters)}</NetworkConnect>'


def mine(connect: Server) -> str:
    """Its connections, and no others of the machine."""
    return f'<DestinationPort name="mine">{connect.mine.rpartition(" ")[2]}</DestinationPort>'


@pytest.fixture
def config(folder: Path) -> Put:
    """Puts a configuration in its place, as an editor does."""

    def put(text: str) -> Path:
        new, path = folder / "new.xml", folder / "rules.xml"
        new.write_text(text)
        new.chmod(0o644)
        return new.rename(path)

    return put


def reported(lines: bytes) -> list[tuple[str | None, int]]:
    rows = [json.loads(line) for line in lines.splitlines()]
    return [(row["rule_name"], row["src_port"]) for row in rows if row["network_connection_initiated"]]


def test_rules_decide_what_is_recorded_and_name_it(start: Start, connect: Server, config: Put) -> None:
    path = config(document(include(mine(connect)), '<ProcessCreate onmatch="exclude"/>'))
    running = start("--config", path, "--where", "src_port > 0", "--to", "ndjson")
    made = connect(3)
    running.wait_for(lambda: running.statuses()[0]["outputs"][0]["written"] >= 6)
    [state] = running.statuses()
    assert state["configuration"]["path"] == str(path)
    assert (state["configuration"]["loaded"], state["filtered"]) == (1, state["filtered_by_rules"])
    code, stdout = running.end()
    assert code == 130
    assert sorted(reported(stdout)) == sorted(("mine", port) for port in made)
    assert "logged" not in json.loads(stdout.splitlines()[0])
    first, second, *_ = running.errors.splitlines()
    assert first == (
        f"procwire: rules of {path}: schema 4.90, 1 filter in 1 NetworkConnect element, DnsLookup True; the rules of "
        f"1 other event are not applied (procwire config check --notes {path})"
    )
    assert second.startswith("procwire: recording by poll")
    assert f"\nrules: {path}, schema 4.90, loaded once, last at 20" in running.errors


def test_what_is_not_logged_can_be_kept_and_reported_apart(start: Start, connect: Server, config: Put) -> None:
    path = config(document(include(mine(connect))))
    other = Server(connect._stack)
    running = start(
        "--config", path, "--keep-unlogged", "--where", f"{connect.mine} OR {other.mine}", "--count", "8",
        "--columns", "src_port,logged,rule_name",
    )  # fmt: skip
    made, others = connect(2), other(2)
    code, stdout = running.wait()
    assert code == 0
    rows = {(row["src_port"], row["logged"], row["rule_name"]) for row in map(json.loads, stdout.splitlines())}
    assert rows == {(port, True, "mine") for port in made} | {(port, False, None) for port in others}


def test_rules_are_reloaded_at_sighup_and_when_the_file_changes(
    start: Start, connect: Server, config: Put, folder: Path
) -> None:
    """And a bad file is refused: the rules that it would replace stay."""
    config(document(include(mine(connect))))
    running = start("--config", folder / "rules.xml", "-o", folder / "a.ndjson")

    def loaded(times: int) -> None:
        running.wait_for(lambda: running.errors.count("reloaded: rules of") == times)

    def record(count: int) -> list[int]:
        made = connect(count)
        running.wait_for(lambda: set(made) <= set(ports((folder / "a.ndjson").read_bytes())))
        return made

    first = record(2)
    config(document(include(mine(connect).replace("mine", "changed"))))
    loaded(1)
    second = record(2)
    config(document(include(mine(connect).replace('name="mine"', 'nam="x"'))).replace("include", "includ"))
    running.wait_for(lambda: "is refused, the rules loaded at" in running.errors)
    third = record(2)
    config(document(include(mine(connect).replace("mine", "asked"))))
    running.process.send_signal(signal.SIGHUP)
    loaded(2)
    fourth = record(2)
    running.wait_for(lambda: running.statuses()[0]["configuration"]["loaded"] == 3)
    assert running.statuses()[0]["configuration"]["refused"] == 1
    assert running.end()[0] == 130
    expected = [("mine", port) for port in first] + [("changed", port) for port in second + third]
    assert sorted(reported((folder / "a.ndjson").read_bytes())) == sorted(
        expected + [("asked", port) for port in fourth]
    )
    complaints = [line for line in running.errors.splitlines() if "rules.xml:1:" in line]
    assert complaints == [
        line for line in complaints if line.startswith(f"procwire: {folder}/rules.xml:1:") and "includ" in line
    ]
    assert len(complaints) == 1


def test_sighup_without_a_configuration_is_survived(start: Start, connect: Server) -> None:
    running = start("--all", "--where", connect.mine, "--count", "2")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(
        lambda: "SIGHUP ignored: there is no --config FILE, and no --detect PATH, to reload\n" in running.errors
    )
    made = connect(1)
    code, stdout = running.wait()
    assert (code, ports(stdout)) == (0, made)


def test_processes_beside_rules_are_added_to_them(start: Start, connect: Server, config: Put) -> None:
    path = config(document(include("<DestinationPort>1</DestinationPort>").join(
        ['<RuleGroup name="added" groupRelation="or">', "</RuleGroup>"])))  # fmt: skip
    running = start("--config", path, "-n", EXECUTABLE.name, "--where", connect.mine, "--count", "2")
    made = connect(1)
    code, stdout = running.wait()
    assert (code, reported(stdout)) == (0, [("added", made[0])])


def test_bare_n_beside_rules_logs_everything(start: Start, connect: Server, config: Put) -> None:
    running = start("--config", config(document(include())), "-n", "--where", connect.mine, "--count", "2")
    made = connect(1)
    code, stdout = running.wait()
    assert (code, reported(stdout)) == (0, [(None, made[0])])


def test_no_host_and_no_port_is_named_without_dns_lookup(start: Start, connect: Server, config: Put) -> None:
    options = "<DnsLookup>False</DnsLookup>"
    path = config(document('<NetworkConnect onmatch="exclude"/>', options=options))
    names = [f"{side}_{kind}" for side in ("src", "dst") for kind in ("host_name", "port_name", "host_name_origin")]
    running = start("--config", path, "--where", connect.mine, "--count", "2", "--columns", ",".join(names))
    connect(1)
    code, stdout = running.wait()
    assert (code, [set(json.loads(line).values()) for line in stdout.splitlines()]) == (0, [{None}, {None}])


def test_hosts_are_named_from_the_reload_on_that_says_so(start: Start, connect: Server, config: Put) -> None:
    everything, options = '<NetworkConnect onmatch="exclude"/>', "<DnsLookup>False</DnsLookup>"
    path = config(document(everything, options=options))
    running = start("--config", path, "--where", f"{connect.mine} AND network_connection_initiated", "--to", "ndjson")
    first = connect(1)
    running.wait_for(lambda: running.statuses()[0]["outputs"][0]["written"] == 1)
    config(document(everything))
    running.wait_for(lambda: "reloaded: rules of" in running.errors)
    second = connect(1)
    running.wait_for(lambda: running.statuses()[0]["outputs"][0]["written"] == 2)
    rows = [json.loads(line) for line in running.end()[1].splitlines()]
    named = [(row["src_port"], row["dst_host_name"], row.get("dst_host_name_origin")) for row in rows]
    assert named == [(first[0], None, None), (second[0], socket.gethostname(), "local")]


BROKEN = document(
    "\n<NetworkConnect onmatch='includ'><DestinationPort condition='contain'>1</DestinationPort></NetworkConnect>"
)


@pytest.mark.parametrize("more", [(), ("--sensor", "ebpf")])
def test_every_error_of_a_file_is_reported_before_anything_is_recorded(config: Put, more: tuple[str, ...]) -> None:
    """In a process of its own, for the command gives up the right to gain rights. No root is needed to be reported."""
    path = config(BROKEN)
    done = subprocess.run([*COMMAND, "--config", path, *more], capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (2, "", 2)
    assert all(re.search(rf"{path}:2:\d+: found .* expected ", line) for line in lines)


def test_lenient_reads_on_and_says_so(start: Start, config: Put) -> None:
    running = start("--config", config(BROKEN), "--lenient", "--for", "100ms")
    assert running.wait()[0] == 0
    assert "2 errors skipped" in running.errors.splitlines()[0]


def test_processes_are_not_added_beside_an_exclude(config: Put) -> None:
    path = config(document('<NetworkConnect onmatch="exclude"/>'))
    command = [*COMMAND, "--config", str(path), "-n", "curl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f'{path}:1:46: found <NetworkConnect onmatch="exclude">' in done.stderr


def test_file_that_is_not_there_is_reported() -> None:
    command = [*COMMAND, "--config", "nothing.xml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "procwire: cannot read nothing.xml: No such file or directory\n")


@pytest.mark.parametrize(
    ("rules", "nothing"),
    [
        ((), True),
        ((include(),), True),
        (('<NetworkConnect onmatch="exclude"/>',), False),
        (('<NetworkConnect onmatch="exclude"/>',) * 2, True),
        ((include("<DestinationPort>1</DestinationPort>"),), False),
        ((include("<DestinationPort>1</DestinationPort>"), include()), False),
    ],
)  # fmt: skip
def test_configuration_that_logs_nothing_is_said_to(rules: tuple[str, ...], nothing: bool) -> None:
    lines = described(parse(document(*rules).encode(), "a.xml"))
    assert lines[1:] == (["a.xml: this configuration logs no network connection"] if nothing else [])


def test_file_that_the_account_cannot_read_is_reported_at_the_start_and_when_asked(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    secret = folder / "secret"
    secret.mkdir(mode=0o700)
    (secret / "rules.xml").write_text(document(include()))
    # Not the poll sensor, which may read everything.
    running = Recording(folder, "--config", secret / "rules.xml", "--user", "nobody", "--sensor", "ebpf")
    try:
        running.wait_for(lambda: bool(running.statuses()) or "cannot record by eBPF" in running.errors)
        if "cannot record by eBPF" in running.errors:
            pytest.skip(running.errors.splitlines()[-1])
        expected = f"changes to {secret}/rules.xml will not be seen: nobody cannot read it (Permission denied)"
        running.wait_for(lambda: expected in running.errors)
        running.process.send_signal(signal.SIGHUP)
        running.wait_for(lambda: f"cannot read {secret}/rules.xml: Permission denied" in running.errors)
        assert running.end()[0] == 130
    finally:
        running.close()
        shutil.rmtree(secret)
