"""One JSON line a request, and every other log line in the same shape.

Faces are sensitive: no line carries a file name, a pixel, a session's id or an address. An
exception is logged as its type and where it was raised, without its message, which may quote
what a person sent.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
import uuid
from datetime import UTC, datetime
from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bisenet.runtime.settings import LogFormat
from bisenet.serving.metrics import Metrics

_SCRIPT_CONTEXT = "streamlit.runtime.scriptrunner_utils.script_run_context"
REQUESTS = logging.getLogger("bisenet.requests")
# What a path is called in logs and metrics: the rest of it may hold a session's or a file's id.
_ROUTES = re.compile(
    r"/(?:healthz|readyz|metrics|api/parse|api/openapi\.json|static|media|component"
    r"|_stcore/(?:stream|upload_file|health|host-config|bidi-components|metrics))(?=/|$)"
)
_PROBES = frozenset(("/healthz", "/readyz", "/metrics", "/_stcore/health"))
_FILES = frozenset(("/static", "/_stcore/bidi-components", "/component"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; fields passed as ``extra={"fields": {...}}`` stand beside the message."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["at"] = _places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """A log record as one line of text, exceptions without their message as well."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage().replace("\n", " ")
        parts = [when, record.levelname, record.name, message, getattr(record, "fields", "")]
        if record.exc_info and record.exc_info[0]:
            parts += [record.exc_info[0].__name__, *_places(record.exc_info[2])]
        return " ".join(str(part) for part in parts if part != "")


def _places(trace: TracebackType | None) -> list[str]:
    """The last frames of a traceback."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace)[-5:]
    ]


def configure(log_format: LogFormat) -> None:
    """Send every logger of the process to stdout, Streamlit's own included."""
    from streamlit import logger as streamlit_logger

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # What it says for information names the address of everyone who opens a WebSocket.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    def adopt(logger: logging.Logger) -> None:
        for own in list(logger.handlers):
            logger.removeHandler(own)
        logger.propagate = True

    # Streamlit gives each of its loggers a handler of its own; this is where it does.
    streamlit_logger.setup_formatter = adopt
    streamlit_logger.update_formatter()
    # It warns of every cached resource that is made before the first visitor comes.
    logging.getLogger(_SCRIPT_CONTEXT).setLevel(logging.ERROR)


class RequestLog:
    """ASGI middleware: an id for every request, one line and one observation when it is over.

    Probes, and the page's own files that were found, are counted only. Handlers may put
    ``outcome`` and more into ``scope["state"]["log"]``.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, base: str = ""):
        self.app = app
        self.metrics = metrics
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        sent = received = 0
        status = 0
        request_id = _request_id(scope)
        fields: dict[str, object] = {}
        # A copy for each request: the server hands the same dictionary to all of them.
        scope["state"] = {**scope.get("state", {}), "id": request_id, "log": fields}

        async def count_in() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body") or message.get("bytes") or b"")
            return message

        async def count_out(message: Message) -> None:
            nonlocal sent, status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", [])
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
            elif message["type"] == "websocket.accept":
                status = 101
            sent += len(message.get("body") or message.get("bytes") or b"")
            await send(message)

        try:
            await self.app(scope, count_in, count_out)
        except Exception:
            fields["outcome"] = "error"
            status = status or 500
            raise
        finally:
            seconds = time.perf_counter() - start
            route = route_name(scope["path"].removeprefix(self._base))
            if scope["type"] == "http":
                self.metrics.requests.labels(route, str(status)).observe(seconds)
            if not (route in _PROBES or (route in _FILES and 0 < status < 400)):
                fields.setdefault("outcome", "ok" if 0 < status < 400 else "refused")
                line = {
                    "id": request_id,
                    "route": route,
                    "method": scope.get("method", "WEBSOCKET"),
                    "status": status,
                    **fields,
                    "ms": round(seconds * 1000, 1),
                    "bytes_in": received,
                    "bytes_out": sent,
                }
                REQUESTS.info("request", extra={"fields": line})


def route_name(path: str) -> str:
    """A path's name for logs and metrics: one of a fixed set, never with an id in it."""
    if path == "/":
        return "/"
    match = _ROUTES.match(path)
    return match[0] if match else "other"


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return str(text)
    return uuid.uuid4().hex
