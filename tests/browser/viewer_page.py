"""What the viewer's tests do over and over, in one place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

APP = Path(__file__).parent / "viewer_app.py"

# Points of the drawn face in viewer_app.py, in fractions of the picture.
SKIN = (0.5, 0.30)
NOSE = (0.5, 0.52)
HAIR = (0.25, 0.42)
BACKGROUND = (0.05, 0.05)
CLOTHES = (0.5, 0.95)

_ALPHA = """([u, v, i]) => {
  const root = document.querySelectorAll('.stBidiComponent')[0]
    .querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot;
  const canvas = root.querySelectorAll('canvas.overlay')[i];
  const data = canvas.getContext('2d')
    .getImageData(Math.floor(u * canvas.width), Math.floor(v * canvas.height), 1, 1).data;
  return [...data];
}"""


class ViewerPage:
    """A page with the viewer on it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.sent: list[int] = []
        self.received: list[int] = []
        self.media: list[int] = []
        page.on("websocket", self._watch)
        page.on("requestfinished", self._count)

    def _watch(self, socket: Any) -> None:
        socket.on("framesent", lambda data: self.sent.append(len(data)))
        socket.on("framereceived", lambda data: self.received.append(len(data)))

    def _count(self, request: Any) -> None:
        if "/media/" in request.url and "/static/" not in request.url:
            self.media.append(request.sizes()["responseBodySize"])

    def open(self, query: str = "") -> ViewerPage:
        self.page.goto(f"{self.base}/{query}")
        return self.ready()

    def ready(self) -> ViewerPage:
        """Waits until the picture is shown and the server has nothing more to say."""
        self.page.locator(".viewer .stage:not(.loading)").first.wait_for(timeout=90_000)
        self.settle()
        return self

    def settle(self, milliseconds: int = 500) -> None:
        self.page.wait_for_timeout(milliseconds)

    @property
    def stage(self) -> Locator:
        return self.page.locator(".viewer .stage").first

    def switch(self, name: str) -> Locator:
        return self.page.locator(f".viewer .switch[data-class={name}]")

    def group(self, name: str) -> Locator:
        return self.page.locator(f".viewer .section[data-group={name}] .group")

    def button(self, name: str) -> Locator:
        """A button of the viewer; where it is a tool of another task, that task is opened."""
        edits = name == "Mark a face" or name.startswith("Dismiss")
        task = self.page.locator(".viewer .task[data-task=edit]")
        if edits and task.is_visible() and task.get_attribute("aria-checked") != "true":
            task.click()
        return self.page.locator(".viewer").get_by_role("button", name=name, exact=True)

    def is_on(self, name: str) -> bool:
        return self.switch(name).get_attribute("aria-checked") == "true"

    def at(self, point: tuple[float, float], stage: int = 0) -> tuple[float, float]:
        """Page coordinates of a point of the picture (unzoomed)."""
        box = self.page.locator(".viewer .stage").nth(stage).bounding_box()
        assert box is not None
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    def hover(self, point: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(point))
        self.settle(120)

    def click(self, point: tuple[float, float]) -> None:
        self.page.mouse.click(*self.at(point))

    def rgba(self, point: tuple[float, float], stage: int = 0) -> list[int]:
        """The overlay's pixel, after the next frame."""
        self.settle(80)
        pixel: list[int] = self.page.evaluate(_ALPHA, [*point, stage])
        return pixel

    @property
    def tip(self) -> str:
        return self.page.locator(".viewer .tip:not([hidden])").inner_text()

    @property
    def server(self) -> str:
        """What the server printed about its view."""
        return self.page.get_by_text(re.compile(r"runs=\d+")).inner_text()

    def wait_for_server(self, text: str) -> None:
        self.page.get_by_text(text).wait_for()

    @property
    def runs(self) -> int:
        found = re.search(r"runs=(\d+)", self.server)
        assert found is not None
        return int(found.group(1))

    @property
    def query(self) -> str:
        return self.page.url.partition("?")[2]

    @property
    def zoom(self) -> str:
        return self.page.locator(".viewer .factor").inner_text().replace("\u202f", " ")
