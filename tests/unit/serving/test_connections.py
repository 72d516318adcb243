"""Raw sockets against the two protocols, with a small app behind them and little patience."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from bisenet.runtime.settings import Settings
from bisenet.serving import bodies, connections
from bisenet.serving.bodies import Bodies
from bisenet.serving.connections import Tally
from tests.drills.hostile import BINARY, CONT, connect, frame, is_closed, shake_hands
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, until

SETTINGS = Settings(
    {
        "BISENET_HEADER_SECONDS": "1",
        "BISENET_MAX_SOCKETS": "20",
        "BISENET_MAX_SOCKETS_CLIENT": "5",
    }
)
BIG = bytes(30 << 20)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Echoes bodies and messages; ``/large`` is an answer of 30 MB; ``/ignore`` reads nothing."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            data = message["bytes"]
            await send({"type": "websocket.send", "bytes": BIG if data == b"big" else data})
        return
    body, more = b"", scope["path"] == "/echo"
    while more:
        part: Message = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    answer = BIG if scope["path"] == "/large" else body
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
    await Bodies(app, rate=1000)({**scope, "state": {"id": "mark"}}, receive, send)


class Small:
    """A server in a thread, its port and its count of connections."""

    def __init__(self) -> None:
        http, web_socket = connections.protocols(SETTINGS)
        self.port, self.tally = free_port(), http.tally
        self.server = uvicorn.Server(
            uvicorn.Config(
                with_state,
                port=self.port,
                http=http,
                ws=web_socket,
                ws_max_size=100_000,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self.thread = threading.Thread(target=asyncio.run, args=(self.server.serve(),))
        self.thread.start()
        until(lambda: self.server.started)


@pytest.fixture(scope="module")
def small() -> Iterator[Small]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "MESSAGE_SECONDS", 0.5)
        patch.setattr(connections, "WRITE_SECONDS", 0.5)
        patch.setattr(connections, "MAX_UNFINISHED_BYTES", 250_000)
        patch.setattr(connections, "_LINGER_SECONDS", 0.2)
        patch.setattr(bodies, "GRACE_SECONDS", 0.3)
        server = Small()
        yield server
        server.server.should_exit = True
        server.thread.join(PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def all_forgotten(small: Small) -> Iterator[None]:
    """Whatever a test does, nothing of it is counted when its sockets are gone."""
    yield
    until(lambda: not (small.tally.open or small.tally.unfinished))


def post(length: int, path: str = "/echo") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def until_it_ends(client: socket.socket, end: bytes) -> None:
    """Read on until the last bytes are these."""
    said = b""
    while not said.endswith(end):
        data = client.recv(4096)
        assert data, said
        said += data


def answer_to_a_byte(client: socket.socket) -> bytes | None:
    """Send one byte; what has come back: None for nothing yet, empty at the end."""
    try:
        client.sendall(b"X")
        return client.recv(4096)
    except TimeoutError:
        return None
    except OSError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_does_not_come_ends_the_connection(small: Small, sent: bytes) -> None:
    with connect(small.port) as client:
        client.sendall(sent)
        assert is_closed(client, PATIENCE_SECONDS)


def test_a_head_that_trickles_ends_it_too_also_the_second(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(post(2) + b"ab")
        until_it_ends(client, b"ab")
        client.settimeout(0.05)
        until(lambda: answer_to_a_byte(client) == b"", "closed")


def test_a_body_that_trickles_is_408(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(post(1000))
        client.settimeout(0.05)
        said = bytearray()

        def is_refused() -> bool:
            said.extend(answer_to_a_byte(client) or b"")
            return b"too_slow" in said

        until(is_refused)
        assert said.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_is_fast_enough_arrives_however_long_it_takes(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(post(7500))
        for _ in range(15):  # three times the grace in all, at eight times the least rate
            client.sendall(b"x" * 500)
            time.sleep(0.06)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_nobody_wants_is_not_read_for_ever(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(post(10_000_000, "/ignore"))
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert is_closed(client, PATIENCE_SECONDS)


def test_an_answer_that_nobody_reads_is_not_kept(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: small.tally.open == 0)


def test_an_answer_that_is_read_slowly_arrives(small: Small) -> None:
    with connect(small.port) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < len(BIG):
            data = client.recv(1 << 21)
            assert data, "cut off"
            received += len(data)
            time.sleep(0.06)  # a slow reader: in all twice as long as one may read nothing


def test_one_address_gets_no_more_than_its_share_and_others_are_served(small: Small) -> None:
    crowd = [connect(small.port, "127.0.0.2") for _ in range(14)]
    with connect(small.port, "127.0.0.3") as other:
        other.sendall(post(2) + b"ok")
        until_it_ends(other, b"ok")
    assert small.tally.open <= 11
    for client in crowd:
        client.close()


def test_messages_pass(small: Small) -> None:
    client, head = shake_hands(small.port, extensions="permessage-deflate")
    assert " 101 " in head
    assert "permessage-deflate" not in head, "compressed, a message could hold anything"
    with client:
        for _ in range(2):
            client.sendall(frame(b"a", fin=False) + frame(b"b", CONT, fin=True))
            until_it_ends(client, b"ab")
            # A message that another begins now is late; this one's, which arrived, is not.
            late, _ = shake_hands(small.port)
            with late:
                late.sendall(frame(b"a", fin=False))
                assert is_closed(late, PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(b"abc", fin=True, compressed=True), b"reserved bits"),
        (frame(b"", fin=True, length=100_001), b"100001 bytes"),
        (
            frame(bytes(60_000), fin=False) + frame(b"", CONT, fin=False, length=60_000),
            b"60000 bytes",
        ),
        (frame(b"x", fin=False) + frame(b"", CONT, fin=False) * 100, b"too many parts"),
        (frame(b"x", fin=True) * 1000, b"Too many messages"),
        (frame(b"abc", fin=False), b"did not arrive in time"),
        (frame(b"abc", BINARY, fin=True, length=1000), b"did not arrive in time"),
        (b"\x82", b"did not arrive in time"),
    ],
    ids=["compressed", "claims", "grows", "parts", "many", "no-end", "cut", "half-head"],
)
def test_what_ends_a_socket(small: Small, sent: bytes, reason: bytes) -> None:
    client, _ = shake_hands(small.port)
    said = b""
    client.settimeout(PATIENCE_SECONDS)
    with client:
        client.sendall(sent)
        while data := client.recv(65536):
            said += data
    assert reason in said


def with_unfinished(small: Small, count: int, size: int) -> list[socket.socket]:
    """Connections of one client, each with so many bytes of a message that does not end."""
    crowd = [shake_hands(small.port, "127.0.0.2")[0] for _ in range(count)]
    for client in crowd:
        client.sendall(frame(bytes(size), fin=False))
    return crowd


def test_unfinished_messages_are_bounded_together_and_small_ones_pass(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MESSAGE_SECONDS", PATIENCE_SECONDS)
    crowd = with_unfinished(small, 4, 90_000)
    refused, _, _ = select.select(crowd, [], [], PATIENCE_SECONDS)
    assert b"Too much is on its way." in refused[0].recv(4096)
    assert small.tally.unfinished <= 250_000
    other, _ = shake_hands(small.port, "127.0.0.3")
    with other:
        other.sendall(frame(b"click", fin=False) + frame(b"", CONT, fin=True))
        until_it_ends(other, b"click")
    for client in crowd:
        client.close()


def test_who_sends_little_is_not_refused_for_what_all_send(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MESSAGE_SECONDS", PATIENCE_SECONDS)
    crowd = with_unfinished(small, 5, 60_000)
    until(lambda: small.tally.unfinished > 250_000 or select.select(crowd, [], [], 0)[0])
    assert small.tally.unfinished > 250_000, "one of them was refused"
    for client in crowd:
        client.close()


def test_answers_that_a_socket_does_not_read_are_not_kept(small: Small) -> None:
    client, _ = shake_hands(small.port)
    with client:
        client.sendall(frame(b"big", fin=True))
        until(lambda: small.tally.open == 0)


def test_pings_are_not_answered_into_the_void(small: Small) -> None:
    client, _ = shake_hands(small.port)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sent = 0
    with client, suppress(OSError):
        while sent < 30_000_000:
            client.sendall(frame(bytes(120), 0x9, fin=True) * 100)
            sent += 12_600
    assert sent < 30_000_000, "the server read on, and kept its answers"


def test_the_tally_exempts_proxies_from_the_share_of_one() -> None:
    tally = Tally(10, 2, ["10.0.0.0/8"])
    assert [tally.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [tally.enter("10.1.1.1") for _ in range(9)] == [True] * 8 + [False]
    tally.leave("192.0.2.1")
    assert tally.enter("192.0.2.2")


def test_a_probe_finds_a_connection_where_others_hold_all() -> None:
    tally = Tally(4, 2, spare=1)
    assert [tally.enter(host) for host in ("a", "a", "b", "b")] == [True] * 4
    assert not tally.enter("a")
    assert tally.enter("probe")
    assert not tally.enter("another"), "the spare one is taken"
    tally.leave("probe")
    assert tally.enter("probe")
