"""The cookie by which a reload and a second tab find what is in the server's memory."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.dashboard.session.visitors import COOKIE, TOKEN


class Visiting:
    """ASGI middleware: a page that is asked for without the cookie brings one.

    It holds 256 random bits and nothing of the person, is sent to this server alone, is not for
    scripts (``HttpOnly``), does not come with other sites' requests (``SameSite=Lax``: with their
    links it does, so that a link does not cost the photos), and ends with the browser.

    Args:
        base: the base path, below which it is sent.
        https: whether it may be sent over TLS only.
    """

    def __init__(self, app: ASGIApp, base: str, https: bool):
        self.app = app
        self._attributes = f"Path={base}/; HttpOnly; SameSite=Lax{'; Secure' if https else ''}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with a cookie on the way back where one is missing."""
        if scope["type"] != "http" or _token(Headers(scope=scope).get("cookie", "")):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    value = f"{COOKIE}={secrets.token_urlsafe(32)}; {self._attributes}"
                    headers.append("set-cookie", value)
                    headers["cache-control"] = "no-store"  # a cookie is one person's
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _token(cookies: str) -> str:
    """The token among a request's cookies; empty where it is missing or is none of ours."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None and TOKEN.fullmatch(found.value) else ""
