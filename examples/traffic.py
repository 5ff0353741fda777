"""Make a little traffic: TCP over IPv4 and IPv6, one refused, UDP, a name. On loopback only, a round per second."""

import os
import socket
import sys
import threading
import time
from contextlib import suppress


def answer(caller: socket.socket) -> None:
    """Send back what the caller sends, until it closes."""
    with caller:
        while said := caller.recv(1024):
            caller.sendall(said)


def serve(server: socket.socket) -> None:
    """Answer each caller in a thread of its own."""
    while True:
        caller, _ = server.accept()
        threading.Thread(target=answer, args=(caller,), daemon=True).start()


def call(address: tuple[str, int]) -> None:
    """Send something, and stay connected for a moment, so that a sensor that polls can see it."""
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(b"hello")
        connection.recv(1024)
        time.sleep(1.5)


def refused() -> None:
    """Try to connect to a port that was just closed: nobody listens on it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with suppress(ConnectionRefusedError):
        socket.create_connection(address, timeout=5).close()


def datagram(receiver: socket.socket) -> None:
    """Send a datagram from a new socket, in a new process."""
    child = os.fork()
    if child == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", receiver.getsockname())
        os._exit(0)
    os.waitpid(child, 0)
    receiver.recv(1024)


def main(seconds: float) -> None:
    """Make traffic for this many seconds."""
    servers = [socket.create_server(("127.0.0.1", 0))]
    if socket.has_ipv6:
        servers.append(socket.create_server(("::1", 0), family=socket.AF_INET6))
    for server in servers:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        callers = [threading.Thread(target=call, args=(server.getsockname()[:2],)) for server in servers]
        for caller in callers:
            caller.start()
        datagram(receiver)
        refused()
        socket.getaddrinfo("localhost", 80)
        for caller in callers:
            caller.join()
    print("made traffic for", round(seconds), "s")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
