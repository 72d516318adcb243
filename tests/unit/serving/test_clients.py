"""Who a client is, and whom the server believes about it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from bisenet.serving.clients import Forwarded, address_of, client_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
    ],
)
def test_addresses_that_count_as_one(one: str, other: str, same: bool) -> None:
    assert (address_of(one) == address_of(other)) is same


def seen_behind(peer: str, **headers: str) -> tuple[str, str]:
    """The client and the host that the app sees."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "path": "/api/parse", "client": (peer, 1), "headers": raw}
    nothing: Any = None
    middleware = Forwarded(app, ["10.0.0.0/8", "203.0.113.99"])
    # In a thread of its own: the browser tests leave this one with a running event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, middleware(scope, nothing, nothing)).result()
    return client_of(seen[0]), dict(seen[0]["headers"])[b"host"].decode()


def test_a_configured_proxy_is_believed() -> None:
    client, host = seen_behind(
        "10.1.2.3",
        host="inner:8080",
        x_forwarded_for="192.0.2.66, 198.51.100.4, 203.0.113.99",
        x_forwarded_host="faces.example",
    )
    assert client == "address 198.51.100.4", "what stands before it, the client wrote itself"
    assert host == "faces.example"


@pytest.mark.parametrize("peer", ["127.0.0.1", "198.51.100.4"])
def test_nobody_else_is_and_the_log_says_so(peer: str, caplog: pytest.LogCaptureFixture) -> None:
    client, host = seen_behind(
        peer, host="inner:8080", x_forwarded_for="192.0.2.1", x_forwarded_host="evil.example"
    )
    assert (client, host) == (f"address {peer}", "inner:8080")
    assert "BISENET_TRUSTED_PROXIES" in caplog.text
    assert peer not in caplog.text


def test_a_session_that_is_not_connected_is_nobody() -> None:
    scope = {"path": "/_stcore/upload_file/made-up/file", "client": ("192.0.2.1", 1)}
    assert client_of(scope) == "address 192.0.2.1"
