"""A real Streamlit server and a real Chromium, each started once for the whole run.

def test_something(app_server, page):
    page.goto(app_server("streamlit_app.py"))
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT_MS = 30_000  # of a busy shared machine; nothing takes that long on a quiet one
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}

AppServer = Callable[..., str]
NewPage = Callable[..., "Page"]


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    process.terminate()
    pytest.fail(f"The app did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """``app_server(script, env=None)`` -> base URL of that app; the same app starts only once."""
    running: dict[tuple[str, ...], tuple[str, subprocess.Popen[bytes]]] = {}
    logs = tmp_path_factory.mktemp("servers")

    def start(script: str | Path, env: Mapping[str, str] | None = None) -> str:
        key = (str(script), *sorted(f"{k}={v}" for k, v in (env or {}).items()))
        if key not in running:
            url = f"http://127.0.0.1:{free_port()}"
            log = logs / f"{len(running)}.log"
            options = {
                "server.headless": "true",
                "server.address": "127.0.0.1",
                "server.port": url.rsplit(":", 1)[1],
                "server.fileWatcherType": "none",
                "browser.gatherUsageStats": "false",
            }
            arguments = [word for k, v in options.items() for word in (f"--{k}", v)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "streamlit", "run", str(script), *arguments],
                    cwd=ROOT,
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            running[key] = (url, process)
            _wait_until_healthy(url, process, log)
        return running[key][0]

    yield start
    for _, process in running.values():
        process.terminate()
    for _, process in running.values():
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def base(app_server: AppServer) -> str:
    """The real app."""
    return app_server("streamlit_app.py")


@pytest.fixture
def photo(portrait: Image.Image, tmp_path: Path) -> Path:
    """The portrait, mirrored, so that it is another photo than the sample."""
    path = tmp_path / "a person.jpg"
    portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; tests are skipped where there is none."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    with playwright_api.sync_playwright() as playwright:
        if path is None and Path(playwright.chromium.executable_path).exists():
            path = playwright.chromium.executable_path
        if path is None:
            pytest.skip(f"no Chromium on the PATH ({', '.join(CHROMIUM_NAMES)}), nor Playwright's")
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """``new_page(**context_options)`` -> a page of its own; fails the test on a script error."""
    contexts = []
    errors: list[str] = []

    def make(**options: Any) -> Page:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A desktop page, 1440x900."""
    return new_page()


@pytest.fixture
def phone(new_page: NewPage) -> Page:
    """A phone page with touch, 390x844 at two device pixels."""
    return new_page(**PHONE)
