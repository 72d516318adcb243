"""Who a client is: an address, or a Streamlit session. Kept in memory, and never logged."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

LOG = logging.getLogger("bisenet.server")
_UPLOAD = "/_stcore/upload_file/"


def client_of(scope: Scope) -> str:
    """The client of a request, for counting.

    Its Streamlit session where it names one that is connected, which distinguishes the people
    behind one address; else its address. An IPv6 client has a whole /64 network, so that counts
    as one.
    """
    _, _, rest = scope["path"].partition(_UPLOAD)
    session = rest.partition("/")[0]
    if session and runtime.exists() and runtime.get_instance().is_active_session(session):
        return f"session {session}"
    return f"address {address_of((scope.get('client') or ('',))[0])}"


def address_of(host: str) -> str:
    """An address as it counts: IPv4 as it is, IPv6 by its network of 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Forwarded:
    """ASGI middleware: what configured proxies say about the client, its scheme and the host.

    Args:
        proxies: addresses and networks whose ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are
            believed; nobody else's are.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]):
        self._inner = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type]
        self._app = app
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the client's own address and host where a proxy told them."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (scope.get("client") or ("",))[0] in self._inner.trusted_hosts:
            host = headers.get("x-forwarded-host", "").rpartition(",")[2].strip()
            if host:
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["host"] = host
        elif "x-forwarded-for" in headers and not self._warned:
            self._warned = True
            LOG.warning(
                "X-Forwarded-For comes from an address that is not among BISENET_TRUSTED_PROXIES: "
                "everyone behind that address counts as one client"
            )
        await self._inner(scope, receive, send)  # type: ignore[arg-type]
