"""WebSocket traffic of one anonymous client against the server's memory.

python tests/drills/sockets.py [--sockets 6]
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.deploy.replicas import Replica, post_photo
from tests.drills import hostile

MEGABYTE = 1 << 20
Attack = Callable[[Replica, int], list[socket.socket]]


def compressed(replica: Replica, sockets: int) -> list[socket.socket]:
    """Each sends 190 MB of zeros as 190 KB, unfinished."""
    bomb = hostile.frame(hostile.deflated_zeros(190), fin=False, compressed=True)
    held = []
    for _ in range(sockets):
        client, _ = hostile.shake_hands(replica.port, extensions=hostile.DEFLATE)
        _send(client, bomb)
        held.append(client)
    return held


def unfinished(replica: Replica, sockets: int) -> list[socket.socket]:
    """Each sends 60 MB of a message that it never ends."""
    part = hostile.frame(bytes(MEGABYTE), fin=False)
    more = hostile.frame(bytes(MEGABYTE), hostile.CONT, fin=False)
    held = []
    for _ in range(sockets):
        client, _ = hostile.shake_hands(replica.port)
        _send(client, part + more * 59)
        held.append(client)
    return held


def crumbs(replica: Replica, sockets: int) -> list[socket.socket]:
    """Each sends a message of 2 million fragments of one byte: 14 MB of traffic."""
    more = hostile.frame(b"x", hostile.CONT, fin=False) * 100_000
    held = []
    for _ in range(sockets):
        client, _ = hostile.shake_hands(replica.port)
        _send(client, hostile.frame(b"x", fin=False))
        for _ in range(20):
            _send(client, more)
        held.append(client)
    return held


def silent(replica: Replica, sockets: int) -> list[socket.socket]:
    """A hundred times as many sockets that are opened and say nothing."""
    held = []
    for _ in range(sockets * 100):
        try:
            held.append(hostile.shake_hands(replica.port)[0])
        except OSError:
            continue
    return held


def _send(client: socket.socket, data: bytes) -> None:
    try:
        client.sendall(data)
    except OSError:
        client.close()


def main() -> int:
    """Run the attacks one after the other, each on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=6, help="at a time (6)")
    sockets = parser.parse_args().sockets
    for attack in (compressed, unfinished, crumbs, silent):
        with hostile.server() as replica:
            idle = hostile.resident_mb(replica)
            with hostile.Watch(replica) as watch:
                held = attack(replica, sockets)
                time.sleep(2)
                now = hostile.resident_mb(replica)
                served = post_photo(replica.url, "127.0.0.8").status
                open_now = sum(not hostile.is_closed(client, 0.05) for client in held)
                time.sleep(25)
                left = sum(not hostile.is_closed(client, 0.05) for client in held)
                later = hostile.resident_mb(replica)
            print(
                f"{attack.__name__}, {len(held)} sockets: {idle:.0f} MB before, {now:.0f} MB after "
                f"2 s with {open_now} open, {later:.0f} MB after 30 s with {left} open; "
                f"another client's photo: {served}\n  {watch}",
                flush=True,
            )
            for client in held:
                client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
