"""What Streamlit's own client sends: the sizes of its messages while a person uses every page.

python tests/drills/browser.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.deploy.parse_once import photo
from tests.deploy.replicas import Replica, browse
from tests.drills import hostile

LONG = "ü" * 120

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, WebSocket


def use_everything(browser: Browser, replica: Replica, note: Callable[[str, int], None]) -> None:
    """Twenty photos with long names, every switch, every page."""
    page: Page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(60_000)
    where = ["start"]

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda data: note(where[0], len(data)))

    page.on("websocket", listen)
    page.goto(replica.url)
    page.locator("canvas").first.wait_for()
    where[0] = "uploads"
    for start in (0, 10):
        page.locator("input[type=file]").first.set_input_files(
            [_file(i, 300 + i) for i in range(start, start + 10)]
        )
        page.get_by_text(f"{start + 10} of at most").first.wait_for()
        _rest(page)
    for name in ("Regions", "Batch", "Evaluate", "Timing", "Explore"):
        where[0] = name
        page.get_by_role("link", name=name).first.click()
        _rest(page)
        if name == "Batch":
            page.locator("input[type=file]").first.set_input_files(
                [_file(i, 64) for i in range(200)]
            )
            _rest(page)
            page.wait_for_timeout(8000)
        for switch in page.locator("button, [role=switch], input[type=checkbox]").all()[:25]:
            try:
                switch.click(timeout=300, force=True)
            except Exception:
                continue
            page.wait_for_timeout(60)
        _rest(page)


def _file(number: int, side: int) -> Any:
    return {"name": f"{LONG}{number}.jpg", "mimeType": "image/jpeg", "buffer": photo(side)}


def _rest(page: Page) -> None:
    page.wait_for_timeout(500)
    page.locator('[data-test-script-state="notRunning"]').first.wait_for()


def main() -> int:
    """Use everything, and say what was sent."""
    sizes: dict[str, list[int]] = {}

    def note(where: str, size: int) -> None:
        sizes.setdefault(where, []).append(size)

    with hostile.server() as replica:
        try:
            browse(lambda browser: use_everything(browser, replica, note))
        finally:
            for where, sent in sizes.items():
                print(f"{where}: {len(sent)} messages, the largest {max(sent)} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
