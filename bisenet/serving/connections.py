"""What a connection may cost: how many there are, how long it may dawdle, how much it may hold.

uvicorn bounds none of these. Its two protocols are subclassed here for what only they can see;
what the app can see is bounded in ASGI middleware.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Collection
from typing import Any, ClassVar, cast

import h11
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from bisenet.runtime.settings import Settings
from bisenet.serving.clients import address_of, client_of

# Streamlit's client sends less than 1 KB a click, and with it the list of the files in the page's
# upload box: 106 KB for 200 with the longest names (tests/drills/browser.py), so this is 8,000.
MAX_MESSAGE_BYTES = 4 << 20
# Of all sockets' unfinished messages together.
MAX_UNFINISHED_BYTES = 64 << 20
_SMALL = 64 << 10
MESSAGE_SECONDS = 20.0
# Chromium sends a large message in parts of 128 KB; each part costs us as much as a small message.
MAX_FRAGMENTS = 64
# Complete messages that may wait while the page's script starts.
MAX_QUEUED = 64
# An answer that is not read: this much is waited for, then for progress in every so many seconds.
MAX_UNREAD_BYTES = 1 << 20
WRITE_SECONDS = 20.0
# Where a few addresses hold all connections, the probes, which need one, must not be refused: the
# orchestrator would end the process, and with it everyone's session.
SPARE_CONNECTIONS = 64
# A request's body that nobody wants, after its answer: time for the answer to be read.
_LINGER_SECONDS = 2.0


class Tally:
    """How many connections there are, in all and by address; and bytes of unfinished messages.

    Args:
        most: in all.
        most_of_one: of one address.
        exempt: proxies, which stand for many: only the sum counts for them.
        spare: beyond ``most``, for addresses that have fewer than two.
    """

    def __init__(self, most: int, most_of_one: int, exempt: Collection[str] = (), spare: int = 0):
        self._most, self._most_of_one, self._spare = most, most_of_one, spare
        # uvicorn's reading of addresses and networks, the same that believes their headers.
        self._exempt = ProxyHeadersMiddleware(cast(Any, None), list(exempt)).trusted_hosts
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self.unfinished = 0

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    def enter(self, host: str) -> bool:
        """Count one more, if there may be one."""
        key = address_of(host)
        with self._lock:
            spare = self._spare if self._open[key] < 2 else 0
            if self._open.total() >= self._most + spare:
                return False
            if self._open[key] >= self._most_of_one and host not in self._exempt:
                return False
            self._open[key] += 1
            return True

    def leave(self, host: str) -> None:
        """Count one less."""
        key = address_of(host)
        with self._lock:
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]


class _Writing:
    """Ends a connection whose client does not read what it is sent."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
        self._transport, self._loop = transport, loop
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0

    def paused(self) -> None:
        self._left = self._transport.get_write_buffer_size()
        self.resumed()
        self._timer = self._loop.call_later(WRITE_SECONDS, self._look)

    def resumed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        left = self._transport.get_write_buffer_size()
        if left >= self._left:
            self._transport.abort()
        else:
            self._left = left
            self._timer = self._loop.call_later(WRITE_SECONDS, self._look)


class _WatchesWriting(asyncio.Protocol):
    """Tells ``_Writing`` when the client reads more slowly than we write."""

    _writing: _Writing

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._writing.paused()

    def resume_writing(self) -> None:
        """It has read on."""
        self._writing.resumed()
        super().resume_writing()


