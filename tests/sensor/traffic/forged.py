"""A peer that exists in its frames only: it answers in ways that no kernel does."""

from __future__ import annotations

import socket
import struct

from traffic.witness import Witness

_ETH_P_IP, _ETH_P_ALL = 0x0800, 3
_ETHERNET_BYTES = 14
_SYN, _RST, _ACK = 2, 4, 16


def open_and_reset(witness: Witness, interface: str, ip: str) -> None:
    """Answer a SYN by a SYN of one's own, as who opens at the same time, and the SYN-ACK by a RST."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as wire:
        wire.bind((interface, 0))
        witness.tell({"ready": True})
        syn = _segment_to(wire, ip, _SYN)
        wire.send(_answer(syn, 1000, 0, _SYN))
        syn_ack = _segment_to(wire, ip, _SYN | _ACK)
        wire.send(_answer(syn_ack, 1001, _sequence(syn_ack) + 1, _RST | _ACK))


def _segment_to(wire: socket.socket, ip: str, flags: int) -> bytes:
    """The next frame that holds a TCP segment to `ip` with exactly these flags."""
    while True:
        frame = wire.recv(2000)
        header = frame[_ETHERNET_BYTES:]
        is_tcp = frame[12:14] == struct.pack("!H", _ETH_P_IP) and header[9] == socket.IPPROTO_TCP
        if is_tcp and header[16:20] == socket.inet_aton(ip) and header[33] & (_SYN | _RST | _ACK) == flags:
            return frame


def _sequence(frame: bytes) -> int:
    number: int = struct.unpack_from("!I", frame, _ETHERNET_BYTES + 24)[0]
    return number


def _answer(frame: bytes, sequence: int, acknowledged: int, flags: int) -> bytes:
    """A frame back to who sent `frame`, with a segment that has no data."""
    ip, tcp = frame[_ETHERNET_BYTES : _ETHERNET_BYTES + 20], frame[_ETHERNET_BYTES + 20 :]
    ends = ip[16:20] + ip[12:16]
    segment = (
        tcp[2:4] + tcp[0:2] + struct.pack("!2I2B3H", sequence, acknowledged & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0)
    )
    pseudo = ends + struct.pack("!2H", socket.IPPROTO_TCP, len(segment))
    segment = segment[:16] + _checksum(pseudo + segment) + segment[18:]
    header = struct.pack("!2B3H2BH", 0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
    header = header[:10] + _checksum(header) + header[12:]
    return frame[6:12] + frame[:6] + struct.pack("!H", _ETH_P_IP) + header + segment


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
