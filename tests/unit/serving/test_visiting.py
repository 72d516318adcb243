"""The cookie by which a reload finds the photos: who gets one, and how it may travel."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from bisenet.dashboard.session.visitors import COOKIE, TOKEN
from bisenet.serving.visiting import Visiting

ANSWERS: dict[str, Response] = {
    "/page": HTMLResponse("<p>"),
    "/data": JSONResponse({}),
    "/none": HTMLResponse("<p>", 404),
}


def ask(path: str, cookie: str = "", base: str = "", https: bool = False) -> dict[str, str]:
    """The headers of an answer."""
    start: dict[str, str] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await ANSWERS[path](scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        start.update((k.decode(), v.decode()) for k, v in message.get("headers", ()))

    headers = [(b"cookie", cookie.encode())] if cookie else []
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    # In a thread of its own: a browser test in this process may have left a loop running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, Visiting(app, base, https)(scope, receive, send)).result()
    return start


def test_a_page_brings_an_unguessable_cookie_once() -> None:
    said = [ask("/page") for _ in range(5)]
    pairs = [one["set-cookie"].partition(";")[0] for one in said]
    assert len(set(pairs)) == 5
    assert all(TOKEN.fullmatch(pair.removeprefix(f"{COOKIE}=")) for pair in pairs)
    assert "HttpOnly; SameSite=Lax" in said[0]["set-cookie"]
    assert "Secure" not in said[0]["set-cookie"]
    assert said[0]["cache-control"] == "no-store"
    assert "set-cookie" not in ask("/page", f"a=b; {pairs[0]}; _xsrf=2|c")


@pytest.mark.parametrize("path", ["/data", "/none"])
def test_nothing_but_a_page_brings_one(path: str) -> None:
    assert "set-cookie" not in ask(path)


def test_it_is_sent_below_the_base_path_and_over_tls_only() -> None:
    said = ask("/page", base="/faces", https=True)["set-cookie"]
    assert "Path=/faces/; " in said
    assert said.endswith("; Secure")


@pytest.mark.parametrize("value", ["short", "a" * 44, "../" + "a" * 40])
def test_a_cookie_that_is_none_of_ours_is_replaced(value: str) -> None:
    assert COOKIE in ask("/page", f"{COOKIE}={value}")["set-cookie"]
