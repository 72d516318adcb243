"""Large bodies and nearly full memory. What this process holds is true, its limit is made up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.runtime.memory import give_back, resident_bytes
from bisenet.serving.headroom import SHARE, Headroom
from tests.waiting import PATIENCE_SECONDS

MB = 2**20


async def ask(
    app: ASGIApp, size: int | None, method: str = "POST", client: str = "192.0.2.1"
) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a request whose body would have ``size`` bytes."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [] if size is None else [(b"content-length", str(size).encode())]
    scope = {"type": "http", "method": method, "path": "/", "headers": headers}
    await app({**scope, "client": (client, 1), "state": {"id": "mark"}}, receive, send)
    if sent[0]["status"] == 503:
        body = json.loads(sent[1]["body"])
        assert body["id"] == "mark"
        assert body["error"]["code"] == "memory_full"
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


def run(steps: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        await asyncio.wait_for(steps(), PATIENCE_SECONDS)

    # In a thread of its own: the browser tests leave this one with a running event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, all_of_it()).result()


def with_room_for(free: int, app: ASGIApp) -> Headroom:
    give_back()
    return Headroom(app, limit=int((resident_bytes() + free) / SHARE))


def test_what_fits_is_let_in_and_what_does_not_is_told_to_come_back() -> None:
    app = with_room_for(300 * MB, PlainTextResponse("taken"))

    async def steps() -> None:
        assert (await ask(app, 100 * MB))[0] == 200
        status, headers = await ask(app, 600 * MB)
        assert status == 503
        assert headers["retry-after"] == "60"
        assert headers["connection"] == "close"
        assert (await ask(app, 100 * MB))[0] == 200

    run(steps)


def test_small_bodies_and_looks_are_always_let_in() -> None:
    app = with_room_for(-100 * MB, PlainTextResponse("taken"))

    async def steps() -> None:
        assert (await ask(app, 1000))[0] == 200
        assert (await ask(app, None, "GET"))[0] == 200
        assert (await ask(app, 2 * MB))[0] == 503

    run(steps)


def test_what_is_still_arriving_counts() -> None:
    async def steps() -> None:
        go_on, came = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            came.set()
            await go_on.wait()
            await PlainTextResponse("taken")(scope, receive, send)

        app = with_room_for(500 * MB, slow)
        first: asyncio.Task[tuple[int, Any]] = asyncio.create_task(ask(app, 300 * MB))
        await came.wait()
        assert (await ask(app, 300 * MB))[0] == 503
        go_on.set()
        assert (await first)[0] == 200
        assert (await ask(app, 300 * MB))[0] == 200

    run(steps)


def test_what_a_client_has_on_its_way_counts_twice_against_its_next_body_only() -> None:
    async def steps() -> None:
        go_on, came = asyncio.Event(), asyncio.Semaphore(0)

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            came.release()
            await go_on.wait()
            await PlainTextResponse("taken")(scope, receive, send)

        app = with_room_for(500 * MB, slow)
        first = asyncio.create_task(ask(app, 200 * MB))
        await came.acquire()
        assert (await ask(app, 200 * MB))[0] == 503
        other = asyncio.create_task(ask(app, 200 * MB, client="192.0.2.2"))
        await came.acquire()
        go_on.set()
        assert [(await first)[0], (await other)[0]] == [200, 200]

    run(steps)


def test_a_body_beyond_every_limit_is_left_to_the_route_that_refuses_it_for_good() -> None:
    app = with_room_for(300 * MB, PlainTextResponse("too large", 413))

    async def steps() -> None:
        assert (await ask(app, 99 * 10**12))[0] == 413

    run(steps)