class HttpProtocol(_WatchesWriting, H11Protocol):
    """uvicorn's HTTP/1.1, with a count of connections and a time limit for headers."""

    tally: ClassVar[Tally]
    header_seconds: ClassVar[float]

    _head_timer: asyncio.TimerHandle | None = None
    _counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or hang up."""
        super().connection_made(transport)
        self._writing = _Writing(transport, self.loop)
        self._counted = self.tally.enter(self._host)
        if self._counted:
            self._watch_head()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._end_head()
        self._writing.resumed()
        if self._counted:
            self.tally.leave(self._host)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and look whether a head has come."""
        super().data_received(data)
        self._watch_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over, the count included."""
        self._end_head()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Do not read on for ever what nobody wants."""
        unread = self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()
        if unread and not self.transport.is_closing():
            self.loop.call_later(_LINGER_SECONDS, self._close_if_unread, self.cycle)

    @property
    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def _watch_head(self) -> None:
        # uvicorn's own timer for idle connections ends with the first byte.
        if self.transport.get_protocol() is not self:
            return
        if self.conn.their_state is not h11.IDLE:
            self._end_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.header_seconds, self._too_slow)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if self.conn.trailing_data[0]:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _close_if_unread(self, cycle: object) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()


class SocketProtocol(_WatchesWriting, WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with an end to unfinished messages and to answers that nobody reads."""

    tally: ClassVar[Tally]

    _message_timer: asyncio.TimerHandle | None = None
    _unfinished = 0
    _completed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over from HTTP, which has counted it."""
        super().connection_made(transport)
        self._writing = _Writing(self.transport, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._note(0)
        self._end_message()
        self._writing.resumed()
        self.tally.leave(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within bounds."""
        self._completed = False
        super().data_received(data)
        if self.close_sent or self.transport.is_closing():
            self._note(0)
            self._end_message()
            return
        self._note(len(self.conn.reader.buffer) + sum(map(len, self.frames)))
        if self.queue.qsize() > MAX_QUEUED:
            self._refuse("Too many messages at a time.")
        elif self.tally.unfinished > MAX_UNFINISHED_BYTES and self._unfinished > _SMALL:
            # Not the one who sends a click while others fill what there is.
            self._refuse("Too much is on its way.")
        elif not self._unfinished and not self.frames:
            self._end_message()
        elif self._completed or self._message_timer is None:
            self._end_message()
            self._message_timer = self.loop.call_later(MESSAGE_SECONDS, self._late)

    def send_receive_event_to_app(self) -> None:
        """A message is complete."""
        self._completed = True
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """One more part of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._refuse("The message has too many parts.")
        elif not self.close_sent:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer, unless the answers pile up."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES and not self.writable.is_set():
            self.transport.abort()

    def _late(self) -> None:
        if self.read_paused:  # it is the app that dawdles
            self._message_timer = self.loop.call_later(MESSAGE_SECONDS, self._late)
        else:
            self._refuse("The message did not arrive in time.")

    def _refuse(self, reason: str) -> None:
        self._end_message()
        self._note(0)
        if self.close_sent or self.transport.is_closing():
            return
        if not self.handshake_complete:
            self.transport.abort()
            return
        self.conn.fail(1008, reason)
        self.handle_parser_exception()
        self.frames = []
        self.conn.reader.buffer.clear()

    def _note(self, unfinished: int) -> None:
        self.tally.unfinished += unfinished - self._unfinished
        self._unfinished = unfinished

    def _end_message(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None


def protocols(settings: Settings) -> tuple[type[HttpProtocol], type[SocketProtocol]]:
    """The two protocols of one server, which count together."""
    # Beside its socket, a page has connections open for its files.
    tally = Tally(
        2 * settings.max_sockets,
        2 * settings.max_sockets_client,
        settings.trusted_proxies,
        SPARE_CONNECTIONS,
    )
    http = type(
        "Http", (HttpProtocol,), {"tally": tally, "header_seconds": settings.header_seconds}
    )
    return http, type("Socket", (SocketProtocol,), {"tally": tally})


class Sockets:
    """ASGI middleware: so many WebSockets in all and of one client, as proxies tell it.

    Args:
        tally: what may be.
    """

    def __init__(self, app: ASGIApp, tally: Tally):
        self.app = app
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse with 503."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        client = client_of(scope).partition(" ")[2]
        if not self._tally.enter(client):
            await receive()
            message = {"code": "too_many_sockets", "message": "Too many pages are open."}
            answer = JSONResponse({"error": message}, 503, {"retry-after": "30"})
            await answer(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self._tally.leave(client)
