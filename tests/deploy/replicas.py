"""Real server processes, a real load balancer before them, and a person with a real browser."""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from tests.deploy.parse_once import multipart, photo
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
Affinity = Literal["none", "client-ip", "cookie"]
T = TypeVar("T")


@dataclass
class Answer:
    """What a server said: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def ask(
    url: str,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    source: str = "127.0.0.1",
    timeout: float = 60,
) -> Answer:
    """One request on a connection of its own, from a loopback address of choice."""
    host, port = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout, (source, 0))
    try:
        # A server may refuse a large body and stop reading it; its answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


@functools.cache
def form(side: int = 256) -> tuple[bytes, str]:
    """A form with the sample face: body and content type."""
    return multipart(photo(side))


def post_photo(
    url: str,
    source: str = "127.0.0.1",
    side: int = 256,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Parse the sample through the API."""
    body, content_type = form(side)
    return ask(
        url, "/api/parse", "POST", body, {"Content-Type": content_type, **(headers or {})}, source
    )


@dataclass
class Replica:
    """One process of ``python -m bisenet.server``."""

    log: Path
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    program: tuple[str, ...] = ("-m", "bisenet.server")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Replica:
        """Start the process; ``wait_ready`` waits for it."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "BISENET_THREADS": "1",
            "BISENET_HOST": "127.0.0.1",
            "BISENET_DRAIN_SECONDS": "2",
            "STREAMLIT_SERVER_COOKIE_SECRET": "only-for-tests",
            **self.env,
            "PORT": str(self.port),
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program],
                # Not the checkout: a server must not depend on where it is started.
                cwd=self.log.parent,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def is_ready(self) -> bool:
        """Whether it takes new work."""
        try:
            return ask(self.url, "/readyz", timeout=5).status == 200
        except OSError:
            return False

    def wait_ready(self) -> Replica:
        """Return when it is ready; fail the test when it ends or takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if self.is_ready():
                return self
            time.sleep(0.2)
        pytest.fail(f"The server did not get ready:\n{self.log.read_text()[-3000:]}")

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM, then its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """As a lost node does it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def lines(self) -> list[dict[str, Any]]:
        """The log, decoded; raises on a line that is not JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requests(self, route: str) -> list[dict[str, Any]]:
        """The log's requests to a route."""
        return [line for line in self.lines() if line.get("route") == route]


class HaProxy:
    """HAProxy before replicas, with the affinity of a Kubernetes service or of a Google gateway.

    It never tries again by itself, as a network load balancer does not. ``extra`` is one more line
    of its configuration.
    """

    def __init__(self, replicas: list[Replica], affinity: Affinity, folder: Path, extra: str = ""):
        if shutil.which("haproxy") is None:
            pytest.skip("haproxy is not installed (Debian: apt-get install haproxy)")
        self.port = free_port()
        rules = {
            "none": "",
            # What kube-proxy does for sessionAffinity: ClientIP, its three hours included.
            "client-ip": "stick-table type ip size 10k expire 3h\n  stick on src",
            "cookie": "cookie GCLB insert indirect nocache",
        }
        servers = "\n".join(
            f"  server r{i} 127.0.0.1:{replica.port} cookie r{i}"
            for i, replica in enumerate(replicas)
        )
        config = folder / f"haproxy-{self.port}.cfg"
        config.write_text(f"""
global
  maxconn 500
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
  timeout tunnel 1h
  timeout check 5s
  retries 0
frontend public
  bind 127.0.0.1:{self.port}
  {extra}
  default_backend replicas
backend replicas
  balance roundrobin
  {rules[affinity]}
  option httpchk GET /readyz
  http-check expect status 200
  http-response set-header x-replica %s
  default-server check inter 300ms fall 1 rise 1
{servers}
""")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(config)])

    @property
    def url(self) -> str:
        """Where people come in."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, count: int, path: str = "/healthz") -> None:
        """Return when ``count`` replicas answer."""
        seen: set[str] = set()
        sources = itertools.cycle(range(100, 250))

        def all_answer() -> bool:
            with contextlib.suppress(OSError):  # the balancer itself is just starting
                answer = ask(self.url, path, source=f"127.0.0.{next(sources)}")
                if answer.status == 200:
                    seen.add(answer.headers["x-replica"])
            return len(seen) >= count

        until(all_answer, f"{count} replicas answer")

    def __enter__(self) -> HaProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def browse(scenario: Callable[[Browser], T]) -> T:
    """Run a scenario with a Chromium of its own.

    In a thread of its own too: the browser tests' Playwright may be open in this one, and there is
    room for one in a thread.
    """
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no Chromium on the PATH ({', '.join(CHROMIUM_NAMES)})")
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with playwright_api.sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                results.append(scenario(browser))
                browser.close()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
