"""The poll sensor against real sockets on loopback: each connection once, with its ends, direction and process."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from procwire.event import LIVE_SCHEMA
from procwire.guid import linux_guid
from procwire.sources.poll import PollSource
from procwire.sources.processes import process, start_ticks
from procwire.sources.sock_diag import SocketTable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' sock_diag")

Row = dict[str, Any]
MACHINE_ID, BOOT_NS = 0xFFB12C03, 1_767_225_600 * 10**9
IPPROTO_MPTCP = 262
FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture
def open_poll() -> Iterator[Callable[..., PollSource]]:
    """Opens a source that looks at every step."""
    with ExitStack() as stack:

        def build(*, existing: bool = False) -> PollSource:
            source = PollSource(interval_s=0.0, existing=existing, machine_id=MACHINE_ID, boot_time_ns=BOOT_NS)
            stack.callback(source.close)
            return source

        yield build


class Connection:
    """A TCP connection on loopback, both ends ours."""

    def __init__(self, host: str = "127.0.0.1", protocol: int = 0, bound: str | None = None) -> None:
        server_host = bound or host
        family = socket.AF_INET6 if ":" in server_host else socket.AF_INET
        self.server = socket.socket(family, socket.SOCK_STREAM, protocol)
        self.server.bind((server_host, 0))
        self.server.listen()
        self.port = self.server.getsockname()[1]
        self.client = socket.socket(FAMILIES[host], socket.SOCK_STREAM, protocol)
        self.client.connect((host, self.port))
        self.accepted, _ = self.server.accept()
        self.client_port = self.client.getsockname()[1]

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.client, self.accepted, self.server):
            end.close()

    def of(self, rows: list[Row]) -> list[Row]:
        """Those of the rows that are this connection's, the client's end first."""
        mine = [row for row in rows if {row["src_port"], row["dst_port"]} == {self.port, self.client_port}]
        return sorted(mine, key=lambda row: not row["network_connection_initiated"])


def rows(source: PollSource) -> list[Row]:
    batch = source.step(0.1)
    assert batch is None or batch.schema.equals(LIVE_SCHEMA)
    return batch.to_pylist() if batch else []


@pytest.mark.parametrize(
    ("host", "bound"), [("127.0.0.1", None), ("::1", None), ("127.0.0.1", "0.0.0.0"), ("::1", "::")]
)
def test_tcp_is_reported_once_for_each_end(open_poll: Callable[..., PollSource], host: str, bound: str | None) -> None:
    source = open_poll()
    with Connection(host, bound=bound) as made:
        out, inward = made.of(rows(source))
        assert made.of(rows(source)) == []
    for row in (out, inward):
        assert (row["src_ip"], row["src_port"]) == (host, made.client_port)
        assert (row["dst_ip"], row["dst_port"]) == (host, made.port)
        assert row["src_is_ipv6"] is row["dst_is_ipv6"] is (host == "::1")
        assert (row["event_id"], row["network_protocol"], row["record_kind"]) == (3, "tcp", "connection")
        assert (row["outcome"], row["attribution"]) == ("established", "poll")
        assert row["network_namespace_id"] == Path("/proc/self/ns/net").stat().st_ino
    assert out["network_connection_initiated"] is True
    assert inward["network_connection_initiated"] is False
    assert out["connection_id"] != inward["connection_id"]


def test_process_is_reported_in_full(open_poll: Callable[..., PollSource]) -> None:
    source = open_poll()
    with Connection() as made:
        out, _ = made.of(rows(source))
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert out["process_guid"] == str(linux_guid(MACHINE_ID, BOOT_NS, os.getpid(), ticks))
    assert (out["process_id"], out["process_name"]) == (os.getpid(), str(Path("/proc/self/exe").readlink()))
    assert out["user_id"] == os.getuid()
    assert out["process_command_line"].startswith(Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode())
    assert out["process_parent_id"] == os.getppid()
    assert out["process_parent_name"] == str(Path(f"/proc/{os.getppid()}/exe").readlink())
    assert out["cgroup_path"].startswith("/")
    image = Path("/proc/self/exe").stat()
    assert (out["process_image_device"], out["process_image_inode"]) == (image.st_dev, image.st_ino)
    assert (out["process_image_state"], out["process_name_truncated"]) == (None, False)
    assert out["process_mount_namespace_id"] == Path("/proc/self/ns/mnt").stat().st_ino
    assert out["effective_user_id"] == os.geteuid()
    ancestry = json.loads(out["process_ancestry"])
    assert ancestry[0] == f"{os.getppid()} {out['process_parent_name']}"
    assert len({text.split(" ")[0] for text in ancestry}) == len(ancestry)


_ASK = "import socket, sys; end = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); input()"


def asked_by(source: PollSource, *command: str, **options: Any) -> Row:
    """The row of a connection of a Python that is started so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with subprocess.Popen([*command, "-ISc", _ASK, str(port)], stdin=subprocess.PIPE, **options) as child:
            accepted, (_, client_port) = server.accept()
            found = [row for row in rows(source) if row["src_port"] == client_port and row["process_id"] == child.pid]
            child.communicate(b"\n")
            accepted.close()
    [row] = found
    return row


