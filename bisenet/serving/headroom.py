"""Nothing large is let in while the memory is nearly full.

Photos and zips stay in memory, so a few people with large ones could bring the container to its
limit, where the kernel kills it and with it everyone's session. One of them is told to come back
instead.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bisenet.images.archives import MAX_ARCHIVE_BYTES
from bisenet.images.decode import MAX_BYTES
from bisenet.runtime.cgroup import memory_limit
from bisenet.runtime.memory import give_back, resident_bytes
from bisenet.serving.clients import client_of
from bisenet.serving.refusal import refusal

# Of the container's memory: what parses that run meanwhile may need stays free.
SHARE = 0.8
# Smaller bodies are let in: they are clicks and small photos.
LARGE = 1 << 20
# Seconds between two searches for memory that can be given back: each takes a while.
_PAUSE = 5.0
LOG = logging.getLogger("bisenet.server")


class Headroom:
    """ASGI middleware: 503 for large bodies that the memory has no room for.

    Args:
        limit: bytes that the process may use; by default what its container or machine has.
    """

    def __init__(self, app: ASGIApp, limit: int | None = None):
        self.app = app
        self._limit = limit or memory_limit()
        self._arriving = Counter[str]()
        self._given_back = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        size = _body_size(scope)
        if size < LARGE:
            await self.app(scope, receive, send)
            return
        client = client_of(scope)
        if not await self._has_room(size, client):
            LOG.warning("no room for a body", extra={"fields": {"bytes": size}})
            message = "The server's memory is full at the moment. Try again in a minute."
            full = refusal(scope, 503, "memory_full", message, {"retry-after": "60"})
            await full(scope, receive, send)
        else:
            self._arriving[client] += size
            try:
                await self.app(scope, receive, send)
            finally:
                self._arriving[client] -= size
                self._arriving += Counter[str]()  # forgets those who have nothing on its way

    async def _has_room(self, size: int, client: str) -> bool:
        if self._limit is None:
            return True
        # Nobody's promises of bodies take more of the room than they leave to others.
        most = SHARE * self._limit - self._arriving.total() - size - self._arriving[client]
        if resident_bytes() > most and time.monotonic() > self._given_back + _PAUSE:
            self._given_back = time.monotonic()
            await run_in_threadpool(give_back)
        return resident_bytes() <= most


def _body_size(scope: Scope) -> int:
    if scope["type"] != "http":
        return 0
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers:
        return MAX_BYTES  # it does not tell, and may be as large as may be
    length = headers.get("content-length", "")
    size = int(length) if length.isdecimal() else 0
    # More than any route takes: refused by its own limit, for good, and never read.
    return size if size <= MAX_ARCHIVE_BYTES else 0
