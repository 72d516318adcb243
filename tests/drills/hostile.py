"""What the drills share: raw sockets that misbehave, and a look at the server meanwhile."""

from __future__ import annotations

import base64
import functools
import os
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.replicas import Replica, ask

DEFLATE = "permessage-deflate; client_max_window_bits"
CONT, BINARY = 0x0, 0x2


@contextmanager
def server(**env: str) -> Iterator[Replica]:
    """A ready server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(Path(folder) / "server.log", env).start()
        try:
            yield replica.wait_ready()
        finally:
            replica.kill()


def resident_mb(replica: Replica) -> float:
    """MB that the server's process holds."""
    assert replica.process is not None
    pages = Path(f"/proc/{replica.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def is_alive(replica: Replica) -> bool:
    """Whether the process lives."""
    return replica.process is not None and replica.process.poll() is None


def connect(port: int, source: str = "127.0.0.1", timeout: float = 30) -> socket.socket:
    """A TCP connection from a loopback address of choice."""
    return socket.create_connection(("127.0.0.1", port), timeout, (source, 0))


def shake_hands(
    port: int,
    source: str = "127.0.0.1",
    extensions: str = "",
    headers: str = "",
    path: str = "/_stcore/stream",
    host: str = "",
) -> tuple[socket.socket, str]:
    """Open Streamlit's WebSocket; returns the socket and the head of the server's answer."""
    client = connect(port, source)
    key = base64.b64encode(os.urandom(16)).decode()
    if extensions:
        headers += f"Sec-WebSocket-Extensions: {extensions}\r\n"
    client.sendall(
        (
            f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: streamlit\r\n{headers}\r\n"
        ).encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            break
        head += data
    return client, head.decode("latin-1").lower()


def frame(
    data: bytes, opcode: int = BINARY, *, fin: bool, compressed: bool = False, length: int = -1
) -> bytes:
    """A masked frame; ``length`` may claim more than there is."""
    size = len(data) if length < 0 else length
    first = (0x80 if fin else 0) | (0x40 if compressed else 0) | opcode
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    return head + b"\0\0\0\0" + data  # a mask of zeros leaves the data as it is


@functools.cache
def deflated_zeros(megabytes: int) -> bytes:
    """So many MB of zeros as permessage-deflate sends them: about a thousandth of it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush(
        zlib.Z_SYNC_FLUSH
    )


def is_closed(client: socket.socket, within: float) -> bool:
    """Whether the server ends the connection, with or without a last word."""
    end = time.monotonic() + within
    try:
        client.settimeout(within)
        while time.monotonic() < end:
            if not client.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


class Watch:
    """Asks for ``/healthz`` all the while, and looks at the memory."""

    def __init__(self, replica: Replica, pause: float = 0.1):
        self.seconds: list[float] = []
        self.failures = 0
        self.peak_mb = 0.0
        self._replica, self._pause = replica, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._stop.wait(self._pause):
            begin = time.perf_counter()
            try:
                answer = ask(self._replica.url, "/healthz", source="127.0.0.9", timeout=60)
                self.failures += answer.status != 200
            except OSError:
                self.failures += 1
            self.seconds.append(time.perf_counter() - begin)
            if is_alive(self._replica):
                self.peak_mb = max(self.peak_mb, resident_mb(self._replica))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __str__(self) -> str:
        ranked = sorted(self.seconds)
        middle, late = ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.95)]
        return (
            f"/healthz median {middle:.3f} s, p95 {late:.3f} s, worst {ranked[-1]:.3f} s, "
            f"{self.failures} failed of {len(ranked)}; memory at most {self.peak_mb:.0f} MB"
        )