def test_executables_that_are_gone_or_were_never_there_are_marked(
    open_poll: Callable[..., PollSource], tmp_path: Path
) -> None:
    """A name that is not UTF-8 does not end the recording either."""
    source = open_poll()
    content = Path(sys.executable).resolve().read_bytes()
    home = {"env": {**os.environ, "PYTHONHOME": sys.base_prefix}}
    memory = os.memfd_create("image")
    os.write(memory, content)
    row = asked_by(source, f"/proc/self/fd/{memory}", pass_fds=[memory], **home)
    assert (row["process_name"], row["process_image_state"]) == ("/memfd:image", "memfd")
    os.close(memory)
    name = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(name)).write_bytes(content)
    Path(os.fsdecode(name)).chmod(0o700)
    inode = Path(os.fsdecode(name)).stat().st_ino
    row = asked_by(source, os.fsdecode(name), **home)
    assert (row["process_name"], row["process_image_state"]) == (f"{tmp_path}/\ufffd", None)
    assert row["process_image_inode"] == inode


def test_users_of_a_setuid_program_are_two() -> None:
    """The real uid is who started it, the effective one who it may act as."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another account")
    nobody = pwd.getpwnam("nobody").pw_uid
    child = os.fork()
    if child == 0:
        os.setresuid(nobody, 0, 0)
        signal.pause()
    try:
        while (found := process(child, 0, 0)) is not None and found.user_id != nobody:
            time.sleep(0.01)
        assert found is not None
        assert (found.user_id, found.effective_user_id) == (nobody, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_v4_mapped_is_ipv4(open_poll: Callable[..., PollSource]) -> None:
    """An IPv6 server that an IPv4 client reaches."""
    source = open_poll()
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            client_port = client.getsockname()[1]
            found = [row for row in rows(source) if row["src_port"] == client_port]
            accepted.close()
    assert sorted(row["network_connection_initiated"] for row in found) == [False, True]
    assert {(row["src_ip"], row["dst_ip"], row["src_is_ipv6"]) for row in found} == {("127.0.0.1", "127.0.0.1", False)}
    assert {row["dst_ip_bytes"] for row in found} == {bytes(10) + b"\xff\xff\x7f\x00\x00\x01"}


def test_connected_udp_is_reported_once_for_each_peer(open_poll: Callable[..., PollSource]) -> None:
    source = open_poll()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", 9))
        port = sender.getsockname()[1]

        def peers() -> list[tuple[str, int]]:
            return [(row["network_protocol"], row["dst_port"]) for row in rows(source) if row["src_port"] == port]

        assert peers() == [("udp", 9)]
        assert peers() == []
        sender.connect(("127.0.0.1", 19))
        assert peers() == [("udp", 19)]


def test_unconnected_udp_and_listeners_are_no_connections(open_poll: Callable[..., PollSource]) -> None:
    source = open_poll()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, socket.create_server(("127.0.0.1", 0)) as server:
        bound.bind(("127.0.0.1", 0))
        ports = {bound.getsockname()[1], server.getsockname()[1]}
        assert [row for row in rows(source) if {row["src_port"], row["dst_port"]} & ports] == []


def test_mptcp_is_reported_once_as_tcp(open_poll: Callable[..., PollSource]) -> None:
    """And not again when it is closed and its subflow lingers."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError:
        pytest.skip("this kernel has no MPTCP")
    source = open_poll()
    with Connection(protocol=IPPROTO_MPTCP) as made:
        found = made.of(rows(source))
        assert [row["network_connection_initiated"] for row in found] == [True, False]
        assert {row["network_protocol"] for row in found} == {"tcp"}
        assert {row["process_id"] for row in found} == {os.getpid()}
        assert made.of(rows(source)) == []
        for end in (made.client, made.accepted, made.server):
            end.close()
        assert made.of(rows(source)) == []


