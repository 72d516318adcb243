"""Bodies arrive at a least rate, and no client fills the memory that all need for them."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.serving.refusal import refusal

# A phone may need this long before its first bytes come; from there on the rate counts.
GRACE_SECONDS = 5.0
# A body is here by then, whatever its rate: the largest zip at 0.6 MB a second.
MOST_SECONDS = 1800.0


class TooSlow(Exception):
    """A body arrives more slowly than it must."""


class Bodies:
    """ASGI middleware: 408 for a body that trickles, 411 for an upload that hides its size.

    Only the time in which the server waits for the client counts.

    Args:
        rate: bytes a second that a body must have on average after the first seconds.
    """

    def __init__(self, app: ASGIApp, rate: float):
        self.app = app
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a watch on the body, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        chunked = "transfer-encoding" in headers
        if not chunked and headers.get("content-length", "0") == "0":
            await self.app(scope, receive, send)
            return
        if chunked and "/_stcore/" in scope["path"]:
            # The memory it needs is not known; browsers always tell.
            await refusal(scope, 411, "no_length", "Send the body's length.")(scope, receive, send)
            return
        watched = _Watched(receive, self._rate)
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, watched.receive, send_on)
        except TooSlow as error:
            if started:
                raise
            await refusal(scope, 408, "too_slow", str(error))(scope, receive, send)


class _Watched:
    def __init__(self, receive: Receive, rate: float):
        self._receive = receive
        self._rate = rate
        self._waited = 0.0
        self._received = 0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:  # from here on the handler waits for the client to leave
            return await self._receive()
        begin = time.monotonic()
        most = min(MOST_SECONDS, GRACE_SECONDS + self._received / self._rate)
        try:
            async with asyncio.timeout(max(0.0, most - self._waited)) as limit:
                message = await self._receive()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TooSlow(
                f"The photo arrived at less than {self._rate / 1000:g} KB a second."
            ) from None
        self._waited += time.monotonic() - begin
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message
