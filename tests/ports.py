"""Ports for the servers that tests start."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240  # above every port that Chromium refuses


def free_port() -> int:
    """A TCP port that nobody listens on, and that the system gives no client.

    Asked for any port, the system gives one of its clients' (ephemeral) ports. Whoever then calls
    it until the server listens may be given that same port for the call, and so reach himself: his
    own request comes back as the answer, and the server finds its port taken.
    """
    low, high = _ephemeral()
    ports = [port for port in range(_LOWEST, 65_536) if not low <= port <= high]
    ports = ports or list(range(_LOWEST, 65_536))  # all are the clients': the odds are what is left
    while True:
        port = random.choice(ports)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _ephemeral() -> tuple[int, int]:
    if _EPHEMERAL.exists():
        low, high = map(int, _EPHEMERAL.read_text().split())
        return low, high
    return 49_152, 65_535  # RFC 6335, and what macOS does
