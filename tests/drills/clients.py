"""Forty greedy connections, and slow ones, beside a polite client.

python tests/drills/clients.py [--greedy 40] [--only address addresses bodies heads]
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.dummy
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.deploy.replicas import Replica, form, post_photo
from tests.drills import hostile

POLITE, GREEDY = "127.0.0.1", "127.0.0.2"
SIDE = 1000


@dataclass
class Outcome:
    """What came of a polite client's photos: seconds of those served, and all statuses."""

    photos: int
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        mean, worst = (
            (sum(self.waits) / len(self.waits), max(self.waits)) if self.waits else (0.0, 0.0)
        )
        return (
            f"polite served {len(self.waits)} of {self.photos}, mean {mean:.1f} s, worst "
            f"{worst:.1f} s, answers {dict(self.statuses)}"
        )


def polite(url: str, photos: int = 6, patience: float = 20, side: int = SIDE) -> Outcome:
    """Parses photos one after the other, and waits as it is told."""
    outcome = Outcome(photos)
    for _ in range(photos):
        begin = time.monotonic()
        while time.monotonic() < begin + patience:
            answer = post_photo(url, POLITE, side)
            outcome.statuses[answer.status] += 1
            if answer.status == 200:
                outcome.waits.append(time.monotonic() - begin)
                break
            time.sleep(float(answer.headers.get("retry-after", "1")))
    return outcome


def greed(
    url: str,
    count: int,
    sources: list[str],
    side: int,
    going: Event,
    stop: Event,
    told: Queue[Counter[int]],
) -> None:
    """Connections that post photo after photo, and ask again at once when refused."""
    statuses: Counter[int] = Counter()

    def post(source: str) -> None:
        while not stop.is_set():
            with suppress(OSError):
                statuses[post_photo(url, source, side).status] += 1

    threads = [
        threading.Thread(target=post, args=(sources[i % len(sources)],)) for i in range(count)
    ]
    form(side)
    for thread in threads:
        thread.start()
    going.set()
    for thread in threads:
        thread.join()
    told.put(statuses)


@contextmanager
def crowd(
    url: str, count: int, sources: list[str], side: int = SIDE, *, threads: bool = False
) -> Iterator[Counter[int]]:
    """Greedy connections; afterwards what they were answered.

    They have a process of their own, so as not to slow the polite client down, unless threads do.
    """
    spawn: Any = multiprocessing.dummy if threads else multiprocessing.get_context("spawn")
    going, stop, told = spawn.Event(), spawn.Event(), spawn.Queue()
    process = spawn.Process(target=greed, args=(url, count, sources, side, going, stop, told))
    process.start()
    going.wait(60)
    time.sleep(2)
    answers: Counter[int] = Counter()
    try:
        yield answers
    finally:
        stop.set()
        answers.update(told.get(timeout=120))
        process.join()


@contextmanager
def trickling(replica: Replica, count: int) -> Iterator[list[socket.socket]]:
    """Connections that send a byte of their photo a second."""
    body, content_type = form(SIDE)
    head = (
        f"POST /api/parse HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    held = [hostile.connect(replica.port, GREEDY) for _ in range(count)]
    for client in held:
        client.sendall(head + body[:100])
    stop = threading.Event()

    def drip() -> None:
        for byte in body[100:]:
            if stop.wait(1):
                return
            for client in held:
                with suppress(OSError):
                    client.send(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        yield held
    finally:
        stop.set()
        dripping.join()
        for client in held:
            client.close()


def slow_heads(replica: Replica, count: int) -> list[socket.socket]:
    """Connections that send half a header and then nothing."""
    held = []
    for _ in range(count):
        with suppress(OSError):
            client = hostile.connect(replica.port, GREEDY)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            held.append(client)
    return held


def _greedy(replica: Replica, count: int, sources: list[str], photos: int, name: str) -> None:
    with crowd(replica.url, count, sources) as answers:
        outcome = polite(replica.url, photos, 60)
    print(f"{count} greedy, {name}: {outcome}; greedy {dict(answers)}", flush=True)


def address(replica: Replica, count: int) -> None:
    """All from one address."""
    _greedy(replica, count, [GREEDY], 6, "one address")


def addresses(replica: Replica, count: int) -> None:
    """Each from an address of its own: then a fair share is one in so many."""
    _greedy(replica, count, [f"127.0.1.{i + 1}" for i in range(count)], 2, "an address each")


def bodies(replica: Replica, count: int) -> None:
    """As many slow bodies as there are places."""
    with trickling(replica, 34) as held:
        time.sleep(1)
        outcome = polite(replica.url, 3, 70)
        left = sum(not hostile.is_closed(client, 0.05) for client in held)
    print(f"34 bodies that trickle: {outcome}; {left} of them still open", flush=True)


def heads(replica: Replica, count: int) -> None:
    """Hundreds of half headers."""
    held = slow_heads(replica, 300)
    outcome = polite(replica.url)
    time.sleep(20)
    left = sum(not hostile.is_closed(client, 0.01) for client in held)
    print(f"300 half headers: {outcome}; {left} still open after 20 s", flush=True)
    for client in held:
        client.close()


ATTACKS = (address, addresses, bodies, heads)


def main() -> int:
    """Run the attacks one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--greedy", type=int, default=40, help="connections (40)")
    names = [attack.__name__ for attack in ATTACKS]
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    options = parser.parse_args()
    form(SIDE)
    with hostile.server() as replica, hostile.Watch(replica) as watch:
        print(f"alone: {polite(replica.url)}", flush=True)
        for attack in ATTACKS:
            if attack.__name__ in options.only:
                attack(replica, options.greedy)
    print(f"  {watch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
