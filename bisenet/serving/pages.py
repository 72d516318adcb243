"""Which addresses are pages, where they begin, and what a page says that cannot reach its server.

Streamlit answers every path with its page and 200, so that a probe of a wrong path would always be
content; and a page whose WebSocket is refused stays grey without a word.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.serving.security import Hosts

HOST_CHECK = "host-check.js"
_STATIC = Path(streamlit.__file__).parent / "static"
# The server's own routes, at the root and below the base path.
_OURS = ("/healthz", "/readyz", "/metrics", "/api")
_TAG = f'<script src="./{HOST_CHECK}"></script></head>'.encode()
_SCRIPT = """
(() => {
  const known = %s;
  if (known.includes(location.host)) return;
  const box = document.createElement("div");
  box.id = "host-check";
  box.setAttribute("role", "alert");
  box.style.cssText = "position:fixed;inset:0 0 auto 0;z-index:2000000;padding:1rem 2rem;"
    + "background:#7f1d1d;color:#fff;font:16px/1.5 sans-serif";
  box.textContent = "This page cannot reach its server. Your browser came to "
    + `${location.host}, but a proxy on the way calls the server ${known[0]}. Whoever runs the `
    + "server: let the proxy pass the Host header on, or set "
    + `BISENET_ALLOWED_HOSTS=${location.host},${known[0]} (docs/operations.md).`;
  const show = () => document.body.append(box);
  document.body ? show() : addEventListener("DOMContentLoaded", show);
})();
"""


class Pages:
    """ASGI middleware: pages and their files below the base path; 404 for every other path.

    Args:
        base: the base path, empty or with a slash before it and none after it.
        names: the pages' names in addresses.
        hosts: what the server is called.
    """

    def __init__(self, app: ASGIApp, base: str, names: Collection[str], hosts: Hosts):
        self.app = app
        self._base = base
        self._pages = frozenset(("", "index.html", *names))
        self._files = frozenset(
            (*(entry.name for entry in _STATIC.iterdir()), "_stcore", "media", "component")
        )
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        inside = below(path, self._base)
        if _is_ours(path) or (inside is not None and _is_ours(inside)):
            await self.app(_at(scope, path if _is_ours(path) else inside), receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif inside is None:
            await self._outside(path)(scope, receive, send)
        else:
            await self._inside(inside, scope, receive, send)

    async def _inside(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        name = path.strip("/")
        first = name.partition("/")[0]
        if name == HOST_CHECK:
            await self._host_check(scope)(scope, receive, send)
        elif name in self._pages:
            await self._with_check(scope, receive, send)
        elif name.startswith("component/"):  # may be pages of their own
            await self.app(scope, receive, send)
        # A page asks for its files beside itself first, and is told 404 by Streamlit's own routes.
        elif first in self._files or "_stcore/" in name or path.startswith("//"):
            await self._file(scope, receive, send)
        else:
            await self._no_page()(scope, receive, send)

    def _outside(self, path: str) -> Response:
        if path in ("/", self._base):
            return RedirectResponse(f"{self._base}/", 307)
        return self._no_page()

    def _no_page(self) -> Response:
        return HTMLResponse(
            f'<!doctype html><title>404</title><p>There is no page here. <a href="{self._base}/">'
            "The dashboard</a> is where it begins.</p>",
            404,
        )

    def _host_check(self, scope: Scope) -> Response:
        known = json.dumps(self._hosts.known(Headers(scope=scope)))
        # "<" would be the only way out of a script.
        script = _SCRIPT % known.replace("<", "\\u003c")
        headers = {"cache-control": "no-store"}
        return Response(script, media_type="text/javascript", headers=headers)

    async def _file(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file or a route of Streamlit's; 404 where it answers with its page for want of one."""
        page = False

        async def send_file(message: Message) -> None:
            nonlocal page
            if message["type"] == "http.response.start":
                content = MutableHeaders(scope=message).get("content-type", "")
                page = message["status"] == 200 and content.startswith("text/html")
            if not page:
                await send(message)

        await self.app(scope, receive, send_file)
        if page:
            await self._no_page()(scope, receive, send)

    async def _with_check(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page, with one script more."""
        scope = {**scope, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        # Compressed, validated by a date or cut into ranges, it could not be added to.
        for name in ("accept-encoding", "range", "if-none-match", "if-modified-since"):
            if name in headers:
                del headers[name]
        start: Message = {}
        body = b""

        async def send_more(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body", False):
                    return
                answer = MutableHeaders(scope=start)
                if "text/html" in answer.get("content-type", "") and scope["method"] == "GET":
                    body = body.replace(b"</head>", _TAG, 1)
                    answer["content-length"] = str(len(body))
                    del answer["etag"], answer["last-modified"]
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
            await send(message)

        await self.app(scope, receive, send_more)


def below(path: str, base: str) -> str | None:
    """The rest of a path below a base path, None where it is not below it."""
    if not base:
        return path
    return path[len(base) :] if path.startswith(f"{base}/") else None


def _is_ours(path: str) -> bool:
    return any(path == own or path.startswith(f"{own}/") for own in _OURS)


def _at(scope: Scope, path: str | None) -> Scope:
    assert path is not None
    return {**scope, "path": path, "raw_path": path.encode()}
