"""Sockets used by io_uring, which makes no system call of its own for each."""

from __future__ import annotations

import pytest
from recording import Case, Recording
from traffic.uring import unavailable

_WHY_NOT = unavailable()

pytestmark = [
    pytest.mark.skipif(_WHY_NOT is not None, reason=str(_WHY_NOT)),
    # Who submits: the process by its calls, or a thread of the kernel that looks for what there is.
    pytest.mark.parametrize("submitter", ["call", "poll"]),
]


def test_connect(exactly: Case, submitter: str) -> None:
    exactly("rings.connect_and_send", submitter)


@pytest.mark.parametrize("way", ["single", "multishot"])
def test_accept(exactly: Case, submitter: str, way: str) -> None:
    exactly("rings.accept", submitter, way)


def test_accepted_and_closed_unused(exactly: Case, submitter: str) -> None:
    exactly("rings.never_used", submitter)


def test_udp(exactly: Case, recording: Recording, submitter: str) -> None:
    exactly("rings.udp", submitter, recording.unseen_reader)


@pytest.mark.parametrize("when", ["waiting", "late"])
def test_udp_received_by_whom_the_socket_was_handed_to(
    exactly: Case, recording: Recording, submitter: str, when: str
) -> None:
    exactly("rings.passed_on", submitter, when, recording.unseen_reader)
