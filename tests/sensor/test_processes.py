"""Whose event it is: the process, its executable, command line, parent, user and control group."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from namespaces import Host
from recording import Case, Recording


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_processes_that_exit_at_once(exactly: Case, protocol: str) -> None:
    exactly("processes.short_lived", 30, protocol)


def test_many_children_within_a_second_have_guids_of_their_own(exactly: Case) -> None:
    rows = [row for row in exactly("processes.forks_at_once", 200) if row["record_kind"] == "connection"]
    guids = {row["process_guid"] for row in rows if row["network_connection_initiated"]}
    assert len(guids) == 200


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of traffic/storm.c."""
    source = Path(__file__).parent / "traffic" / "storm.c"
    binary = tmp_path_factory.mktemp("storm") / "storm"
    options = ["-nostdlib", "-static", "-O1", "-fno-sanitize=all", "-fno-stack-protector"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options, "-o", binary, source], check=True)
    return binary


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.long)])
def test_processes_that_connect_at_the_same_moment(host: Host, storm: Path, count: int) -> None:
    """With the default buffer each of them is reported, with all that is known of it."""
    host.set("net.core.somaxconn", 65_536)
    host.set("net.ipv4.tcp_max_syn_backlog", 65_536)
    with Recording() as recording:
        rows = recording.expect(host.run("processes.storm", storm, count), host)
        assert len({row["process_guid"] for row in rows if row["network_connection_initiated"]}) == count
        code, ledger = recording.end()
        assert (code, ledger["lost"], ledger["unattributed"]) == (130, {}, {})


@pytest.mark.long
def test_processes_stay_known_however_many_others_come_and_go(host: Host, storm: Path) -> None:
    """More than the tables hold, in the kernel and outside: a busy server, and processes that did nothing meanwhile."""
    host.set("net.core.somaxconn", 65_536)
    others = f"network_namespace_id = {host.id} AND dst_port = 8000 AND network_connection_initiated"
    with Recording("--where", f"({others}) IS NOT TRUE") as recording:
        recording.expect(host.run("processes.come_and_go", storm, 34), host)
        code, ledger = recording.end()
        assert (code, ledger["unattributed"]) == (130, {})


def test_workers_that_share_a_listener(exactly: Case) -> None:
    exactly("processes.workers", 4, 100)


def test_workers_whose_clients_reset_at_once(exactly: Case) -> None:
    exactly("processes.workers_reset", 4, 2000)


def test_threads(exactly: Case) -> None:
    exactly("processes.threads", 8)


def test_process_whose_main_thread_is_gone(exactly: Case) -> None:
    exactly("processes.leader_gone")


def test_sockets_passed_to_another_process(exactly: Case) -> None:
    exactly("processes.passed_on")


def test_socket_used_by_parent_and_child(exactly: Case, recording: Recording) -> None:
    exactly("processes.inherited", recording.unseen_reader)


def test_exec_after_connect(exactly: Case) -> None:
    rows = exactly("processes.exec_after_connect")
    images = {row["process_name"]: row["process_guid"] for row in rows if row["network_connection_initiated"]}
    assert len(images) == 2
    assert len(set(images.values())) == 1


