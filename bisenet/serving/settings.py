"""The server's settings, all of them environment variables."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bisenet.runtime.environment import OTHER_ENGINES, flag

LogFormat = Literal["json", "text"]

# Every variable that a manifest, the Dockerfile or a person may set, and what it means. A test
# holds the Dockerfile, k8s/ and docs/operations.md against it.
VARIABLES: dict[str, str] = {
    "PORT": "port to listen on (8080)",
    "BISENET_HOST": "address to listen on (all)",
    "BISENET_WEIGHTS": "name of the weights that the API uses and that are loaded first (default)",
    "BISENET_WEIGHTS_DIR": "folder of the weights and their manifest",
    "BISENET_STATE_DIR": "folder in which timings outlive the process (none: in memory)",
    "BISENET_CACHE_DIR": "folder for what engines compile (the user's cache folder)",
    "BISENET_THREADS": "threads of the engine and of OpenCV (the CPU quota and affinity)",
    "BISENET_MAX_RUNNING": "parses at a time (2)",
    "BISENET_MAX_WAITING": "parses that may wait; one more is refused with 429 (32)",
    "BISENET_VIEWS_MB": "MB of parsed photos kept for all sessions (a quarter of the memory)",
    "BISENET_DRAIN_SECONDS": "after SIGTERM: not ready, but still answering, for this long (5)",
    "BISENET_SHUTDOWN_SECONDS": "after SIGTERM: gone by then, whatever still runs (30)",
    "BISENET_STALL_SECONDS": "a parse without progress for so long hangs: /healthz fails (60)",
    "BISENET_OTHER_ENGINES": "true: the API and the pages may open engines besides the server's "
    "own, and Timing may measure (false)",
    "BISENET_BODY_SECONDS": "the time that a photo may take to arrive (60)",
    "BISENET_BODY_RATE": "KB a second that a body must at least arrive with (16)",
    "BISENET_HEADER_SECONDS": "the time that a request's header may take to arrive (10)",
    "BISENET_MAX_SOCKETS": "open pages (WebSockets) in all; twice as many connections (400)",
    "BISENET_MAX_SOCKETS_CLIENT": "open pages of one address; twice as many connections (100)",
    "BISENET_MAX_SCRIPTS": "page scripts that run at a time (2)",
    "BISENET_TRUSTED_PROXIES": "comma-separated addresses and networks of proxies (none)",
    "BISENET_ALLOWED_HOSTS": "comma-separated host names that are answered (any)",
    "BISENET_HTTPS": "true when people come by https: adds Strict-Transport-Security (false)",
    "BISENET_LOG_FORMAT": "json or text (json)",
    "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "MB that a zip in Batch or Evaluate may have (1024)",
    "STREAMLIT_SERVER_BASE_URL_PATH": "path below which the dashboard is served (none)",
    "STREAMLIT_SERVER_COOKIE_SECRET": "signs cookies; the same on every replica",
}


@dataclass(frozen=True)
class Settings:
    """How one server process behaves. Times are seconds, rates KB a second.

    ``base_path`` is empty or begins with a slash and ends without one.
    """

    port: int = 8080
    host: str = ""
    weights: str = "default"
    drain_seconds: float = 5.0
    shutdown_seconds: float = 30.0
    body_seconds: float = 60.0
    body_rate: float = 16.0
    header_seconds: float = 10.0
    max_sockets: int = 400
    max_sockets_client: int = 100
    max_scripts: int = 2
    trusted_proxies: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    https: bool = False
    log_format: LogFormat = "json"
    max_upload_mb: int | None = None
    base_path: str = ""
    stall_seconds: float = 60.0
    other_engines: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            ValueError: a variable is not what it should be; the sentence names it.
        """
        settings = cls(
            port=int(_number(environ, "PORT", 8080, 0, 65535)),
            host=environ.get("BISENET_HOST", ""),
            weights=environ.get("BISENET_WEIGHTS", "default"),
            drain_seconds=_number(environ, "BISENET_DRAIN_SECONDS", 5, 0, 600),
            shutdown_seconds=_number(environ, "BISENET_SHUTDOWN_SECONDS", 30, 1, 3600),
            stall_seconds=_number(environ, "BISENET_STALL_SECONDS", 60, 1, 3600),
            other_engines=flag(OTHER_ENGINES, environ),
            body_seconds=_number(environ, "BISENET_BODY_SECONDS", 60, 1, 3600),
            body_rate=_number(environ, "BISENET_BODY_RATE", 16, 0.1, 1e6),
            header_seconds=_number(environ, "BISENET_HEADER_SECONDS", 10, 1, 3600),
            max_sockets=_whole(environ, "BISENET_MAX_SOCKETS", 400),
            max_sockets_client=_whole(environ, "BISENET_MAX_SOCKETS_CLIENT", 100),
            max_scripts=_whole(environ, "BISENET_MAX_SCRIPTS", 2),
            trusted_proxies=_networks(environ, "BISENET_TRUSTED_PROXIES"),
            allowed_hosts=tuple(name.lower() for name in _list(environ, "BISENET_ALLOWED_HOSTS")),
            https=flag("BISENET_HTTPS", environ),
            log_format=_log_format(environ),
            max_upload_mb=_upload_limit(environ),
            base_path=_base_path(environ),
        )
        if settings.drain_seconds >= settings.shutdown_seconds:
            raise ValueError("BISENET_DRAIN_SECONDS must be less than BISENET_SHUTDOWN_SECONDS.")
        return settings


def _number(
    environ: Mapping[str, str], name: str, default: float, lowest: float, highest: float
) -> float:
    text = environ.get(name, str(default))
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{name} must be a number, not {text!r}.") from error
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be between {lowest:g} and {highest:g}, not {text}.")
    return value


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    value = _number(environ, name, default, 1, 100_000)
    if value != int(value):
        raise ValueError(f"{name} must be a whole number, not {environ[name]!r}.")
    return int(value)


def _list(environ: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in environ.get(name, "").split(",") if part.strip()]


def _networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    networks = _list(environ, name)
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(
                f"{name} takes addresses and networks like 10.0.0.1 or 10.0.0.0/8, not {network!r}."
            ) from error
    return tuple(networks)


def _upload_limit(environ: Mapping[str, str]) -> int | None:
    name = "STREAMLIT_SERVER_MAX_UPLOAD_SIZE"
    return _whole(environ, name, 1024) if environ.get(name) else None


def _base_path(environ: Mapping[str, str]) -> str:
    name = "STREAMLIT_SERVER_BASE_URL_PATH"
    path = environ.get(name, "").strip("/")
    if not re.fullmatch(r"([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?", path):
        raise ValueError(
            f"{name} takes a path of letters, digits, - and _, like faces or lab/faces, "
            f"not {environ[name]!r}."
        )
    return f"/{path}" if path else ""


def _log_format(environ: Mapping[str, str]) -> LogFormat:
    text = environ.get("BISENET_LOG_FORMAT", "json")
    if text == "json":
        return "json"
    if text == "text":
        return "text"
    raise ValueError(f"BISENET_LOG_FORMAT must be json or text, not {text!r}.")
