"""What a browser may do with the pages, and who is answered at all."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.runtime.settings import Settings

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


class Hosts:
    """What the server is called, and which pages are its own.

    Args:
        allowed: names that are answered, ``*.example.org`` for all below one; empty: any.
    """

    def __init__(self, allowed: Collection[str]):
        self._allowed = tuple(allowed)

    def answers(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = _name(host)
        return not self._allowed or any(
            name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))
            for allowed in self._allowed
        )

    def known(self, headers: Headers) -> list[str]:
        """The hosts whose pages are ours, as browsers write them; the request's own is first."""
        names = [name for name in self._allowed if not name.startswith("*.")]
        return [without_default_port(headers.get("host", "")), *names]

    def is_ours(self, origin: str, headers: Headers) -> bool:
        """Whether an Origin is a page of this server's.

        A proxy may call the server something else than people do: then the name that they use is
        among the allowed ones, on whatever port.
        """
        try:
            parts = urlsplit(origin)
        except ValueError:  # such as half an IPv6 address
            return False
        if parts.scheme not in ("http", "https"):
            return False
        host = without_default_port(parts.netloc)
        return host == without_default_port(headers.get("host", "")) or _name(host) in self._allowed


def without_default_port(host: str) -> str:
    """A Host header in lower case; the ports that browsers leave out, 80 and 443, are left out."""
    return re.sub(r":(?:80|443)?$", "", host.strip().lower())


def _name(host: str) -> str:
    return re.sub(r":\d*$", "", host.strip().lower()).rstrip(".")


class Security:
    """ASGI middleware: host check, closed CORS, security headers, metrics for the inside only."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self.app = app
        self._hosts = Hosts(settings.allowed_hosts)
        self._base = settings.base_path
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
            await self.app(_same_host(scope), receive, send_safely)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(self._base) if self._base else scope["path"]
        host = headers.get("host", "")
        # The kubelet, load balancers and Prometheus ask by address, not by name.
        exempt = path in _PROBES or (path in _INSIDE_ONLY and _is_address(host))
        if not exempt and not self._hosts.answers(host):
            return PlainTextResponse(
                "This host is not served here: it is not among BISENET_ALLOWED_HOSTS.", 400
            )
        if path in _INSIDE_ONLY and not _from_inside(scope):
            return PlainTextResponse("Not found", 404)
        if self._is_foreign(scope, headers):
            message = "Pages of other sites may not call this server."
            return JSONResponse({"error": {"code": "cross_site", "message": message}}, 403)
        return None

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Whether a browser sends this for another origin's page, and it is more than a look."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") == "cross-site"
        return not self._hosts.is_ours(origin, headers)


def _same_host(scope: Scope) -> Scope:
    """A WebSocket's request with its origin for its host: they are the same by now.

    Streamlit compares them to the letter, default ports included, and where they differ asks the
    internet for its own address.
    """
    origin = Headers(scope=scope).get("origin")
    if scope["type"] != "websocket" or origin is None:
        return scope
    scope = {**scope, "headers": list(scope["headers"])}
    MutableHeaders(scope=scope)["host"] = urlsplit(origin).netloc
    return scope


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(_name(host).strip("[]"))
    except ValueError:
        return False
    return True


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
