"""System calls by another ABI, and by another process: a number or a result alone says nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from namespaces import Host
from recording import Case, Recording


@pytest.fixture(scope="module")
def _calls_of_32_bits() -> None:
    """Calls as 32-bit programs make them, which a kernel need not take."""
    command = [sys.executable, "-m", "traffic", "calls.getpid_of_32_bits"]
    if subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=False).returncode:
        pytest.skip("this kernel takes no calls of 32-bit programs")


@pytest.mark.usefixtures("_calls_of_32_bits")
def test_call_with_the_number_of_accept_in_another_abi_is_no_accept(exactly: Case) -> None:
    exactly("calls.keyctl_of_32_bits")


@pytest.mark.usefixtures("_calls_of_32_bits")
def test_accept_of_32_bit_programs(exactly: Case) -> None:
    exactly("calls.accept_of_32_bits")


@pytest.mark.usefixtures("_calls_of_32_bits")
def test_attempts_of_32_bit_programs(exactly: Case, recording: Recording) -> None:
    hooks = recording.wait_for_line("recording by ebpf").partition("; not")[0]
    if "fexit/inet_stream_connect" not in hooks:
        pytest.skip("this kernel takes no fexit programs, and perf's tracepoints do not see calls of 32-bit programs")
    exactly("calls.unreachable_of_32_bits", "10.9.9.9")


@pytest.mark.parametrize("way", ["takes", "lies", "allows"])
@pytest.mark.parametrize("options", [(), ("--closes",)], ids=["plain", "closes"])
def test_accept_that_a_supervisor_answers_is_told_once(host: Host, way: str, options: tuple[str, ...]) -> None:
    # Without --closes connections are forgotten as soon as they are accepted.
    with Recording(*options) as recording:
        recording.expect(host.run("calls.supervised", way), host)
