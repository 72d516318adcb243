"""What strangers try: other paths, other hosts, other sites, forged uploads; and the page's CSP."""

from __future__ import annotations

import base64
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.deploy.parse_once import multipart, photo
from tests.deploy.replicas import Replica, ask, browse, post_photo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TRAVERSALS = (
    "/../../../../etc/passwd",
    "/static/../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/static/..%5c..%5cetc%5cpasswd",
    "/app/static/../../weights/manifest.toml",
    "/media/../../../etc/passwd",
    "/component/../../../etc/passwd",
    "/_stcore/bidi-components/../../etc/passwd",
    "/_stcore/bidi-components/bisenet.viewer/%2e%2e/%2e%2e/weights/manifest.toml",
    "//etc/passwd",
    "/weights/manifest.toml",
    "/.streamlit/config.toml",
    "/.git/config",
    "/Dockerfile",
)


def raw_status_and_body(port: int, path: str) -> tuple[int, bytes]:
    """A request whose path no client library has tidied up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b"".join(iter(lambda: client.recv(65536), b""))
    return int(data.split(b" ", 2)[1]), data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_to_a_file_of_ours(server: Replica, path: str) -> None:
    status, body = raw_status_and_body(server.port, path)
    for secret in (b"root:", b"sha256 =", b"[server]", b"[core]", b"FROM "):
        assert secret not in body
    # Streamlit answers unknown paths with its page, which then says that there is none.
    assert status in (400, 403, 404) or b'<div id="root">' in body


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/openapi.json", "/static/none.js"])
def test_every_answer_carries_the_headers(server: Replica, path: str) -> None:
    headers = ask(server.url, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_errors_carry_them_too(server: Replica) -> None:
    assert ask(server.url, "/api/nothing").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config", "/api/openapi.json"])
def test_no_other_origin_may_read(server: Replica, path: str) -> None:
    for method in ("GET", "OPTIONS"):
        answer = ask(server.url, path, method, headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_no_other_origin_may_write(server: Replica, headers: dict[str, str]) -> None:
    assert post_photo(server.url, headers=headers).status == 403
    assert ask(server.url, "/_stcore/upload_file/a/b", "PUT", b"", headers).status == 403


def test_our_own_origin_may(server: Replica) -> None:
    assert post_photo(server.url, headers={"Origin": server.url}).status == 200


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", b" 403 "), ("own", b" 101 ")]
)
def test_sockets_are_for_our_own_pages(server: Replica, origin: str, status: bytes) -> None:
    origin = server.url if origin == "own" else origin
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {origin}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: streamlit\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(request.encode())
        assert status in client.recv(4096).splitlines()[0]


def test_uploads_of_the_page_need_its_token(server: Replica) -> None:
    body, content_type = multipart(photo(64))
    headers = {"Content-Type": content_type}
    assert ask(server.url, "/_stcore/upload_file/a/b", "PUT", body, headers).status == 403


def test_the_agent_interface_of_streamlit_is_closed(server: Replica) -> None:
    for path in ("/_stcore/agent/interact", "/_stcore/agent/mcp"):
        answer = ask(server.url, path, "POST", b"{}")
        assert answer.status >= 400
        assert b"not_available" in answer.body or answer.status == 404


def test_the_page_works_under_its_policy(server: Replica) -> None:
    """A real browser loads, uploads and draws, and reports no violation of the policy."""

    def scenario(browser: Browser) -> list[str]:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(90_000)
        complaints: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        page.locator("canvas").first.wait_for()
        page.locator("input[type=file]").first.set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo(300)}
        )
        page.get_by_text("1 of at most").first.wait_for()
        page.locator('[data-test-script-state="notRunning"]').first.wait_for()
        page.locator("canvas").first.wait_for()
        # At its own host the page has nothing to say about proxies.
        assert page.locator("#host-check").count() == 0
        return complaints

    complaints = browse(scenario)
    # The browser's own request for a page icon that is not a file of ours, see docs/security.md.
    serious = [text for text in complaints if "fonts.gstatic.com" not in text]
    assert not serious, serious
