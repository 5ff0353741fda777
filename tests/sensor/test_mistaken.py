"""Nobody is taken for another: what would look alike, or could be arranged so that it does."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from recording import Case


def _compiled(folder: Path, name: str) -> Path:
    """A program of traffic/NAME.c, which every user may run."""
    source = Path(__file__).parent / "traffic" / f"{name}.c"
    options = ["-target", f"{platform.machine()}-linux-musl", "-static", "-O1", "-fno-sanitize=all"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options, "-o", folder / name, source], check=True)
    return folder / name


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of traffic/odd.c."""
    return _compiled(tmp_path_factory.mktemp("odd"), "odd")


@pytest.mark.parametrize("number", [100, 6_000])
def test_sender_is_who_sends_whatever_its_descriptor(exactly: Case, number: int) -> None:
    """Another process made the socket, and has it still."""
    exactly("mistaken.sends_by_descriptor", number)


@pytest.mark.parametrize("other", ["127.0.0.2", "0.0.0.0", "::"])
@pytest.mark.parametrize("order", ["first", "last"])
def test_listener_at_another_address_of_the_same_port(exactly: Case, other: str, order: str) -> None:
    """What is accepted unseen, and reset before its use, is the event of who listens at its own address."""
    exactly("mistaken.accepts_unseen", other, order)


@pytest.mark.parametrize("way", ["vfork", "shared-memory", "thread-exec"])
def test_tasks_that_share_what_others_do_not(exactly: Case, odd: Path, way: str) -> None:
    exactly("mistaken.as_c_does_it", odd, way)


def test_a_thousand_threads_at_the_same_moment(exactly: Case, odd: Path) -> None:
    exactly("mistaken.threads", odd, 1_000)


def test_user_of_a_thread_is_its_own(exactly: Case, odd: Path) -> None:
    exactly("mistaken.thread_of_another_user", odd)


@pytest.mark.parametrize("name", ["new\nline", "\u2026", "quote\"'\\", "tab\t\x1b[31m", "\udcff\udcfe", "ü\u202eexe"])
def test_name_of_an_executable_may_be_anything(exactly: Case, tmp_path: Path, name: str) -> None:
    exactly("mistaken.image_called", tmp_path, name)


def test_executable_is_what_was_executed_whatever_the_process_points_at(exactly: Case) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        exactly("mistaken.points_at_another_file", _compiled(Path(folder), "replaced"))


def test_command_line_of_any_bytes(exactly: Case) -> None:
    exactly("mistaken.command_of_any_bytes")
