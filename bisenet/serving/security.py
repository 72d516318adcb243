"""What a browser may do with the pages, and who is answered at all."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.serving.settings import Settings

_PROBES = frozenset(("/healthz", "/readyz"))
_INSIDE_ONLY = frozenset(("/metrics", "/_stcore/metrics"))


def content_security_policy() -> str:
    """The narrowest policy under which Streamlit's front end and our viewer work.

    Scripts come from this server, from the one inline script of Streamlit's own page (by its
    hash) and from blob URLs, which is how Streamlit loads the script of a component. Styles are
    inline: its style library writes them at run time.
    """
    scripts = " ".join(f"'sha256-{digest}'" for digest in _inline_scripts())
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: 'wasm-unsafe-eval' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        )
    )


def security_headers(https: bool) -> dict[str, str]:
    """The headers of every response."""
    headers = {
        "content-security-policy": content_security_policy(),
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    }
    if https:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers


class Security:
    """ASGI middleware: host check, closed CORS, security headers, metrics for the inside only."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app = app
        self._hosts = settings.allowed_hosts
        self._headers = security_headers(settings.https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name in [n for n in headers if n.startswith("access-control-")]:
                    del headers[name]
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        if refusal is None:
            await self.app(scope, receive, send_safely)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        path = scope["path"]
        # The kubelet and load balancers probe by address, not by name.
        if path not in _PROBES and not self._knows(headers.get("host", "")):
            return PlainTextResponse("This host is not served here.", 400)
        if path in _INSIDE_ONLY and not _from_inside(scope):
            return PlainTextResponse("Not found", 404)
        if _is_foreign(scope, headers):
            message = "Pages of other sites may not call this server."
            return JSONResponse({"error": {"code": "cross_site", "message": message}}, 403)
        return None

    def _knows(self, host: str) -> bool:
        name = re.sub(r":\d+$", "", host.lower()).rstrip(".")
        return not self._hosts or any(
            name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))
            for allowed in self._hosts
        )


def _is_foreign(scope: Scope, headers: Headers) -> bool:
    """Whether a browser sends this for a page of another origin, and it is more than a look."""
    if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "cross-site"
    # Streamlit would do as much for WebSockets, but asks the internet for its own address first.
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _from_inside(scope: Scope) -> bool:
    """Whether the peer is this machine or a private network: never a client on the internet."""
    try:
        return not ipaddress.ip_address((scope.get("client") or ("",))[0]).is_global
    except ValueError:
        return False


def _inline_scripts() -> list[str]:
    spec = find_spec("streamlit")  # found, not imported: only its page is read
    assert spec is not None
    assert spec.origin is not None
    page = Path(spec.origin).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    return [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
