"""A parse that never ends: the server says so, drops who has left, and goes when it is told to."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.deploy.hanging_server import HANGS
from tests.deploy.parse_once import photo
from tests.deploy.replicas import Replica, ask, form, post_photo
from tests.drills.page_client import PageClient
from tests.waiting import until

STALL_SECONDS = 4


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Replica]:
    env = {"BISENET_STALL_SECONDS": str(STALL_SECONDS), "BISENET_DRAIN_SECONDS": "1"}
    program = str(Path(__file__).with_name("hanging_server.py"))
    replica = Replica(tmp_path / "server.log", env, program=(program,)).start()
    try:
        yield replica.wait_ready()
    finally:
        replica.kill()


def metric(replica: Replica, name: str) -> float:
    text = ask(replica.url, "/metrics").body.decode()
    found = re.search(rf"^bisenet_{name} (\S+)$", text, re.MULTILINE)
    assert found
    return float(found[1])


def test_two_parses_that_hang(hanging: Replica) -> None:
    statuses: list[int] = []

    def person(side: int) -> None:
        try:
            statuses.append(post_photo(hanging.url, side=side).status)
        except OSError:  # cut off, when the server goes
            statuses.append(0)

    threads = [threading.Thread(target=person, args=(HANGS,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: metric(hanging, "queue_running") == 2)
    begun = time.monotonic()

    # One waits through the API and one in a page; both leave.
    body, content_type = form(256)
    head = f"POST /api/parse HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
    with socket.create_connection(("127.0.0.1", hanging.port)) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: metric(hanging, "queue_waiting") == 1)
    until(lambda: metric(hanging, "queue_waiting") == 0)
    page = PageClient(hanging.url)

    def look() -> None:
        with contextlib.suppress(ConnectionClosed):
            page.upload("face.jpg", photo(256))

    leaving = threading.Thread(target=look)
    leaving.start()
    until(lambda: metric(hanging, "queue_waiting") == 1)
    page.close()
    leaving.join(10)
    until(lambda: metric(hanging, "queue_waiting") == 0)

    until(lambda: ask(hanging.url, "/healthz").status == 503)
    assert time.monotonic() - begun > STALL_SECONDS - 1
    assert metric(hanging, "parse_stalled_seconds") >= STALL_SECONDS
    assert ask(hanging.url, "/readyz").body == b"stalled"
    refused = post_photo(hanging.url)
    assert refused.status == 503
    assert "hangs" in refused.json()["error"]["message"]

    assert hanging.terminate(25) == 1, "BISENET_SHUTDOWN_SECONDS, 30, would end it later"
    for thread in threads:
        thread.join(10)
    assert 200 not in statuses
    assert any("hangs" in line["message"] for line in hanging.lines())
