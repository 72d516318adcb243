"""The production server: the dashboard, the HTTP API, health, readiness and metrics.

One process, one event loop; parses run in threads behind the process's one queue. On SIGTERM the
server stops being ready, lets what runs and waits finish, and leaves within
``BISENET_SHUTDOWN_SECONDS``. ``streamlit run streamlit_app.py`` runs the dashboard alone.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit import config
from streamlit.starlette import App

from bisenet.dashboard.session import script_runs, uploads_in_memory
from bisenet.engines import EngineError
from bisenet.network.weights import WeightsError
from bisenet.runlog import process_log
from bisenet.runtime.admission import process_queue
from bisenet.runtime.memory import return_large_arrays
from bisenet.runtime.paths import ROOT
from bisenet.runtime.settings import VARIABLES, Settings
from bisenet.serving import logs, openapi
from bisenet.serving.api import ParseRoute
from bisenet.serving.bodies import Bodies
from bisenet.serving.clients import Forwarded
from bisenet.serving.connections import MAX_MESSAGE_BYTES, Sockets, Tally, protocols
from bisenet.serving.headroom import Headroom
from bisenet.serving.lifecycle import Lifecycle
from bisenet.serving.metrics import Metrics
from bisenet.serving.models import Models
from bisenet.serving.pages import Pages
from bisenet.serving.refusal import refusal
from bisenet.serving.security import Hosts, Security
from bisenet.serving.visiting import Visiting

SCRIPT = ROOT / "streamlit_app.py"
LOG = logging.getLogger("bisenet.server")

# What must hold in production, whatever a config file or the environment says.
_STREAMLIT_OPTIONS: dict[str, object] = {
    "global.developmentMode": False,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,  # Streamlit's name for: protection against other origins
    "server.enableStaticServing": False,
    "server.enableAgentApi": False,
    "client.showErrorDetails": "none",
    # It would print exceptions past our log, with messages that may quote what a person sent.
    "logger.enableRich": False,
    "client.toolbarMode": "minimal",
    "browser.gatherUsageStats": False,
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Of the time to leave: what open connections get to close after the last parse.
_CLOSING_SECONDS = 3.0
_WARM = "warm"


def create_app(settings: Settings, lifecycle: Lifecycle) -> App:
    """The ASGI app. Its lifespan loads the model in the background; ``/readyz`` says when."""
    uploads_in_memory.keep_in_memory()
    metrics = Metrics(lifecycle)
    process_log().listen(metrics.observe)
    models = Models(settings.weights, settings.other_engines)
    parse = ParseRoute(lifecycle, models, metrics, settings.body_seconds)

    def probed(problem: str, fine: str) -> Response:
        status = 503 if problem else 200
        return PlainTextResponse(problem or fine, status, {"cache-control": "no-store"})

    async def healthz(_: Request) -> Response:
        return probed("stalled" if lifecycle.stalled else "", "ok")

    async def readyz(_: Request) -> Response:
        return probed(lifecycle.problem, "ready")

    async def prometheus(_: Request) -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def description(_: Request) -> Response:
        return JSONResponse(openapi.document())

    async def parse_photo(request: Request) -> Response:
        return await parse(request)

    async def no_route(request: Request) -> Response:
        # Without this, Streamlit would answer with its page.
        known = request.url.path in ("/api/parse", "/api/openapi.json")
        code, status = ("wrong_method", 405) if known else ("no_route", 404)
        return refusal(request.scope, status, code, "See /api/openapi.json for what there is.")

    def script_failed(error: Exception) -> None:
        metrics.script_errors.inc()
        LOG.error("dashboard", exc_info=error)

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[None]:
        # A daemon, so that a server told to go while it loads does not wait for the network.
        threading.Thread(target=_warm, args=(models, lifecycle), name=_WARM, daemon=True).start()
        yield

    return App(
        SCRIPT,
        lifespan=lifespan,
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", prometheus),
            Route("/api/openapi.json", description),
            Route("/api/parse", parse_photo, methods=["POST"]),
            Route("/api/{rest:path}", no_route, methods=_METHODS),
        ],
        middleware=[
            Middleware(Forwarded, proxies=settings.trusted_proxies),
            Middleware(logs.RequestLog, metrics=metrics, base=settings.base_path),
            Middleware(Security, settings=settings),
            Middleware(Sockets, tally=Tally(settings.max_sockets, settings.max_sockets_client)),
            Middleware(Visiting, base=settings.base_path, https=settings.https),
            Middleware(Headroom),
            Middleware(Bodies, rate=settings.body_rate * 1000),
            Middleware(
                Pages,
                base=settings.base_path,
                names=[page.stem for page in (SCRIPT.parent / "pages").glob("*.py")],
                hosts=Hosts(settings.allowed_hosts),
            ),
        ],
        on_script_error=script_failed,
    )


class Server(uvicorn.Server):
    """uvicorn that drains: not ready first, work finished, then gone."""

    def __init__(self, uvicorn_config: uvicorn.Config, settings: Settings, lifecycle: Lifecycle):
        super().__init__(uvicorn_config)
        self._settings = settings
        self._lifecycle = lifecycle
        self._linger = settings.drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends the wait."""
        if self._lifecycle.draining:
            self.should_exit = True
            return
        if sig == signal.SIGINT:
            self._linger = 0.0
        self._lifecycle.drain()
        LOG.info("draining")
        # A parse cannot be interrupted, and Python would wait for its thread at exit.
        last = threading.Timer(self._settings.shutdown_seconds, os._exit, (1,))
        last.daemon = True
        last.start()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True ends the main loop."""
        if await super().on_tick(counter):
            return True
        spent = self._lifecycle.draining_seconds
        if not self._lifecycle.draining or spent < self._linger:
            return False
        if self._lifecycle.stuck:
            LOG.error("a parse hangs, and is given up")
            return True
        return self._lifecycle.idle or spent >= self._settings.shutdown_seconds - _CLOSING_SECONDS


def main() -> int:
    """Serve until told to stop."""
    try:
        settings = Settings().check()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # On a server other engines are off where nobody says otherwise, for the API and the pages.
    name = Settings.other_engines.name
    os.environ[name] = os.environ.get(name, "").strip() or "false"
    lifecycle = Lifecycle(process_queue(), settings.stall_seconds, settings.shutdown_seconds / 3)
    return_large_arrays()
    app = create_app(settings, lifecycle)
    script_runs.limit(settings.max_scripts)
    for option, value in {**_STREAMLIT_OPTIONS, **_streamlit_options(settings)}.items():
        config.set_option(option, value)
    logs.configure(settings.log_format)
    if unknown := _ignored(os.environ):
        LOG.warning("these variables do nothing here", extra={"fields": {"names": unknown}})
    http, socket = protocols(settings)
    server = Server(
        uvicorn.Config(
            app,
            host=settings.host or "0.0.0.0",
            port=settings.port,
            access_log=False,
            log_config=None,
            server_header=False,
            # Done by us, and only for proxies that are named: uvicorn believes any on loopback.
            proxy_headers=False,
            http=http,
            ws=socket,
            ws_max_size=MAX_MESSAGE_BYTES,
            # A message of 1 KB could hold 1 MB, and of 190 KB whatever the limit is.
            ws_per_message_deflate=False,
            ws_ping_interval=30,
            ws_ping_timeout=30,
            timeout_graceful_shutdown=int(_CLOSING_SECONDS),
        ),
        settings,
        lifecycle,
    )
    server.run()
    LOG.info("stopped")
    code = 0 if server.started else 3
    loading = any(thread.name == _WARM and thread.is_alive() for thread in threading.enumerate())
    hung = process_queue().running > 0
    if hung:
        code = code or 1
    if loading or hung:
        # Told to go while the network loads, or while a parse hangs: taking the interpreter down
        # under a thread in native code would abort the process, or wait for it for ever.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    return code


def _warm(models: Models, lifecycle: Lifecycle) -> None:
    try:
        parser = models.warm()
    except (WeightsError, EngineError) as error:
        # About the operator's own files, not about anybody's photo: the sentence may be logged.
        lifecycle.failed("weights")
        LOG.error("the network cannot be loaded: %s", error)
        return
    except Exception:
        # Never ready: the probe keeps people away and the orchestrator starts another.
        lifecycle.failed("weights")
        LOG.exception("the network cannot be loaded")
        return
    lifecycle.loaded()
    LOG.info("ready", extra={"fields": {"engine": str(parser.engine)}})


def _streamlit_options(settings: Settings) -> dict[str, object]:
    """What our settings are for Streamlit, which outside its own command reads secrets only."""
    options: dict[str, object] = {
        "server.port": settings.port,
        "server.baseUrlPath": settings.base_path.strip("/"),
        # In millions of bytes: what it takes in one message from a page.
        "server.maxWidgetStateSize": math.ceil(MAX_MESSAGE_BYTES / 1e6),
    }
    if settings.max_upload_mb is not None:
        options["server.maxUploadSize"] = settings.max_upload_mb
    return options


def _ignored(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none."""
    return sorted(
        name
        for name in environ
        if name.startswith(("BISENET_", "STREAMLIT_")) and name not in VARIABLES
    )
