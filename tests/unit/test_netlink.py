"""Lists requested over netlink: of this kernel, and of one made up of prepared answers."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from ipaddress import ip_address

import pytest

from procwire.netlink import Netlink, attributes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' netlink")

HEADER = struct.Struct("=IHHII")
ENTRY, ERROR, DONE = 20, 2, 3
CHANGED = 0x10


def message(kind: int, payload: bytes = b"", *, sequence: int = 1, flags: int = 0) -> bytes:
    length = HEADER.size + len(payload)
    return HEADER.pack(length, kind, flags, sequence, 0) + payload + bytes(-length % 4)


class Kernel:
    """Stand in for the socket: each receive returns the next answer."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests = 0

    def settimeout(self, _: float | None) -> None:
        pass

    def sendto(self, *_: object) -> None:
        self.requests += 1

    def recv(self, _: int) -> bytes:
        return self.answers.pop(0)

    def close(self) -> None:
        pass


def dump(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> list[bytes]:
    monkeypatch.setattr(socket, "socket", lambda *_: kernel)
    with Netlink(0) as netlink:
        return netlink.dump(1, b"", bytes)


def test_the_kernel_lists_the_loopback_address() -> None:
    with Netlink(socket.NETLINK_ROUTE, timeout_s=5) as netlink:
        found = netlink.dump(22, b"\0", lambda entry: attributes(entry[8:]).get(1))
    assert ip_address("127.0.0.1").packed in found


def test_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(OSError, match="not supported"):
        Netlink(31)


def test_a_list_may_come_in_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(message(ENTRY, b"a") + message(ENTRY, b"bcdef"), message(ENTRY, b"") + message(DONE, bytes(4)))
    assert dump(monkeypatch, kernel) == [b"a", b"bcdef", b""]


@pytest.mark.parametrize("kind", [ERROR, DONE])
def test_an_error_number_is_raised_wherever_it_ends_the_list(monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    kernel = Kernel(message(ENTRY, b"a") + message(kind, struct.pack("=i", -errno.ENOENT)))
    with pytest.raises(FileNotFoundError, match="refused"):
        dump(monkeypatch, kernel)


def test_a_list_that_changed_meanwhile_is_requested_again(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = message(ENTRY, b"old", flags=CHANGED) + message(DONE, bytes(4))
    kernel = Kernel(changed, message(ENTRY, b"new", sequence=2) + message(DONE, bytes(4), sequence=2))
    assert dump(monkeypatch, kernel) == [b"new"]
    assert kernel.requests == 2


def test_a_list_that_always_changes_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (message(ENTRY, b"x", sequence=n) + message(DONE, bytes(4), sequence=n, flags=CHANGED) for n in (1, 2, 3))
    kernel = Kernel(*answers)
    assert dump(monkeypatch, kernel) == [b"x"]
    assert kernel.requests == 3


def test_the_rest_of_an_earlier_list_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    late = message(ENTRY, b"late", sequence=0) + message(DONE, bytes(4), sequence=0)
    assert dump(monkeypatch, Kernel(late, message(ENTRY, b"a") + message(DONE, bytes(4)))) == [b"a"]


def test_a_broken_length_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="found a netlink message of 3 bytes"):
        dump(monkeypatch, Kernel(struct.pack("=IHHII", 3, ENTRY, 0, 1, 0)))


def test_attributes_end_at_a_broken_length() -> None:
    good = struct.pack("=HH4s", 8, 1, b"abcd")
    assert attributes(good + struct.pack("=HH", 2, 7)) == {1: b"abcd"}
    assert attributes(b"\0") == {}