def test_executable_that_is_gone(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_removed", tmp_path)


def test_executable_on_another_mount(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_on_other_mount", tmp_path)


def test_process_of_another_pid_namespace(exactly: Case) -> None:
    exactly("processes.in_pid_namespace")


def test_sockets_of_another_network_namespace(exactly: Case) -> None:
    exactly("processes.moved_on")


def test_other_user(exactly: Case) -> None:
    exactly("processes.other_user")


@pytest.mark.parametrize("call", ["setresuid", "seteuid"])
def test_user_is_the_one_at_the_event_not_at_bind(exactly: Case, call: str) -> None:
    exactly("processes.gave_up_root", call)


def test_user_of_a_user_namespace_is_that_of_the_machine(exactly: Case) -> None:
    exactly("processes.root_of_user_namespace")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_setuid_program_has_both_users(exactly: Case, storm: Path, open_folder: Path) -> None:
    exactly("processes.set_user_id", storm, open_folder)


def test_parents_that_are_gone_are_ancestors_all_the_same(exactly: Case) -> None:
    rows = [row for row in exactly("processes.double_fork") if row["record_kind"] == "connection"]
    accepted, daemon = sorted(rows, key=lambda row: row["network_connection_initiated"])
    parents = [
        f"{daemon['process_parent_id']} {daemon['process_parent_name']}",
        f"{accepted['process_id']} {accepted['process_name']}",
    ]
    assert daemon["process_ancestry"] == [*parents, *accepted["process_ancestry"]]
    assert [int(text.split()[0]) for text in accepted["process_ancestry"]] == list(_lineage(os.getpid()))


def _lineage(process_id: int) -> Iterator[int]:
    """A process and its ancestors up to init."""
    while process_id:
        yield process_id
        stat = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        process_id = int(stat[1])


def test_parent_is_what_it_was_when_it_forked(exactly: Case) -> None:
    exactly("processes.exec_after_fork")


def test_command_line_is_that_of_exec_whatever_is_written_over_it(exactly: Case) -> None:
    exactly("processes.arguments_overwritten")


@pytest.mark.long
def test_command_line_stays_whatever_another_user_executes(exactly: Case, open_folder: Path) -> None:
    """More programs than the kernel side remembers."""
    source = Path(__file__).parent / "traffic" / "again.c"
    binary = open_folder / "again"
    options = ["-nostdlib", "-static", "-O1", "-fno-sanitize=all", "-fno-stack-protector"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options, "-o", binary, source], check=True)
    exactly("processes.idle_while_another_executes", binary, 40_000)


@pytest.mark.parametrize(("name", "depth"), [("a", 100), ("a", 240), ("b" * 240, 6), ("c" * 240, 16)])
def test_long_path_is_whole(exactly: Case, tmp_path: Path, name: str, depth: int) -> None:
    exactly("processes.image_far_down", tmp_path, name, depth)


def test_path_that_is_longer_than_any_call_takes_says_that_it_is_cut(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_far_down", tmp_path, "d" * 240, 20)


def test_executable_below_many_mounts(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_under_mounts", tmp_path, 100, False)


def test_path_on_a_mount_that_was_taken_away_does_not_look_complete(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_under_mounts", tmp_path, 1, True)


def test_path_on_a_mount_in_no_place_does_not_look_complete(exactly: Case, tmp_path: Path) -> None:
    exactly("processes.image_on_no_mount", tmp_path)


def test_executable_in_memory(exactly: Case) -> None:
    exactly("processes.image_in_memory")


def test_path_in_a_chroot_is_that_of_the_mount_namespace(exactly: Case, storm: Path, tmp_path: Path) -> None:
    exactly("processes.in_chroot", storm, tmp_path)


def test_long_command_line(exactly: Case) -> None:
    exactly("processes.long_command_line")


@pytest.fixture
def container() -> Iterator[tuple[Path, str]]:
    """A control group that is called as Docker under systemd calls a container's; its folder and the container's id."""
    [root] = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"]
    name = secrets.token_hex(32)
    folder = Path(root, "procwire-test.slice", f"docker-{name}.scope")
    folder.mkdir(parents=True)
    yield folder, name
    # Its processes have ended; it can be removed once the kernel has seen that.
    for _ in range(100):
        try:
            folder.rmdir()
            break
        except OSError:
            continue
    folder.parent.rmdir()


def test_container(recording: Recording, host: Host, container: tuple[Path, str]) -> None:
    folder, name = container
    path = f"/{folder.parent.name}/{folder.name}"
    recording.expect(host.run("processes.in_cgroup", folder, path, name), host)