def test_what_is_open_at_the_start_is_reported_only_if_wanted(open_poll: Callable[..., PollSource]) -> None:
    with Connection() as made:
        assert made.of(rows(open_poll())) == []
        existing = open_poll(existing=True)
        assert [row["record_kind"] for row in made.of(rows(existing))] == ["existing", "existing"]
        assert made.of(rows(existing)) == []


def test_connection_that_only_waits_for_its_time_is_nobodys(open_poll: Callable[..., PollSource]) -> None:
    source = open_poll()
    with Connection() as made:
        made.client.close()
        made.accepted.close()
        made.server.close()
        found = made.of(rows(source))
        assert made.of(rows(source)) == []
    assert [(row["process_id"], row["user_id"]) for row in found] == [(None, None)]


def test_step_waits_no_longer_than_it_may() -> None:
    source = PollSource(interval_s=3_600.0, existing=False, machine_id=0, boot_time_ns=0)
    with Connection():
        assert source.step(0.0) is None
        assert source.step(0.01) is None
    assert source.losses() == {}
    source.close()


def test_other_users_sockets_have_a_user_and_no_process() -> None:
    """For who may not look into other users' processes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another account")
    nobody = pwd.getpwnam("nobody").pw_uid
    with Connection() as made:
        child = os.fork()
        if child == 0:
            # Its own copies: it must not hold them itself.
            made.__exit__()
            os.setresuid(nobody, nobody, nobody)
            source = PollSource(interval_s=0.0, existing=True, machine_id=0, boot_time_ns=0)
            found = made.of(rows(source))
            well = len(found) == 2 and all(row["process_id"] is None and row["user_id"] == 0 for row in found)
            os._exit(0 if well else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_kernel_that_does_not_list_mptcp_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SocketTable._dump

    def dump(table: SocketTable, protocol: Any, family: int, number: int) -> Any:
        if number == IPPROTO_MPTCP:
            raise OSError(22, "Invalid argument")
        return real(table, protocol, family, number)

    monkeypatch.setattr(SocketTable, "_dump", dump)
    source = PollSource(interval_s=0.0, existing=False, machine_id=0, boot_time_ns=0)
    assert [(hook.attached, hook.reason is None) for hook in source.hooks] == [(True, True), (False, False)]
    with Connection() as made:
        assert len(made.of(rows(source))) == 2
    source.close()


def test_kernel_that_does_not_list_udp_is_an_error_where_udp_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SocketTable._dump

    def dump(table: SocketTable, protocol: Any, family: int, number: int) -> Any:
        if protocol == "udp":
            raise OSError(2, "No such file or directory")
        return real(table, protocol, family, number)

    monkeypatch.setattr(SocketTable, "_dump", dump)
    with pytest.raises(OSError, match="No such file"):
        PollSource(interval_s=0.0, existing=False, machine_id=0, boot_time_ns=0)
    PollSource(interval_s=0.0, existing=False, machine_id=0, boot_time_ns=0, udp=False).close()


def test_many_sockets_are_all_listed(open_poll: Callable[..., PollSource]) -> None:
    """More than one message of netlink's holds."""
    source = open_poll()
    with ExitStack() as stack:
        made = [stack.enter_context(Connection()) for _ in range(300)]
        found = rows(source)
        assert all(len(one.of(found)) == 2 for one in made)


def test_agrees_with_ss(open_poll: Callable[..., PollSource]) -> None:
    """iproute2 lists the same connections, by the same cookies."""
    source = open_poll(existing=True)
    with Connection() as made:
        existing = source.step(0.0)
        out = made.of(rows(source) + (existing.to_pylist() if isinstance(existing, pa.RecordBatch) else []))[0]
        try:
            listed = subprocess.run(["ss", "-tnHe", f"sport = :{made.client_port}"], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("needs iproute2's ss")
        assert f"sk:{out['connection_id']:x}" in listed.stdout.split()
