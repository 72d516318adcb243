from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message

from bisenet.runtime.settings import Settings
from bisenet.serving import security


@pytest.mark.parametrize(
    ("client", "status"),
    [("127.0.0.1", 200), ("10.8.0.7", 200), ("::1", 200), ("35.191.0.9", 404), ("8.8.8.8", 404)],
)
@pytest.mark.parametrize("path", ["/metrics", "/_stcore/metrics", "/lab/_stcore/metrics"])
def test_metrics_are_for_the_inside(path: str, client: str, status: int) -> None:
    assert answered(path, client, "faces.example", ()) == status


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/metrics", "10.8.0.7:8080", 200),  # as Prometheus asks a pod
        ("/metrics", "[fd00::7]:8080", 200),
        ("/metrics", "faces.example", 200),
        ("/metrics", "evil.example", 400),
        ("/", "10.8.0.7:8080", 400),
        ("/", "faces.example:443", 200),
        ("/", "FACES.example.:80", 200),
        ("/healthz", "10.8.0.7:8080", 200),
    ],
)
def test_what_is_asked_by_address(path: str, host: str, status: int) -> None:
    assert answered(path, "10.8.0.1", host, ("faces.example",)) == status


def answered(path: str, client: str, host: str, allowed: tuple[str, ...]) -> int:
    """The status of a GET of a path, as the security middleware lets it through."""
    settings = Settings(
        {
            "BISENET_ALLOWED_HOSTS": ",".join(allowed),
            "STREAMLIT_SERVER_BASE_URL_PATH": "lab",
        }
    )
    app = security.Security(PlainTextResponse("numbers"), settings)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"host", host.encode())]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers}
    scope["client"] = (client, 1)
    # In a thread of its own: the browser tests leave this one with a running event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, app(scope, receive, send)).result()
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("https://faces.example", "faces.example", True),
        ("https://faces.example", "faces.example:443", True),
        ("http://faces.example:80", "faces.example", True),
        ("https://FACES.example", "faces.example", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("https://evil.example", "faces.example", False),
        ("null", "faces.example", False),
        ("http://[", "faces.example", False),
        ("https://faces.example.evil.example", "faces.example", False),
        ("https://faces.example", "inner:8080", False),
        ("https://known.example", "inner:8080", True),  # a proxy renames it; the name is allowed
        ("https://other.below.example", "inner:8080", False),
        ("https://@known.example", "inner:8080", False),
    ],
)
def test_whose_pages_are_ours(origin: str, host: str, ours: bool) -> None:
    hosts = security.Hosts(("known.example", "*.below.example"))
    assert hosts.is_ours(origin, Headers({"host": host})) is ours


def test_the_policy_lets_no_foreign_script_in() -> None:
    policy = dict(
        rule.split(" ", 1) for rule in security.content_security_policy().split("; ") if " " in rule
    )
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    assert policy["object-src"] == "'none'"
    assert "strict-transport-security" not in security.security_headers(https=False)
    assert "strict-transport-security" in security.security_headers(https=True)
